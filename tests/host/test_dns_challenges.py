"""Records for dns-01 in the zones of real DNS servers: they appear at all of them, and go."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.host.conftest import User
from tests.host.dns_server import KEY_NAME, SECRET, DnsServer
from tests.host.scenes import deploy_folder, service

SCRIPT = Path(__file__).parent / "contracts" / "dns_published.py"
NAME = "_acme-challenge.example.test"
DELEGATED = "_acme-challenge.www.example.test"
TARGET = "www.acme.example.net"
ALIAS = "_acme-challenge.app.example.test"
"""Of `NEAR`, in the same zone: Pebble asks these servers, which follow no name to another one."""
NEAR = "app.challenges.example.test"
SHOP = "shop.example.test"
"""Below it, all names lead to a web server elsewhere."""
OTHERS = "others"


@dataclass(frozen=True)
class Publisher:
    """A process of the user that publishes records, as the one that talks with an issuer does."""

    user: User
    server: DnsServer

    def start(self, *records: tuple[str, str], timeout_seconds: float = 100, **access: str) -> None:
        user, home = self.user, f"/home/{self.user.name}"
        self.user.write("publish.py", SCRIPT.read_text())
        user.run("mkfifo", f"{home}/until")
        zones = [
            {"zone": zone, "provider": "rfc2136", "server": self.server.primary}
            | {"key_name": KEY_NAME, "secret": SECRET}
            | access
            for zone in self.server.zones
        ]
        asked = {"records": records, "zones": zones, "until": f"{home}/until"}
        asked |= {"resolvers": [self.server.name_server], "timeout_seconds": timeout_seconds}
        user.run(
            *("systemd-run", "--user", "--quiet", f"--property=StandardOutput=file:{home}/said"),
            *("/opt/podvisor/bin/python", "-W", "error", f"{home}/publish.py", json.dumps(asked)),
        )

    def said(self) -> list[dict[str, object]]:
        """Lines that it printed so far."""
        path = self.user.home / "said"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def answer(self) -> dict[str, object]:
        """Its first line, once that is there."""
        return self.user.wait_for(self.said, what="the records to stand, or why not")[0]

    def end(self) -> dict[str, object]:
        """Have it take the records away; gives its last line."""
        self.user.run("sh", "-c", "echo >until")
        return self.user.wait_for(lambda: self.said()[1:], what="the records to be gone")[0]


@pytest.fixture
def server(user):
    """Servers of which the secondary is told of changes."""
    server = DnsServer(user=user)
    try:
        aliases = f"{DELEGATED}. CNAME {TARGET}.\n{ALIAS}. CNAME {NEAR}.\n{NEAR}. TXT {OTHERS}"
        aliases += f"\n*.{SHOP}. CNAME web.example.net."
        yield server.start(example_test=aliases)
    finally:
        server.stop()


@pytest.fixture
def publisher(user, server):
    return Publisher(user, server)


def test_records_stand_at_both_servers_and_go(publisher, server):
    publisher.start((NAME, "apex"), (NAME, "wildcard"), (DELEGATED, "delegated"))
    assert publisher.answer() == {"standing": True}
    assert server.texts(NAME) == {"apex", "wildcard"}
    assert server.texts(NAME, at="secondary") == {"apex", "wildcard"}
    assert server.texts(TARGET, zone="acme.example.net", at="secondary") == {"delegated"}
    assert server.texts(DELEGATED) == set()
    assert publisher.end() == {"left": []}
    assert server.texts(NAME) == set()
    assert server.texts(TARGET, zone="acme.example.net") == set()


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"secret": "b3RoZXI="}, "it has another secret for it (BADSIG)"),
        ({"key_name": "nobody"}, "knows no such key"),
        ({"key_algorithm": "hmac-sha512"}, "(hmac-sha512) is refused"),
    ],
)
def test_a_wrong_key_is_told(publisher, server, access, said):
    publisher.start((NAME, "one"), **access)
    answer = publisher.answer()
    assert said in str(answer["error"])
    assert answer["kind"] == "refused"
    assert "`secret` of [certificates.zones" in str(answer["hint"])
    assert server.texts(NAME) == set()


@pytest.fixture
def lagging(user):
    """Servers of which the secondary hears of nothing."""
    server = DnsServer(user=user, follows=False)
    try:
        yield server.start()
    finally:
        server.stop()


def test_a_secondary_that_lags_is_waited_for(user, lagging):
    publisher = Publisher(user, lagging)
    publisher.start((NAME, "one"))
    user.wait_for(lambda: lagging.texts(NAME) == {"one"}, what="the record at the primary")
    assert lagging.texts(NAME, at="secondary") == set()
    assert publisher.said() == []
    lagging.follow()
    assert publisher.answer() == {"standing": True}
    assert publisher.end() == {"left": []}


def test_a_secondary_that_does_not_follow_is_named(user, lagging):
    publisher = Publisher(user, lagging)
    publisher.start((NAME, "one"), timeout_seconds=2)
    answer = publisher.answer()
    assert f"the TXT record of {NAME} is not on every server of example.test" in str(
        answer["error"]
    )
    assert f"ns2.example.test ({lagging.secondary}, UDP)" in str(answer["error"])
    assert "ns1" not in str(answer["error"])
    assert lagging.texts(NAME) == set()


def test_a_wildcard_its_apex_and_a_delegated_name_are_certified(user, server, acme):
    """From the settings to the files: what an issuer looks at stands in DNS, and is gone then."""
    acme.start(name_server=server.name_server)
    resolvers = f'resolvers = ["{acme.name_server}"]'
    assert resolvers in acme.settings()
    settings = acme.settings().replace(resolvers, f'resolvers = ["{server.name_server}"]')
    domains = ("*.example.test", "example.test", "app.example.test", f"*.{SHOP}")
    asks = ["[Certificate]", "Challenge=dns-01", *(f"Domain={domain}" for domain in domains)]
    files = {"web/web.certificate": "\n".join(asks) + "\n", "web/web.service": service()}
    deploy_folder(user, files, more=settings + server.settings)
    folder = f"/home/{user.name}/.local/share/podvisor/certificates/web"
    installed = user.home / ".local/share/podvisor/certificates/web/fullchain.pem"
    user.wait_for(installed.is_symlink, what="the certificate")
    said = user.run(
        *("openssl", "x509", "-in", f"{folder}/fullchain.pem", "-noout"),
        *("-ext", "subjectAltName"),
    ).stdout
    names = {word.strip().removeprefix("DNS:") for word in said.splitlines()[1].split(",")}
    assert names == {*domains}
    assert acme.orders() == 1
    assert (server.texts(NAME), server.texts(NEAR)) == (set(), {OTHERS})

    tried = user.podvisor("certs", "test", "web", check=False).stdout.splitlines()
    zone = "in the zone example.test, which is changed by rfc2136"
    leads = f"its record belongs {ALIAS} leads to {NEAR}, {zone} ({server.primary})"
    assert f"✓ zone    app.example.test: {leads}" in tried
    seen = "every server of the zone showed it, and it was taken away"
    assert f"✓ record  example.test: {seen}" in tried
    left = f'{seen}; _acme-challenge.app.example.test holds others: "{OTHERS}"'
    assert f"! record  app.example.test: {left}" in tried
    assert acme.orders() == 1
    assert (server.texts(NAME), server.texts(NEAR)) == (set(), {OTHERS})
