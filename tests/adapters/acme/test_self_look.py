"""Who answers for a name, as an issuer would see it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from supervisor.adapters.acme.proofs import Proof, shown
from supervisor.adapters.acme.self_look import Seen, look
from supervisor.core.x509.keys import key_pem, new_key
from supervisor.model.acme import AcmeIssuer, Order
from supervisor.model.certificate import CertificateTerms, Challenge, KeyType
from tests.fakes.acme_server import Authority, x509
from tests.fakes.handshakes import TlsServer

PROOF = Proof("www.example.org", "token-1", "token-1.thumbprint")
HOME = "127.0.0.1"


def order(challenge: Challenge) -> Order:
    return Order(
        name="web",
        folder="/state/web",
        accounts="/state/accounts",
        issuer=AcmeIssuer(name="fake", directory="https://fake.example/directory"),
        terms=CertificateTerms(domains=("www.example.org",)),
        challenge=challenge,
        listen=f"{HOME}:0",
    )


@contextlib.contextmanager
def somebody(status: int = 404, body: str = "", **headers: str) -> Iterator[int]:
    """A web server that says that to everybody; gives its port, for which `PORT` stands."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "nginx/1.28", ""

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value.replace("PORT", str(port)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((HOME, 0), Handler)
    port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("challenge", [Challenge.HTTP, Challenge.TLS_ALPN])
def test_what_an_issuer_looks_for_is_seen(challenge: Challenge) -> None:
    with shown([PROOF], order(challenge), timeout_seconds=10) as port:
        assert look(PROOF, HOME, challenge, port=port) == Seen("")
        other = Proof(PROOF.domain, PROOF.token, "token-1.another")
        assert look(other, HOME, challenge, port=port).word == "unauthorized"


@pytest.mark.parametrize("challenge", [Challenge.HTTP, Challenge.TLS_ALPN])
def test_a_closed_port_is_said(challenge: Challenge) -> None:
    with socket.socket() as bound:
        bound.bind((HOME, 0))
        port = bound.getsockname()[1]
        seen = look(PROOF, HOME, challenge, port=port)
    assert seen == Seen(f"nobody listens at port {port}", "connection")


def test_a_server_of_somebody_else_is_described() -> None:
    with somebody() as port:
        seen = look(PROOF, HOME, Challenge.HTTP, port=port)
    said = f"somebody else answers at port {port}: HTTP 404, Server: nginx/1.28"
    assert seen == Seen(said, "unauthorized")


def test_a_page_for_everything_is_no_proof() -> None:
    with somebody(200, "welcome") as port:
        assert "HTTP 200" in look(PROOF, HOME, Challenge.HTTP, port=port).said


def test_where_it_sends_to_is_said() -> None:
    with somebody(301, Location="https://other.example.org/x") as port:
        seen = look(PROOF, HOME, Challenge.HTTP, port=port)
    assert seen.said.endswith("Server: nginx/1.28, and sends to https://other.example.org/x")


def test_a_way_to_https_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("Else")
    key = new_key(KeyType.ECDSA_P256)
    names = x509.SubjectAlternativeName([x509.DNSName(PROOF.domain)])
    start = authority.certificate.not_valid_before_utc
    chain = authority.issue(key.public_key(), names, start=start, days=1)
    with (
        TlsServer(chain, key_pem(key)) as secured,
        somebody(308, Location="https://www.example.org/x") as port,
    ):
        monkeypatch.setattr("supervisor.adapters.acme.self_look.TLS_PORT", secured)
        seen = look(PROOF, HOME, Challenge.HTTP, port=port)
    assert seen.word, "nobody serves anything there"


def test_a_circle_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with somebody(302, Location="/again") as port:
        monkeypatch.setattr("supervisor.adapters.acme.self_look.HTTP_PORT", port)
        seen = look(PROOF, HOME, Challenge.HTTP, port=port)
    assert f"what answers at port {port} sends in a circle" in seen.said


def test_what_speaks_something_else_is_said() -> None:
    with socket.create_server((HOME, 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.sendall(b"220 mail.example.org ESMTP\r\n")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = server.getsockname()[1]
        seen = look(PROOF, HOME, Challenge.HTTP, port=port)
        thread.join()
    assert f"port {port}" in seen.said
    assert seen.word


def test_tls_that_somebody_else_ends_is_said() -> None:
    authority = Authority("Else")
    key = new_key(KeyType.ECDSA_P256)
    names = x509.SubjectAlternativeName([x509.DNSName(PROOF.domain)])
    start = authority.certificate.not_valid_before_utc
    chain = authority.issue(key.public_key(), names, start=start, days=1)
    with TlsServer(chain, key_pem(key)) as port:
        seen = look(PROOF, HOME, Challenge.TLS_ALPN, port=port)
    assert seen.said.startswith(f"somebody else answers at port {port}: a server that ends TLS")
    assert seen.word == "unauthorized"


def test_one_that_answers_for_ever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.adapters.acme.self_look._ANSWER_SECONDS", 0.3)
    with socket.create_server((HOME, 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    connection.sendall(b"X: y\r\n")
                    if connection.recv(1 << 16) == b"":
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        seen = look(PROOF, HOME, Challenge.HTTP, port=server.getsockname()[1])
        thread.join(60)
    assert seen.word
