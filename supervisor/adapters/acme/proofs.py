"""What proves names to an issuer: shown while it looks, by HTTP, by TLS or in DNS.

Nothing of it is there before, or afterwards.
"""

import contextlib
import errno
import os
import re
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from supervisor.adapters.acme.places import DNS_NOTES
from supervisor.adapters.acme.refusals import Refused, names, odd, refused
from supervisor.kit.listeners import port_holder
from supervisor.kit.texts import one_line
from supervisor.model.acme import FailureKind, Order
from supervisor.model.certificate import Challenge

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
PLACE = "/.well-known/acme-challenge/"
_CONNECTION_SECONDS = 10.0
_MANY_CONNECTIONS = 64
_ROOTS_PORTS = 1_024
_ALL = "::"
_WITHOUT_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
"""What an address of IPv6 fails of where the kernel, or this network, has none."""
_PORTS = "how-to/serve-ports-80-and-443.md"


class Proof(NamedTuple):
    """What is to be seen for a name."""

    domain: str
    """Without `*.`."""
    token: str
    authorization: str
    """Token and what stands for the account's key (RFC 8555, section 8.1)."""


@contextlib.contextmanager
def shown(proofs: Sequence[Proof], order: Order, *, timeout_seconds: float) -> Iterator[int]:
    """Show these in the way that the order says; gives the port if there is one. Raises Refused."""
    for proof in proofs:
        is_shown = order.challenge is not Challenge.DNS_PERSIST
        if is_shown and not _TOKEN.fullmatch(proof.token):
            raise odd(order.issuer.name, f"its token for {proof.domain} is none")
    port = 0
    with contextlib.ExitStack() as stack:
        match order.challenge:
            case Challenge.HTTP if order.webroot:
                stack.enter_context(_files(proofs, order))
            case Challenge.HTTP:
                texts = {one.token: one.authorization for one in proofs}
                port = stack.enter_context(_listening(_HttpServer(texts), order))
            case Challenge.TLS_ALPN:
                # It needs certificates, and the others do not.
                from supervisor.adapters.acme.tls_alpn import TlsServer  # noqa: PLC0415

                texts = {one.domain: one.authorization for one in proofs}
                port = stack.enter_context(_listening(TlsServer(texts), order))
            case Challenge.DNS:
                stack.enter_context(_records(proofs, order, timeout_seconds))
            case Challenge.DNS_PERSIST:
                pass  # people write it, and it stays
        yield port


class Server(socketserver.ThreadingTCPServer):
    """A listener that takes so many connections at a time, and ends with the process."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128
    handler: ClassVar[type[socketserver.BaseRequestHandler]]

    def __init__(self) -> None:
        super().__init__(("", 0), self.handler, bind_and_activate=False)
        self.socket.close()
        self._free = threading.BoundedSemaphore(_MANY_CONNECTIONS)

    def listen(self, address: str) -> None:
        """Listen at ADDRESS:PORT; an empty address, and `[::]`, are all of them, of IPv4 too.

        Where there is no IPv6, these are those of IPv4. Raises OSError.
        """
        host, _, port = address.rpartition(":")
        host = host.strip("[]") or _ALL
        try:
            self._listen(host, int(port))
        except OSError as error:
            if host != _ALL or error.errno not in _WITHOUT_IPV6:
                raise
            self.socket.close()
            self._listen("0.0.0.0", int(port))  # noqa: S104

    def _listen(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if host == _ALL:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server_address = (host, port)
        self.server_bind()
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up, or speaks something else, is none of our concern."""


class _HttpHandler(BaseHTTPRequestHandler):
    """Tells what belongs to a token, and nothing else."""

    timeout = _CONNECTION_SECONDS
    server_version = "podvisor"
    sys_version = ""
    server: "_HttpServer"

    def do_GET(self) -> None:  # it is called so
        path = self.path.partition("?")[0]
        text = self.server.texts.get(path.removeprefix(PLACE)) if PLACE in path else None
        body = b"" if text is None else text.encode()
        self.send_response(HTTPStatus.NOT_FOUND if text is None else HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Standard error is for why the process fails."""


class _HttpServer(Server):
    handler = _HttpHandler

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__()
        self.texts = texts


@contextlib.contextmanager
def _listening(server: Server, order: Order) -> Iterator[int]:
    try:
        server.listen(order.listen)
    except (OSError, ValueError, OverflowError) as error:
        server.server_close()
        raise _no_port(error, order) from error
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _no_port(error: Exception, order: Order) -> Refused:
    port = order.listen.rpartition(":")[2]
    key = "http_listen" if order.challenge is Challenge.HTTP else "tls_listen"
    why = getattr(error, "strerror", None) or str(error)
    hint = f"set another `{key}` in [certificates] of the settings"
    if isinstance(error, PermissionError) and port.isdigit() and int(port) < _ROOTS_PORTS:
        hint = (
            "ports below 1024 are root's:"
            f" sudo sysctl net.ipv4.ip_unprivileged_port_start={port} opens them (and a file in"
            f" /etc/sysctl.d, for good; see {_PORTS}); or set `{key}` in [certificates] to a higher"
            " one, that whoever has this port hands the challenge on to"
        )
    elif isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        holder = port_holder(int(port), "tcp")
        why += f": {holder} has it" if holder else ""
        hint = (
            f"set `{key}` in [certificates] to another one, and have {holder or 'who has it'} hand"
            " the challenge on to that"
        )
        if order.challenge is Challenge.HTTP:
            hint += "; or name the folder that it shows as `webroot`"
    return refused(
        FailureKind.PASSING,
        f"cannot prove {names(order.terms.domains)} by {order.challenge}: cannot listen on"
        f" {order.listen}: {why}",
        hint,
    )


@contextlib.contextmanager
def _files(proofs: Sequence[Proof], order: Order) -> Iterator[None]:
    """Put them into the folder that a web server shows, for whoever that runs as to read."""
    folder = Path(order.webroot).joinpath(*PLACE.strip("/").split("/"))
    with contextlib.ExitStack() as made:
        try:
            for place in (folder.parent, folder):
                with contextlib.suppress(FileExistsError):
                    place.mkdir()
                    made.callback(_remove_folder, place)
                    place.chmod(0o755)
            for proof in proofs:
                path = folder / proof.token
                path.unlink(missing_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(path, flags, 0o644)
                made.callback(_remove_file, path)
                with open(descriptor, "wb") as file:  # noqa: PTH123
                    os.fchmod(descriptor, 0o644)
                    file.write(proof.authorization.encode())
        except OSError as error:
            raise refused(
                FailureKind.PASSING,
                f"cannot prove {names(order.terms.domains)} by http-01: cannot write to {folder}:"
                f" {error.strerror}",
                "`webroot` in [certificates] of the settings must be a folder that this user can"
                " write to",
            ) from error
        yield


def _remove_file(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_folder(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.rmdir()


@contextlib.contextmanager
def _records(proofs: Sequence[Proof], order: Order, timeout_seconds: float) -> Iterator[None]:
    # It loads a library that no other challenge needs.
    from supervisor.adapters.acme import dns  # noqa: PLC0415

    records = [(f"_acme-challenge.{one.domain}", digest_of(one.authorization)) for one in proofs]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                dns.published(
                    records,
                    zones=order.zones,
                    resolvers=order.resolvers,
                    timeout_seconds=timeout_seconds,
                    notes=Path(order.folder) / DNS_NOTES,
                )
            )
        except dns.DnsError as error:
            message, hint = one_line(str(error), 400), one_line(error.hint, 400)
            raise refused(error.kind, message, hint) from error
        yield


def digest_of(authorization: str) -> str:
    """Return what the record says (RFC 8555, section 8.4)."""
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415

    found = hashlib.sha256(authorization.encode()).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()
