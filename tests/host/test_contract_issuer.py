"""The Issuer port against Debian's Pebble, which refuses nonces on purpose."""

from pathlib import Path

from tests.host.acme_server import AcmeServer
from tests.host.conftest import User
from tests.host.dns_server import KEY_NAME, SECRET, DnsServer

SCRIPT = Path(__file__).parent / "contracts" / "issuer.py"
CHAOS = "PEBBLE_VA_NOSLEEP=0 PEBBLE_VA_SLEEPTIME=2 PEBBLE_ALTERNATE_ROOTS=2 PEBBLE_CHAIN_LENGTH=3"
"""Validations that take up to a second, and chains to choose from."""
KEYS = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


def tried(user: User, acme: AcmeServer, what: str, *more: str) -> None:
    user.run(
        *("/opt/podvisor/bin/python", "-W", "error", "-", what, acme.directory),
        *(str(acme.http_port), str(acme.tls_port), *more),
        input=SCRIPT.read_text(),
    )


def test_challenges_and_keys(user: User, acme: AcmeServer) -> None:
    acme.start(nonce_rejects=60, environment=CHAOS)
    tried(user, acme, "every")
    assert len(acme.issued()) == 8


def test_records_in_dns(user: User, acme: AcmeServer) -> None:
    server = DnsServer(user=user)
    try:
        server.start()
        acme.start(name_server=server.name_server)
        tried(user, acme, "records", server.primary, KEY_NAME, SECRET)
        assert server.texts("_acme-challenge.example.test") == set()
    finally:
        server.stop()
    assert len(acme.issued()) == 2


def test_chains(user: User, acme: AcmeServer) -> None:
    acme.start(environment="PEBBLE_ALTERNATE_ROOTS=1 PEBBLE_CHAIN_LENGTH=3")
    user.write("acme/other-root.pem", acme.managed("roots/1"))
    tried(user, acme, "chains")


def test_accounts_that_are_bound(user: User, acme: AcmeServer) -> None:
    acme.start(externalAccountBindingRequired=True, externalAccountMACKeys=KEYS)
    tried(user, acme, "bound")


def test_refusals(user: User, acme: AcmeServer) -> None:
    tried(user, acme, "refusals")
    assert len(acme.issued()) == 1  # by somebody who is not trusted


def test_killed_at_each_request(user: User, acme: AcmeServer) -> None:
    # What proves a name is gone with the process: an issuer that looks then fails the order.
    acme.start(environment="PEBBLE_VA_ALWAYS_VALID=1")
    tried(user, acme, "killed")
    assert (acme.orders(), len(acme.issued())) == (1, 1)


def test_killed_while_the_issuer_looks(user: User, acme: AcmeServer) -> None:
    acme.start(nonce_rejects=5)
    tried(user, acme, "killed")
    assert len(acme.issued()) == 1
