"""What Debian's certbot, lego and Caddy left is taken over, and nothing is ordered anew."""

import json
import re
from pathlib import Path

from tests.fakes.client_folders import Caddy, Certbot, CertificateAuthority, Lego, rsa_key
from tests.host.certificate_scenes import certificates, nginx_unit, served
from tests.host.scenes import deploy_folder, ready

WEB, LEGO, CADDY = "www.example.org", "lego.example.org", "caddy.example.org"
ACCOUNTS = re.compile(r"There are now (\d+) accounts")
EMAIL = "me@example.org"
CADDYFILE = """
{{
	admin off
	http_port {acme.http_port}
	https_port {acme.tls_port}
	acme_ca {acme.directory}
	acme_ca_root {acme.authority}
	email {email}
}}
{name} {{
	respond here
}}
"""
CONF = re.compile(r"^([a-z_0-9]+) = ", re.MULTILINE)
LABEL = re.compile(r"-----BEGIN ([A-Z ]+)-----")


def issue_by_all(user, acme):
    """Have each of them issue one; returns their folders, inside."""
    home = f"/home/{user.name}"
    trust = {"REQUESTS_CA_BUNDLE": acme.authority, "LEGO_CA_CERTIFICATES": acme.authority}
    # By another name of the same issuer: two accounts, of which podvisor can have both.
    other = acme.directory.replace("localhost", "127.0.0.1")
    folders = {name: f"{home}/le/{name}" for name in ("config", "work", "logs")}
    certbot = ["certbot", "certonly", "--standalone", "--non-interactive", "--agree-tos"]
    certbot += [f"--{name}-dir={folder}" for name, folder in folders.items()]
    certbot += [f"--http-01-port={acme.http_port}", f"--server={acme.directory}"]
    user.run(*certbot, f"--email={EMAIL}", "--key-type=rsa", f"--domain={WEB}", env=trust)
    lego = ["lego", f"--path={home}/.lego", f"--server={other}", f"--email={EMAIL}", "--accept-tos"]
    lego += ["--http", f"--http.port=127.0.0.1:{acme.http_port}", f"--domains={LEGO}", "run"]
    user.run(*lego, env=trust)
    user.write("Caddyfile", CADDYFILE.format(acme=acme, email=EMAIL, name=CADDY))
    caddy = ["caddy", "run", f"--config={home}/Caddyfile", "--adapter=caddyfile"]
    user.run("systemd-run", "--user", "--quiet", "--unit=caddy", "--", *caddy)
    place = user.home / ".local/share/caddy/certificates"
    user.wait_for(lambda: [*place.glob("*/*/*.json")], what="Caddy's certificate")
    user.systemctl("stop", "caddy.service")
    return f"{home}/le/config", f"{home}/.lego", f"{home}/.local/share/caddy"


def shape(root):
    """Relative path to what a file there is made of."""
    shapes = {}
    for path in sorted(Path(root).rglob("*")):
        if path.is_symlink():
            found = {str(path.readlink())}
        elif path.is_dir():
            continue
        elif path.suffix == ".json":
            found = set(json.loads(path.read_text()))
        else:
            text = path.read_text()
            found = {*CONF.findall(text), *LABEL.findall(text)}
        shapes[str(path.relative_to(root))] = found
    return shapes


def check_fakes(user, acme, tmp_path):
    """The folders of the fast tests are as the real ones; these may say more."""
    authority = CertificateAuthority()
    made = authority.issue(WEB, key=rsa_key())
    certbot, lego = Certbot(tmp_path / "certbot"), Lego(tmp_path / "lego")
    caddy = Caddy(tmp_path / "caddy")
    (account,) = (user.home / "le/config/accounts").glob("*/*/*")
    certbot.account(server=acme.directory, name=account.name)
    certbot.certificate(made, WEB)
    lego.server = f"127.0.0.1_{acme.port}"
    lego.account()
    lego.certificate(authority.issue(LEGO), LEGO)
    caddy.issuer = f"localhost-{acme.port}-dir"
    caddy.account()
    caddy.certificate(authority.issue(CADDY), CADDY)
    places = (("le/config", certbot), (".lego", lego), (".local/share/caddy", caddy))
    for place, fake in places:
        real = shape(user.home / place)
        for path, parts in shape(fake.root).items():
            assert parts <= real.get(path, set()), (path, parts, real)


def imported(user, path, *options, code=0):
    done = user.podvisor("certs", "import", path, "--json", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def accounts(acme):
    """How many the issuer knows."""
    return int(ACCOUNTS.findall(acme.log())[-1])


def test_what_other_clients_left_is_served_and_renewed_by_their_accounts(
    user, acme, port, tmp_path
):
    acme.start(retry_after=(0, 0))  # Debian's Caddy gives up where that is a date
    certbot, lego, caddy = issue_by_all(user, acme)
    check_fakes(user, acme, tmp_path)
    left = acme.issued()
    assert (len(left), accounts(acme), acme.orders()) == (3, 3, 3)
    other = acme.directory.replace("localhost", "127.0.0.1")
    more = (
        f'\n[certificates.issuers.other]\ndirectory = "{other}"\nauthority = "{acme.authority}"\n'
    )
    settings = acme.settings(more=more)
    user.write(".config/podvisor/config.toml", settings)

    refused = user.podvisor("certs", "import", "/root", check=False)
    assert refused.returncode == 1
    assert "sudo cp -a /root ~/root-copy" in refused.stderr

    # Without a daemon: what is printed is what is deployed.
    files = nginx_unit(user, port)
    del files["web/web.certificate"]
    for path, name in ((certbot, "web"), (lego, "lego")):
        found = imported(user, path)
        assert [one["outcome"] for one in found["accounts"]] == ["taken"]
        (one,) = found["certificates"]
        files[f"web/{name}.certificate"] = one["text"]
    assert "KeyType=rsa-2048\n" in files["web/web.certificate"]
    assert "Issuer=other\n" in files["web/lego.certificate"]
    deploy_folder(user, files, more=settings)
    ready(user, "web")
    stand = certificates(user)
    assert [stand["web"]["serial"].lower(), stand["lego"]["serial"].lower()] == left[:2]
    assert served(user, port, acme.trust) == left[0]

    # With one: it waits for a file, and Caddy's account is in the place of certbot's.
    found = imported(user, caddy)
    assert [one["outcome"] for one in found["accounts"]] == ["left"]
    (one,) = found["certificates"]
    user.write("apps/web/caddy.certificate", one["text"])
    user.wait_for(lambda: "caddy" in certificates(user), what="that it is asked for")
    user.wait_for(lambda: certificates(user)["caddy"].get("serial"), what="Caddy's certificate")
    assert certificates(user)["caddy"]["serial"].lower() == left[2]
    assert acme.orders() == 3, "nothing was ordered"

    user.podvisor("certs", "renew", "web")
    # nginx's reload has ended before its processes have.
    user.wait_for(lambda: served(user, port, acme.trust) == acme.issued()[3], what="its use")
    found = imported(user, caddy, "--replace")
    assert [one["outcome"] for one in found["accounts"]] == ["taken"]
    assert found["certificates"][0]["used_as"] == "caddy"
    user.podvisor("certs", "renew", "caddy")
    assert (len(acme.issued()), acme.orders()) == (5, 5)
    assert accounts(acme) == 3, "all was ordered by accounts that were there"
