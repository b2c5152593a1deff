"""A machine's own authority on a real host: trusted by the system's list, as the how-to has it."""

import json
import re
import stat
from pathlib import Path

import pytest

from tests.host.scenes import active, deploy_folder, ready

PAGE = Path(__file__).parents[2] / "docs/how-to/run-your-own-authority.md"
ROOT_FILE = "podvisor-root.crt"
NAME = "web.home.arpa"
PLACE = ".local/share/podvisor/certificates/web"
SERVER = """\
import http.server, signal, ssl
Handler = http.server.SimpleHTTPRequestHandler
server = http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
def load(*_):
    context.load_cert_chain("{home}/{place}/combined.pem")
load()
signal.signal(signal.SIGHUP, load)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
UNIT = """\
[Service]
ExecStart=/usr/bin/python3 {home}/server.py
ExecReload=/bin/kill -HUP $MAINPID

[Install]
WantedBy=default.target
"""
KEEPER = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

[Install]
WantedBy=default.target
"""
CERTIFICATE = """\
[Certificate]
Issuer=internal
Domain={name}
Domain=127.0.0.1
Reload=web.service
Check=https://127.0.0.1:{port}
"""


def command(word):
    """The block of the page that has this word."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [one for one in blocks if word in one]
    return found.replace("sudo ", "")


@pytest.fixture
def trusting(user, host):
    """Has the host trust the authority, as the page says for Debian; takes it back in the end."""

    def trust():
        user.run("bash", "-ec", command("podvisor certs root"))
        host.run("bash", "-ec", f"cd /home/{user.name}\n{command('update-ca-certificates')}")

    yield trust
    host.run("rm", "-f", f"/usr/local/share/ca-certificates/{ROOT_FILE}")
    host.run("update-ca-certificates", "--fresh")


def asked(user, port, host=NAME):
    """What curl says of a server that it is to trust: nothing if it does."""
    url = f"https://{host}:{port}/server.py"
    resolved = f"{host}:{port}:127.0.0.1"
    done = user.run(
        *("curl", "-sS", "--noproxy", "*", "--resolve", resolved, "-o", "/dev/null", url),
        check=False,
    )
    return done.stderr.strip()


def standing(user):
    done = user.podvisor("certs", "--json", check=False)
    (found,) = json.loads(done.stdout)["certificates"]
    return found


def test_it_is_trusted_once_and_signs_for_no_others(user, port, trusting):
    home = f"/home/{user.name}"
    user.write("server.py", SERVER.format(port=port, home=home, place=PLACE))
    files = {
        "web/web.certificate": CERTIFICATE.format(name=NAME, port=port),
        "web/web.service": UNIT.format(home=home),
    }
    deploy_folder(user, files)
    ready(user, "web")
    user.wait_for(lambda: standing(user)["state"] == "valid", what="its use")
    assert "certificate" in asked(user, port), "nobody trusts it yet"
    trusting()
    assert asked(user, port) == ""
    assert asked(user, port, "127.0.0.1") == ""

    serial = standing(user)["serial"]
    user.podvisor("certs", "renew", "web")
    user.wait_for(lambda: standing(user)["serial"] != serial, what="another one")
    assert asked(user, port) == "", "by the same authority"

    place = user.home / PLACE
    (place / "combined.pem").chmod(0o644)
    user.podvisor("sync")
    user.wait_for(
        lambda: stat.S_IMODE((place / "combined.pem").stat().st_mode) == 0o600,
        what="a key that is its user's alone",
    )

    user.write("apps/web/web.certificate", CERTIFICATE.format(name="www.example.org", port=port))
    said = user.wait_for(lambda: standing(user).get("error"), what="word of what it may not sign")
    assert "may not sign for www.example.org" in said
    assert "home.arpa" in standing(user)["hint"]
    assert active(user, "web.service")
    assert asked(user, port) == "", "what is served stays"


def test_one_of_ones_own_stands_encrypted_in_the_repository(user, port):
    """Its key comes with an app; `certs root` prints its certificate."""
    home = f"/home/{user.name}"
    user.write("server.py", SERVER.format(port=port, home=home, place=PLACE))
    user.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "30", "-subj", "/CN=Ours", "-keyout", f"{home}/key.pem"),
        *("-addext", "keyUsage=critical,keyCertSign", "-out", f"{home}/root.pem"),
    )
    user.podvisor("secret", "init")
    user.write("apps/keys/keys.service", KEEPER)
    encrypt = f"cat {home}/key.pem {home}/root.pem | podvisor secret encrypt --app {home}/apps/keys"
    user.run("bash", "-ec", f"{encrypt} ca")
    user.run("rm", f"{home}/key.pem")
    deploy_folder(user, {}, more='[certificates]\ninternal_key = "podman:ca"\n')
    there = ("podman", "secret", "exists", "ca")
    user.wait_for(lambda: user.run(*there, check=False).returncode == 0, what="the key")
    certificate = CERTIFICATE.format(name="www.corp.example", port=port)
    user.write("apps/web/web.certificate", certificate)
    user.write("apps/web/web.service", UNIT.format(home=home))
    ready(user, "keys", "web")
    user.wait_for(lambda: standing(user)["state"] == "valid", what="its use")
    assert user.podvisor("certs", "root").stdout == user.read("root.pem")
    place = f"{home}/{PLACE}"
    user.run("openssl", "verify", "-CAfile", f"{home}/root.pem", f"{place}/cert.pem")
    assert not (user.home / ".local/state/podvisor/authority").exists()
