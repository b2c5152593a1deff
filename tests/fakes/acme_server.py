"""An issuer on loopback for what Pebble never does: it fails, lies and dawdles as it is told.

It takes each name as proven, unless it is told that it could not be, and checks each signature.
"""

import base64
import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple

from acme import jws
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from josepy.jwk import JWK

PROBLEM = "urn:ietf:params:acme:error:"


class Refusal(NamedTuple):
    """What a request is answered with, instead of what it asks for."""

    word: str
    detail: str = "because"
    status: int = 400
    retry_after: str = ""
    more: Mapping[str, Any] = MappingProxyType({})

    @property
    def body(self) -> dict[str, Any]:
        return {"type": PROBLEM + self.word, "detail": self.detail} | dict(self.more)


class Authority:
    """A root with one intermediate."""

    def __init__(self, name: str) -> None:
        self.root = _name(f"{name} root")
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.name = _name(f"{name} intermediate")
        self.certificate = _signed(
            self.name, self.key.public_key(), self.root, self.root_key, is_authority=True
        )
        self.root_pem = _pem(
            _signed(
                self.root, self.root_key.public_key(), self.root, self.root_key, is_authority=True
            )
        )

    def issue(
        self, key: Any, names: x509.SubjectAlternativeName, *, start: datetime, days: float
    ) -> str:
        nobody = x509.Name([])
        made = _signed(nobody, key, self.name, self.key, names=names, start=start, days=days)
        return _pem(made) + _pem(self.certificate)


class Reply(NamedTuple):
    status: int
    body: Any
    headers: Mapping[str, str] = MappingProxyType({})


class AcmeServer:
    """Serves until `close`."""

    def __init__(self) -> None:
        self.authority, self.other = Authority("Fake"), Authority("Other")
        self.requests: list[str] = []
        """What was asked for: the first part of each path."""
        self.payloads: list[tuple[str, Any]] = []
        """What was signed, with the first part of the path."""
        self.bad_nonces = 0
        """How many requests are refused for their nonce yet."""
        self.refusals: dict[str, list[Refusal]] = {}
        """The first part of a path to what is answered there, one after the other."""
        self.says: dict[str, str] = {}
        """The first part of a path to what is answered there, whatever was asked."""
        self.processing = 0
        """How often an order is looked at until it is valid."""
        self.retry_after = "0"
        self.failing: Refusal | None = None
        """Why no name can be proven."""
        self.remembers = False
        """Whether it takes names as proven that were before, until that is withdrawn."""
        self.asks_for = ""
        """It wants this to be proven, whatever was asked for."""
        self.names: Sequence[str] = ()
        """What is issued is for these, whatever was asked for."""
        self.starts = timedelta(hours=-1)
        """When what is issued is valid from, seen from now."""
        self.lists_orders = True
        self.meta: dict[str, Any] = {}
        self.date = timedelta()
        """By how much its clock is ahead."""
        self.hears: Callable[[int], bool] = lambda _: True
        """Called with the number of each request when it was done; False is no answer."""
        self.amends: Callable[[str, dict[str, Any]], object] = lambda *_: None
        """Called with the first part of a path and what is answered there, to change it."""
        self.reuses_orders = False
        """It answers with the order of the same names that is open yet, as Let's Encrypt does."""
        self.accounts: dict[str, str] = {}
        self.contacts: dict[str, list[str]] = {}
        self.told: list[tuple[str, Any]] = []
        """Accounts and what they were changed to."""
        self.closed: dict[str, str] = {}
        """Accounts to their status; an empty one is not said, they are unauthorized."""
        self.orders: list[dict[str, Any]] = []
        self.proven: list[str] = []
        """Status of each order's names."""
        self.chains: dict[int, list[str]] = {}
        self.looked: dict[int, int] = {}
        self.revoked: list[str] = []
        self.windows: dict[str, tuple[str, str]] = {}
        """Identifiers of certificates to when they are to be renewed."""
        self._nonces: set[str] = set()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"issuer": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def directory(self) -> str:
        return f"{self.url}/directory"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def new_nonce(self) -> str:
        nonce = secrets.token_urlsafe(12)
        self._nonces.add(nonce)
        return nonce

    def answer(self, method: str, path: str, body: bytes) -> Reply | None:
        """Return what is said to a request; None is nothing at all."""
        with self._lock:
            kind, _, rest = path.strip("/").partition("/")
            self.requests.append(kind)
            number = len(self.requests)
            reply = self._refused(kind) or self._reply(method, kind, rest, body)
            if isinstance(reply.body, dict):
                self.amends(kind, reply.body)
            return reply if self.hears(number) else None

    def _refused(self, kind: str) -> Reply | None:
        for one in self.refusals.get(kind, [])[:1]:
            self.refusals[kind].pop(0)
            headers = {"Retry-After": one.retry_after} if one.retry_after else {}
            return Reply(one.status, one.body, headers)
        return Reply(200, self.says[kind]) if kind in self.says else None

    def _reply(self, method: str, kind: str, rest: str, body: bytes) -> Reply:
        if kind == "directory":
            paths = {"newNonce", "newAccount", "newOrder", "revokeCert", "renewalInfo"}
            return Reply(200, {one: f"{self.url}/{one}" for one in paths} | {"meta": self.meta})
        if method == "HEAD":
            return Reply(200, "")
        if kind == "renewalInfo":
            if rest not in self.windows:
                return Reply(404, "")
            window = dict(zip(("start", "end"), self.windows[rest], strict=True))
            return Reply(200, {"suggestedWindow": window})
        signed = json.loads(body)
        head = json.loads(_decoded(signed["protected"]))
        if head["nonce"] not in self._nonces or self.bad_nonces:
            self.bad_nonces -= 1
            return _problem(Refusal("badNonce"))
        self._nonces.remove(head["nonce"])
        key = (
            JWK.from_json(head["jwk"])
            if "jwk" in head
            else JWK.from_json(json.loads(self.accounts[head["kid"]]))
        )
        if not jws.JWS.from_json(signed).verify(key):
            return _problem(Refusal("malformed", "this signature is none"))
        payload = json.loads(_decoded(signed["payload"]) or b"null")
        self.payloads.append((kind, payload))
        return getattr(self, f"_on_{kind}")(rest, payload, key)  # type: ignore[no-any-return]

    def _on_newAccount(self, _: str, payload: Any, key: JWK) -> Reply:  # noqa: N802
        text = json.dumps(key.public_key().to_json())
        known = next((url for url, one in self.accounts.items() if one == text), "")
        if not known and payload.get("onlyReturnExisting"):
            return _problem(Refusal("accountDoesNotExist"))
        url = known or f"{self.url}/account/{len(self.accounts)}"
        if self.closed.get(url) == "":
            return _problem(Refusal("unauthorized", "this account is closed", status=403))
        self.accounts[url] = text
        if not known:
            self.contacts[url] = payload.get("contact", [])
        account = {"status": self.closed.get(url, "valid"), "contact": self.contacts.get(url, [])}
        account |= {"orders": f"{self.url}/orders"} if self.lists_orders else {}
        return Reply(200 if known else 201, account, {"Location": url})

    def _on_account(self, rest: str, payload: Any, _: JWK) -> Reply:
        url = f"{self.url}/account/{rest}"
        self.told.append((url, payload))
        self.contacts[url] = payload["contact"]
        return Reply(200, {"status": "valid", "contact": payload["contact"]})

    def _on_orders(self, rest: str, *_: Any) -> Reply:
        number = int(rest or 0)
        orders = [f"{self.url}/order/{number}"] if number < len(self.orders) else []
        more = {"Link": f'<{self.url}/orders/{number + 1}>;rel="next"'}
        return Reply(200, {"orders": orders}, more if number + 1 < len(self.orders) else {})

    def _on_newOrder(self, _: str, payload: Any, __: JWK) -> Reply:  # noqa: N802
        number = next((at for at in range(len(self.orders)) if self._is_open(at, payload)), -1)
        if number < 0:
            number = len(self.orders)
            self.orders.append(payload)
            self.proven.append("valid" if self.remembers else "pending")
        return Reply(201, self._order(number), {"Location": f"{self.url}/order/{number}"})

    def _is_open(self, number: int, asked: Any) -> bool:
        open_yet = self.reuses_orders and number not in self.chains
        return open_yet and self.orders[number]["identifiers"] == asked["identifiers"]

    def _on_order(self, rest: str, *_: Any) -> Reply:
        number = int(rest)
        if number in self.chains:
            self.looked[number] = self.looked.get(number, 0) + 1
        return Reply(200, self._order(number), {"Retry-After": self.retry_after})

    def _order(self, number: int) -> dict[str, Any]:
        status = {"pending": "pending", "valid": "ready"}.get(self.proven[number], "invalid")
        more = {}
        if number in self.chains:
            is_done = self.looked.get(number, 0) >= self.processing
            status = "valid" if is_done else "processing"
            more = {"certificate": f"{self.url}/certificate/{number}"} if is_done else {}
        return {
            "status": status,
            "identifiers": self.orders[number]["identifiers"],
            "authorizations": [
                f"{self.url}/authorization/{number}/{at}"
                for at, _ in enumerate(self.orders[number]["identifiers"])
            ],
            "finalize": f"{self.url}/finalize/{number}",
        } | more

    def _on_authorization(self, rest: str, payload: Any, _: JWK) -> Reply:
        number, at = map(int, rest.split("/"))
        if payload:
            self.proven[number], self.remembers = payload["status"], False
        status = self.proven[number]
        identifier = dict(self.orders[number]["identifiers"][at])
        is_wildcard = identifier["value"].startswith("*.")
        identifier["value"] = self.asks_for or identifier["value"].removeprefix("*.")
        challenge = {
            "url": f"{self.url}/challenge/{rest}",
            "status": status,
            "token": f"token-{number}-{at}-of-22-characters",
        } | ({"error": self.failing.body} if self.failing and status == "invalid" else {})
        kinds = ("http-01", "tls-alpn-01")
        challenges: list[dict[str, Any]] = [challenge | {"type": kind} for kind in kinds]
        persistent = challenge | {
            "type": "dns-persist-01",
            "token": "",
            "issuer-domain-names": ["fake.example"],
        }
        return Reply(
            200,
            {
                "identifier": identifier,
                "status": status,
                "wildcard": is_wildcard,
                "challenges": [persistent, *([] if is_wildcard else challenges)],
            },
            {"Retry-After": self.retry_after},
        )

    def _on_challenge(self, rest: str, *_: Any) -> Reply:
        number = int(rest.partition("/")[0])
        if self.proven[number] == "pending":
            self.proven[number] = "invalid" if self.failing else "valid"
        return Reply(200, {"type": "http-01", "status": self.proven[number]})

    def _on_finalize(self, rest: str, payload: Any, _: JWK) -> Reply:
        number = int(rest)
        if number in self.chains:
            return _problem(Refusal("orderNotReady", status=403))
        request = x509.load_der_x509_csr(_decoded(payload["csr"]))
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if self.names:
            asked = x509.SubjectAlternativeName([x509.DNSName(one) for one in self.names])
        start = datetime.now(UTC) + self.starts
        self.chains[number] = [
            one.issue(request.public_key(), asked, start=start, days=90)
            for one in (self.authority, self.other)
        ]
        return Reply(200, self._order(number), {"Retry-After": self.retry_after})

    def _on_certificate(self, rest: str, *__: Any) -> Reply:
        number, _, at = rest.partition("/")
        other = f'<{self.url}/certificate/{number}/1>;rel="alternate"'
        return Reply(200, self.chains[int(number)][int(at or 0)], {} if at else {"Link": other})

    def _on_revokeCert(self, _: str, payload: Any, __: JWK) -> Reply:  # noqa: N802
        if payload["certificate"] in self.revoked:
            return _problem(Refusal("alreadyRevoked"))
        self.revoked.append(payload["certificate"])
        return Reply(200, "")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    issuer: AcmeServer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.issuer.answer(self.command, self.path, body)
        if reply is None:
            self.close_connection = True
            return
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response_only(reply.status)
        date = datetime.now(UTC) + self.issuer.date
        self.send_header("Date", date.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        self.send_header("Replay-Nonce", self.issuer.new_nonce())
        self.send_header("Content-Length", str(len(text.encode())))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


def _problem(refusal: Refusal) -> Reply:
    return Reply(refusal.status, refusal.body)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


def _signed(
    subject: x509.Name,
    key: Any,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    names: x509.SubjectAlternativeName | None = None,
    start: datetime | None = None,
    days: float = 365,
    is_authority: bool = False,
) -> x509.Certificate:
    start = start or datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if names is not None:
        made = made.add_extension(names, critical=False)
    return made.sign(issuer_key, hashes.SHA256())
