"""Providers of dns-lexicon: its client and one of its providers, against a server of this process.

PowerDNS is the provider whose address is an option; here it is a small server of its HTTP interface
that changes the zone of a small DNS server.
"""

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.name
import pytest

from supervisor.adapters.acme.dns import published
from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_lexicon import Lexicon
from supervisor.adapters.acme.dns_servers import resolver_of
from supervisor.model.acme import ZoneAccess
from tests.adapters.acme import small_dns
from tests.adapters.acme.small_dns import Server, Zone

NAME = "_acme-challenge.example.test"
TOKEN = "a token that nobody may see"


@dataclass
class Interface:
    """PowerDNS's, as far as it is used; `status` is what it answers to changes."""

    zone: Zone
    status: int = 204
    forgets: bool = False
    hangs: threading.Event | None = None
    asked: list[str] = field(default_factory=list)

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{request.command} {request.path}")
        size = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(size) or "{}")
        if self.hangs:
            self.hangs.wait(60)
        if request.headers["X-API-Key"] != TOKEN:
            self._answer(request, 401)
        elif request.command == "GET":
            self._answer(request, 200, {"kind": "Native", "rrsets": self._rrsets()})
        else:
            if self.status < 300 and not self.forgets:
                for rrset in body["rrsets"]:
                    texts = {record["content"] for record in rrset["records"]}
                    self.zone.records[rrset["name"].rstrip("."), rrset["type"]] = texts
            self._answer(request, self.status)

    def _rrsets(self) -> list[object]:
        return [
            {
                "name": f"{name}.",
                "type": kind,
                "ttl": 60,
                "records": [{"content": text, "disabled": False} for text in sorted(texts)],
            }
            for (name, kind), texts in self.zone.records.items()
        ]

    def _answer(self, request: BaseHTTPRequestHandler, status: int, body: object = None) -> None:
        content = json.dumps(body).encode() if status != 204 else b""
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(content)


@dataclass
class House:
    interface: Interface
    port: int
    access: ZoneAccess

    def published(self, *values: str, **changes: str):
        fields = {name: getattr(self.access, name) for name in self.access.__struct_fields__}
        return published(
            [(NAME, value) for value in values],
            zones=[ZoneAccess(**(fields | changes))],
            resolvers=[f"127.0.0.1:{self.port}"],
            timeout_seconds=60,
            port=self.port,
        )

    def fails(self, **changes: str) -> DnsError:
        with pytest.raises(DnsError) as caught, self.published("one", **changes):
            pytest.fail("it is published")
        assert TOKEN not in f"{caught.value}{caught.value.hint}"
        return caught.value


@pytest.fixture
def house() -> Iterator[House]:
    zone = small_dns.zone("example.test", {"ns1.example.test": "127.0.0.1"})
    interface = Interface(zone)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            interface.serve(self)

        def do_PATCH(self) -> None:
            interface.serve(self)

        def log_message(self, *words: object) -> None:
            pass

    with (
        small_dns.serving({"127.0.0.1": Server([zone])}) as port,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http,
    ):
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{http.server_address[1]}"
        secret = f"# of the tests\npdns_server={url}\n--auth-token = {TOKEN}\n\n"
        access = ZoneAccess(zone="example.test", provider="powerdns", secret=secret)
        yield House(interface, port, access)
        http.shutdown()
        thread.join()


def test_records_appear_side_by_side_and_go(house: House) -> None:
    zone = house.interface.zone
    zone.put(NAME, "TXT", '"of another"')
    with house.published("one", "two"):
        assert zone.texts(NAME) == {"of another", "one", "two"}
    assert zone.texts(NAME) == {"of another"}
    paths = {path.split()[1].rstrip(".") for path in house.interface.asked}
    assert paths == {"/api/v1/servers/localhost/zones/example.test"}


def test_a_provider_that_lies_is_named(house: House) -> None:
    house.interface.forgets = True
    fields = {name: getattr(house.access, name) for name in house.access.__struct_fields__}
    fields["propagation_seconds"] = 0.2
    house.access = ZoneAccess(**fields)
    assert "powerdns says that the TXT record of" in str(house.fails())


def test_wrong_credentials_are_told_without_them(house: House) -> None:
    secret = house.access.secret.replace("nobody", "everybody")
    error = house.fails(secret=secret)
    assert "cannot change example.test at powerdns: it does not accept the credentials" in str(
        error
    )
    assert "everybody" not in str(error)
    assert '`secret` of [certificates.zones."example.test"]' in error.hint
    assert error.kind is FailureKind.REFUSED


def test_what_the_provider_says_is_told(house: House) -> None:
    house.interface.status = 503
    error = house.fails()
    assert "503" in str(error)
    assert error.kind is FailureKind.PASSING


def test_options_that_are_missing_or_no_options_are_told(house: House) -> None:
    error = house.fails(secret=f"auth_token={TOKEN}")
    assert "pdns_server" in str(error)
    assert "lexicon powerdns --help" in error.hint
    error = house.fails(secret=f"pdns_server=x\n{TOKEN}")
    assert "line 2 of the secret is not OPTION=VALUE" in str(error)
    assert error.kind is FailureKind.REFUSED


def test_a_provider_that_there_is_not(house: House) -> None:
    error = house.fails(provider="cloudfare")
    assert "dns-lexicon has no provider “cloudfare”" in str(error)
    assert "lexicon --help" in error.hint
    assert "did you mean “rfc2136”?" in house.fails(provider="rfc2316").hint
    assert house.fails(provider="rfc2316").kind is FailureKind.REFUSED


def test_a_provider_that_never_answers_is_left_and_what_it_prints_is_no_answer(
    house: House,
) -> None:
    house.interface.hangs = threading.Event()
    stdout = sys.stdout
    lexicon = Lexicon(
        access=house.access,
        resolver=resolver_of([f"127.0.0.1:{house.port}"]),
        timeout_seconds=0.2,
    )
    name = dns.name.from_text(NAME)
    try:
        with pytest.raises(DnsError, match="it did not answer within"):
            lexicon.put(name, ["one"], zone=name.parent())
    finally:
        house.interface.hangs.set()
    assert sys.stdout is stdout


def test_without_dns_lexicon_it_says_how_to_install_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lexicon.client", None)
    error = house.fails()
    assert "is a provider of dns-lexicon, which is not installed" in str(error)
    assert "pipx inject podvisor dns-lexicon" in error.hint
    assert error.kind is FailureKind.REFUSED
