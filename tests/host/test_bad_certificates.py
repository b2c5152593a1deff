"""Certificates that cannot be had on a real host: what is said of it, and that nothing is lost."""

import time

import pytest

from tests.host.certificate_scenes import (
    KEPT,
    PLACE,
    certificates,
    nginx_unit,
    run_of,
    served,
)
from tests.host.conftest import CHECKOUT, PATIENCE_SECONDS, pause
from tests.host.dns_server import DnsServer
from tests.host.scenes import WANTED, deploy_folder, events, ready, states

SCRIPT = CHECKOUT / "tests/host/troubles.py"
ZONE = "home.arpa"
HOOK = """\
#!/bin/sh
test "$1" = present || exit 0
{}
"""
HOOKS = {
    "hangs": "sleep 1000",
    "lies": "true",
    "errs": """\
for step in "begin {zone}" "set {zone} $2. 60 TXT else" "commit {zone}"; do
    /usr/sbin/knotc --socket=$HOME/dns/primary/knot.sock zone-$step
done""",
}
ISSUER = '[certificates.issuers.{}]\ndirectory = "https://localhost:{}/dir"\nauthority = "{}"\n'
ISSUERS = ("nonces", "limits", "name", "ahead", "early")
HTTP, DNS = "Issuer=pebble", "Issuer=pebble\nChallenge=dns-01"
LIES = f"{{}} says that the TXT record of _acme-challenge.{{}}.{ZONE} is in DNS, and no server of"
CASES = {
    "hangs": (DNS, "/hangs: `present` did not end within", "run it by hand"),
    "lies": (DNS, LIES.format("hook", "lies"), "raise its `propagation`"),
    "errs": (DNS, "shows it after 1s, but “else”: ns1", "raise its `propagation`"),
    "drops": (DNS, LIES.format("rfc2136", "drops"), '[certificates.zones."drops.home.arpa"]'),
    "nowhere": (HTTP, "pebble could not verify nowhere.home.arpa by http-01", "127.0.0.9"),
    "nonces": ("Issuer=nonces", "the issuer refuses each request as an old one", ""),
    "limits": ("Issuer=limits", "the issuer's limits are used up (too many certificates", ""),
    "name": ("Issuer=name", "cannot be used: ", ""),
    "ahead": ("Issuer=ahead", "366 days behind the clock of the issuer ahead", "timedatectl"),
    "early": ("Issuer=early", "its own certificate is not trusted", "timedatectl"),
    "locked": (HTTP, "/locked: Permission denied", ""),
    "full": (HTTP, "/full: disk full", ""),
    "kept": (HTTP, "cannot keep certificate kept in ", ""),
}
"""Certificate to what it asks for when trouble begins, what is said then, and what to do."""
MENDED = ("locked", "full", "kept")


def place_of(name):
    return f"~/{name}" if name in ("locked", "full") else f"~/{PLACE}/{name}"


def app(terms):
    """The files of an app with all of these certificates."""
    uses = [f"Environment=FOLDER_{name}={place_of(name)}".replace("~", "%h") for name in terms]
    files = {
        "web/web.service": "\n".join(("[Service]", "ExecStart=/bin/sleep infinity", *uses, WANTED))
    }
    for name, asked in terms.items():
        lines = ["[Certificate]", f"Domain={name}.{ZONE}", asked]
        if name in ("locked", "full"):
            lines.append(f"Directory={place_of(name)}")
        files[f"web/{name}.certificate"] = "\n".join(lines) + "\n"
    return files


@pytest.fixture
def server(user):
    server = DnsServer(user=user, zones=(ZONE,))
    try:
        yield server.start(home_arpa="nowhere A 127.0.0.9")
    finally:
        server.stop()


@pytest.fixture
def disk(user):
    """`disk(path, pages)`: a disk of that size at a path of the user's, or another size of it."""
    made = []

    def mount(path, pages):
        inside = f"/home/{user.name}/{path}"
        options = f"size={4 * pages}k"
        if path in made:
            user.host.run("mount", "-o", f"remount,{options}", inside)
            return
        user.run("mkdir", "-p", inside)
        options += f",mode=700,uid={user.uid},gid={user.uid}"
        user.host.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", inside)
        made.append(path)

    yield mount
    for path in made:
        user.host.run("umount", "--lazy", f"/home/{user.name}/{path}")


def start_troubles(user, acme, *troubles):
    """Have those be there who are at fault; returns trouble to port."""
    ports = {trouble: user.port + number for number, trouble in enumerate(troubles)}
    script = user.write(SCRIPT.name, SCRIPT.read_text())
    home = f"/home/{user.name}"
    pairs = [f"{port}={trouble}" for trouble, port in ports.items()]
    user.run(
        *("systemd-run", "--user", "--quiet", "--unit=troubles", "python3"),
        *(f"{home}/{script.name}", f"{home}/acme", str(acme.port), *pairs),
    )
    ask = "until curl --silent --insecure --output /dev/null {}; do sleep 0.05; done"
    for trouble, port in ports.items():
        if trouble != "drops":
            user.run("bash", "-c", ask.format(f"https://localhost:{port}/dir"))
    return ports


def test_what_cannot_be_had_is_said_and_what_there_is_stays(user, acme, server, disk):
    """Each has one to begin with; then each has a trouble of its own."""
    acme.start(name_server=server.name_server)
    ports = start_troubles(user, acme, *ISSUERS, "drops")
    settings = acme.settings().replace(
        f'resolvers = ["{acme.name_server}"]',
        f'resolvers = ["{server.name_server}"]\ntimeout = "15s"',
    )
    for name in ISSUERS:
        settings += ISSUER.format(name, ports[name], acme.authority)
    for name, text in HOOKS.items():
        user.write(name, HOOK.format(text.format(zone=ZONE)), mode=0o755)
        settings += f'[certificates.zones."{name}.{ZONE}"]\nprovider = "hook"\nhook = "~/{name}"\n'
        settings += 'propagation = "1s"\n'
    settings += f'[certificates.zones."drops.{ZONE}"]\nprovider = "rfc2136"\n'
    settings += f'server = "127.0.0.1:{ports["drops"]}"\npropagation = "1s"\n'
    disk("full", 7)  # what is there takes six
    disk(f"{KEPT}/kept", 5)  # what is kept takes two, an order under way two more and one at times
    deploy_folder(user, app(dict.fromkeys(CASES, "Issuer=internal")), more=settings)
    ready(user, "web")
    run = run_of(user)
    before = {name: all_of(user, name) for name in CASES}

    (user.home / "locked").chmod(0o500)
    for path, text in app({name: case[0] for name, case in CASES.items()}).items():
        user.write(f"apps/{path}", text)
    user.podvisor("sync", check=False)

    hear_of_all(user)
    assert {name: all_of(user, name) for name in CASES} == before
    assert run_of(user) == run
    assert states(user) == {"web": "ready"}

    issued = acme.issued()
    assert len(issued) == len(MENDED) + 1, "and the one for another name"
    (user.home / "locked").chmod(0o700)
    disk("full", 100)
    disk(f"{KEPT}/kept", 100)
    open_to_all = user.home / PLACE / "early/privkey.pem"
    open_to_all.chmod(0o644)
    user.podvisor("certs", "renew", "kept", "--now", check=False)
    user.podvisor("sync", check=False)
    user.wait_for(
        lambda: all(certificates(user)[name]["state"] == "valid" for name in MENDED),
        what="all three",
    )
    assert acme.issued() == issued, "nothing is ordered twice"
    assert open_to_all.stat().st_mode & 0o777 == 0o600


def hear_of_all(user):
    began = time.monotonic()
    while left := [*unsaid(user)]:
        if (waited := time.monotonic() - began) > PATIENCE_SECONDS:
            pytest.fail("\n".join(left))
        time.sleep(pause(waited))


def unsaid(user):
    """What is said of those of which something else is to be said."""
    known = certificates(user)
    for name, (_, said, hint) in CASES.items():
        heard = known[name].get("error", ""), known[name].get("hint", "")
        if said not in heard[0] or hint not in heard[1]:
            yield f"{name}: {heard}"


def all_of(user, name):
    """What is installed of a certificate."""
    folder = user.home / place_of(name).removeprefix("~/")
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_one_that_is_declared_void_is_replaced_and_a_reload_that_fails_is_a_restart(user, acme):
    """The issuer says so by when it is to be renewed: at once. Its server serves the other one."""
    (port,) = start_troubles(user, acme, "void").values()
    settings = acme.settings() + ISSUER.format("void", port, acme.authority)
    files = nginx_unit(user, port + 1, "Issuer=void")
    unit = files["web/web.service"]
    files["web/web.service"] = unit.replace("/bin/kill -HUP $MAINPID", "/bin/false")
    assert files["web/web.service"] != unit
    deploy_folder(user, files, more=settings)
    user.wait_for(lambda: len(acme.issued()) > 1, what="another one")
    newest = acme.issued()[1]
    user.wait_for(lambda: served(user, port + 1, acme.trust) == newest, what="its use")
    ready(user, "web")
    user.wait_for(lambda: certificates(user)["web"]["state"] == "valid", what="an end of it")
    assert len(acme.issued()) == 2, "that one is not void"
    # Whether the first was seen to be served before that is the machine's affair; it has no detail.
    told = [one["detail"] for one in events(user, kind="certificate") if one.get("detail")]
    assert told[1] == "its issuer suggests to renew it now (https://example.org/declared-void)"
    assert "cannot reload web.service" in told[2]
