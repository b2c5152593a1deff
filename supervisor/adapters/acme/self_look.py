"""Looks from here at what an issuer would look at: who answers for a name, and with what."""

import contextlib
import errno
import hashlib
import http.client
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from supervisor.adapters.acme.proofs import PLACE, Proof
from supervisor.kit.texts import one_line
from supervisor.model.certificate import Challenge

HTTP_PORT, TLS_PORT = 80, 443
ALPN = "acme-tls/1"
_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
_MOST_REDIRECTS = 5
_LARGEST = 4 << 10
_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_SCHEMES = ("http", "https")


class Seen(NamedTuple):
    """What was found at one address."""

    said: str
    """Who answers, and what; empty if it is what the issuer wants to see."""
    word: str = ""
    """As an issuer would call it: `connection`, `unauthorized`; empty where nothing can be seen
    from here."""


def look(proof: Proof, address: str, challenge: Challenge, *, port: int = 0) -> Seen:
    """Look at one address of a name for what proves it, while that is shown."""
    over_tls = challenge is Challenge.TLS_ALPN
    port = port or (TLS_PORT if over_tls else HTTP_PORT)
    try:
        if over_tls:
            return _over_tls(proof, address, port)
        return _over_http(proof, address, port)
    except TimeoutError:
        return Seen(f"nobody answers at port {port} within {_SECONDS:g} s", "connection")
    except ssl.SSLError as error:
        why = (error.reason or str(error)).lower().replace("_", " ")
        return Seen(f"somebody else answers at port {port}: {one_line(why, 80)}", "unauthorized")
    except OSError as error:
        if error.errno in _NO_WAY:
            return Seen("this machine has no way to that address itself")
        if error.errno == errno.ECONNREFUSED:
            return Seen(f"nobody listens at port {port}", "connection")
        why = os.strerror(error.errno) if error.errno else one_line(str(error), 80)
        return Seen(f"port {port} cannot be reached: {why}", "connection")
    except http.client.HTTPException as error:
        why = f"what answers at port {port} speaks no HTTP ({type(error).__name__})"
        return Seen(why, "unauthorized")


def _over_http(proof: Proof, address: str, port: int) -> Seen:
    url, place = f"http://{_host(proof.domain)}{PLACE}{proof.token}", port
    way = ""
    for _ in range(_MOST_REDIRECTS):
        parts = urlsplit(url)
        connection = _connection(parts.scheme, address, place)
        try:
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            with _at_most(connection):
                connection.request("GET", path, headers={"Host": parts.netloc, "Accept": "*/*"})
                answer = connection.getresponse()
                body = answer.read(_LARGEST)
        finally:
            connection.close()
        if answer.status == HTTPStatus.OK and body.strip() == proof.authorization.encode():
            return Seen("")
        said = _answered(answer, port, way)
        target = answer.getheader("Location", "")
        if answer.status not in range(300, 400) or not target:
            return Seen(said, "unauthorized")
        url = _absolute(target, url)
        following = urlsplit(url)
        if following.scheme not in _SCHEMES or following.hostname != proof.domain:
            return Seen(f"{said}, and sends to {one_line(url, 120)}", "unauthorized")
        way = f", by way of {one_line(url, 120)}"
        place = TLS_PORT if following.scheme == "https" else HTTP_PORT
    return Seen(f"what answers at port {port} sends in a circle{way}", "unauthorized")


def _connection(scheme: str, address: str, port: int) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(address, port, timeout=_SECONDS)
    context = ssl.create_default_context()
    # Whoever answers, as issuers do when they follow to HTTPS.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=_SECONDS, context=context)


@contextlib.contextmanager
def _at_most(connection: http.client.HTTPConnection) -> Iterator[None]:
    """Hang up on one that answers byte by byte, for ever."""

    def hang_up() -> None:
        with contextlib.suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_ANSWER_SECONDS, hang_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _absolute(target: str, url: str) -> str:
    if target.startswith("/") and not target.startswith("//"):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}{target}"
    return target


def _answered(answer: http.client.HTTPResponse, port: int, way: str) -> str:
    said = f"somebody else answers at port {port}{way}: HTTP {answer.status}"
    if server := answer.getheader("Server", "").strip():
        said += f", Server: {one_line(server, 60)}"
    return said


def _over_tls(proof: Proof, address: str, port: int) -> Seen:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    with (
        socket.create_connection((address, port), timeout=_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=proof.domain) as secured,
    ):
        chosen, shown = secured.selected_alpn_protocol(), secured.getpeercert(binary_form=True)
    digest = hashlib.sha256(proof.authorization.encode()).digest()
    if chosen == ALPN and digest in (shown or b""):
        return Seen("")
    what = f"a server that ends TLS itself, and knows nothing of {ALPN}"
    return Seen(f"somebody else answers at port {port}: {what}", "unauthorized")


def _host(domain: str) -> str:
    return f"[{domain}]" if ":" in domain else domain
