"""`podvisor certs test` on a real host: what is right, and each thing that is not, in plain words.

Issuers ask at port 80, so names lead to addresses of the loopback that no other user of the host
has: at one of them somebody hands port 80 on to podvisor, at another one a web server answers.
"""

import json

import pytest

from tests.host.certificate_scenes import certificate, certificates, installed
from tests.host.dns_server import DnsServer
from tests.host.scenes import deploy_folder, events, service

PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
IDENTITY = "pebble.example"
STATE = ".local/state/podvisor"
ZONE = """\
@ CAA 0 issue "pebble.example"
web A {here}
closed A {nobody}
proxied A {somebody}
elsewhere A 192.0.2.1
forbidden A {here}
forbidden CAA 0 issue "other.example"
"""
BAD = ("proxied", "elsewhere", "forbidden")


@pytest.fixture
def places(user, acme):
    """Addresses of the user's own: where podvisor is asked, nobody, and somebody else."""
    high, low = divmod(user.uid % 600, 200)
    here, nobody, somebody = (f"127.{network}.{high}.{low + 1}" for network in (80, 81, 82))
    handed, other = f"handed-{user.uid}", f"somebody-{user.uid}"
    run = ("systemd-run", "--quiet", "--collect", "--uid=nobody")
    listen = f"--socket-property=ListenStream={here}:80"
    user.host.run(*run, f"--unit={handed}", listen, PROXY, f"127.0.0.1:{acme.http_port}")
    may = "--property=AmbientCapabilities=CAP_NET_BIND_SERVICE"
    serve = ("python3", "-m", "http.server", "--bind", somebody, "80")
    user.host.run(*run, f"--unit={other}", may, *serve)
    yield {"here": here, "nobody": nobody, "somebody": somebody}
    units = (f"{handed}.socket", f"{handed}.service", f"{other}.service")
    user.host.run("systemctl", "stop", *units, check=False)


@pytest.fixture
def server(user, places):
    server = DnsServer(user=user)
    try:
        yield server.start(example_test=ZONE.format(**places))
    finally:
        server.stop()


def kept(user):
    """All that podvisor remembers, but for its accounts at issuers; and what it installed."""
    files = {
        path.relative_to(user.home): path.read_bytes()
        for path in (user.home / STATE).rglob("*")
        if path.is_file() and "ledger" not in path.name and "acme-accounts" not in path.parts
    }
    return files, installed(user), certificates(user), events(user)


def test_what_is_right_and_what_is_not_is_said_and_nothing_is_changed(user, acme, server, places):
    acme.start(name_server=server.name_server, httpPort=80, caaIdentities=[IDENTITY])
    staging = acme.directory.replace("localhost", "127.0.0.1")
    settings = acme.settings(more=f'staging = "{staging}"')
    settings = settings.replace(acme.name_server, server.name_server)
    bad = (f"Domain={one}.example.test" for one in BAD)
    files = {
        "web/web.certificate": certificate(name="web.example.test"),
        "web/bad.certificate": certificate(*bad, name="closed.example.test"),
        "web/web.service": service(),
    }
    deploy_folder(user, files, more=settings)
    ended = {"bad": "failing", "web": "valid"}
    user.wait_for(
        lambda: {name: one["state"] for name, one in certificates(user).items()} == ended,
        what="what comes of the orders",
    )
    before, orders = kept(user), acme.orders()

    done = user.podvisor("certs", "test", "web")
    assert "✓ order " in done.stdout
    assert "✗" not in done.stdout

    done = user.podvisor("certs", "test", "bad", "--json", check=False)
    found = json.loads(done.stdout)["checks"]
    checks = {(one["what"], one["about"]): one for one in found}
    said = {key: (one.get("state", "ok"), one["message"]) for key, one in checks.items()}
    assert done.returncode == 3

    def of(what, name, place=""):
        state, message = said[what, f"{name}.example.test{place and f' at {place}'}"]
        return f"{state}: {message}"

    nobody, somebody = places["nobody"], places["somebody"]
    assert of("answer", "closed", nobody) == "wrong: nobody listens at port 80"
    answers = of("answer", "proxied", somebody)
    assert answers.startswith("wrong: somebody else answers at port 80: HTTP 404, Server: SimpleHT")
    elsewhere = of("dns", "elsewhere")
    assert elsewhere.startswith("unsure: it leads to 192.0.2.1, and this machine has ")
    forbidden = of("caa", "forbidden")
    assert "let other.example issue certificates" in forbidden
    if forbidden.startswith("wrong"):  # the older Pebble does not say what it is called
        assert f'0 issue "{IDENTITY}"' in checks["caa", "forbidden.example.test"]["hint"]
    else:
        assert "pebble does not say by which name it goes there" in forbidden
    assert of("answer", "forbidden", places["here"]).startswith("ok: ")
    assert said["order", "pebble-staging"][0] == "wrong"

    assert acme.orders() == orders + 2, "those at the other issuer"
    assert kept(user) == before


def test_a_record_that_stays_is_said_and_then_believed(user, acme):
    """By `dns-persist-01`: podvisor says which record to write, and the issuer believes it."""
    acme.start(caaIdentities=[IDENTITY])
    one = certificate("Challenge=dns-persist-01", name="*.example.org")
    files = {"web/web.certificate": one, "web/web.service": service()}
    deploy_folder(user, files, more=acme.settings(more='staging = "pebble"'))
    if user.host.suite == "trixie":  # its Pebble does not have that challenge
        error = user.wait_for(lambda: certificates(user)["web"].get("error"), what="why not")
        assert "does not verify *.example.org by dns-persist-01" in str(error), error
        return
    user.wait_for(lambda: certificates(user)["web"].get("hint"), what="the record to write")
    hint = certificates(user)["web"]["hint"]
    name, _, value = hint.removeprefix("write the record ").partition(" TXT ")
    assert name == "_validation-persist.example.org"

    done = user.podvisor("certs", "test", "web", check=False)
    assert done.returncode == 3
    assert f"{name}. IN TXT {value}" in done.stdout
    assert acme.orders() == 1

    acme.name("set-txt", host=f"{name}.", value=value.strip('"'))
    done = user.podvisor("certs", "test", "web")
    assert f"✓ record  *.example.org: {name} names this account" in done.stdout
    user.podvisor("certs", "renew", "web", "--now")
    assert certificates(user)["web"]["state"] == "valid"
