"""Certificates on a real host, from Pebble: what runs serves them, and goes on serving."""

import json

from tests.host.certificate_scenes import (
    KEPT,
    PLACE,
    certificates,
    installed,
    nginx_unit,
    run_of,
    served,
)
from tests.host.four_servers import FourServers
from tests.host.scenes import active, deploy_folder, events, ready, waiting_of

RENEWALS = 10
CHALLENGES = """
server {{
    listen 127.0.0.1:{port};
    location /.well-known/acme-challenge/ {{ root {webroot}; }}
}}
"""


def test_the_issuer_of_these_tests_answers(user, acme):
    def asked(*arguments):
        return user.run("curl", "-fsS", "--cacert", acme.authority, *arguments).stdout

    directory = json.loads(asked(acme.directory))
    assert asked("-I", directory["newNonce"]).lower().count("replay-nonce:") == 1
    assert "BEGIN CERTIFICATE" in user.read("acme/root.pem")
    assert acme.requests("/nonce-plz") == ["/nonce-plz"]
    assert acme.orders() == 0
    assert acme.issued() == []


def test_four_servers_serve_what_they_waited_for_and_others_under_traffic(user, acme):
    """Reloaded, never restarted; no request fails; what is damaged comes back without an order."""
    servers = FourServers(user)
    files = servers.files()
    acme.stop()
    deploy_folder(user, files, more=acme.settings())
    user.wait_for(lambda: certificates(user)["web"].get("error"), what="a first try that failed")
    assert "certificate web: cannot reach the issuer pebble" in " ".join(waiting_of(user, "web"))
    assert not active(user, *servers.ports)

    acme.start(reuse=100, retry_after=(0, 0))
    user.podvisor("certs", "renew", "web", "--now")
    ready(user, "web")
    runs = [run_of(user, unit) for unit in servers.ports]

    with servers.asked(acme.trust) as clients:
        for _ in range(RENEWALS):
            user.podvisor("certs", "renew", "web")
            newest = acme.issued()[-1]
            user.wait_for(lambda newest=newest: clients.see(newest), what="all to serve it")
    issued = acme.issued()
    assert len(issued) == 1 + RENEWALS
    for unit, port in servers.ports.items():
        told = clients.told[str(port)]
        assert told["lost"] == {}, unit
        assert told["serials"] == issued, unit
        assert told["sent"]["/slow"] > 2, "there were some in flight"
        assert told["sent"]["kept"] > RENEWALS, "one connection was open"
    assert [run_of(user, unit) for unit in servers.ports] == runs, "they were reloaded"

    before, orders = installed(user), acme.orders()
    folder = user.home / PLACE / "web"
    (folder / "privkey.pem").write_text("broken")
    (folder / "fullchain.pem").unlink()
    user.wait_for(lambda: installed(user) == before, what="what was there")
    assert acme.orders() == orders


def test_one_that_nobody_serves_is_taken_back(user, acme, port):
    """A server that keeps what it had at first: restarted, then it has the former again."""
    home = f"/home/{user.name}"
    copy = f"/bin/sh -c 'test -e {home}/first || cp -rL {home}/{PLACE}/web {home}/first'"
    files = nginx_unit(user, port, folder=f"{home}/first", before=copy)
    deploy_folder(user, files, more=acme.settings())
    ready(user, "web")
    serial, before, run = served(user, port, acme.trust), installed(user), run_of(user)
    assert [serial] == acme.issued()

    done = user.podvisor("certs", "renew", "web", check=False)
    assert (done.returncode, installed(user)) == (3, before), done.stdout
    assert run_of(user) != run
    assert len(acme.issued()) == 2
    stands = certificates(user)["web"]
    assert (stands["state"], str(stands["serial"]).lower()) == ("failing", serial)
    assert "serves the former certificate still" in str(stands["error"])
    ready(user, "web")
    assert served(user, port, acme.trust) == serial
    assert len(acme.issued()) == 2, "it is not tried again by itself"


def test_a_server_that_answers_the_challenge_itself_starts_with_a_stand_in(user, acme, port):
    user.write("webroot/.keep", "")
    webroot = f"/home/{user.name}/webroot"
    challenges = CHALLENGES.format(port=acme.http_port, webroot=webroot)
    files = nginx_unit(user, port, "Standin=yes", more=challenges)
    deploy_folder(user, files, more=acme.settings(webroot=webroot))
    user.wait_for(acme.issued, what="a certificate")
    user.wait_for(lambda: [served(user, port, acme.trust)] == acme.issued(), what="its use")
    ready(user, "web")
    assert [path.name for path in (user.home / "webroot").rglob("*") if path.is_file()] == [".keep"]


def test_an_order_goes_on_after_a_kill(user, acme, port):
    # What proves a name is gone with the process: an issuer that looks then fails the order.
    acme.start(retry_after=(5, 5), environment="PEBBLE_VA_ALWAYS_VALID=1")
    deploy_folder(user, nginx_unit(user, port), more=acme.settings())
    begun = user.home / KEPT / "web" / "order.json"
    user.wait_for(lambda: begun.exists() and "my-order" in begun.read_text(), what="an order")
    user.systemctl("kill", "--signal=KILL", "podvisor.service")
    ready(user, "web")
    assert acme.orders() == 1
    assert [served(user, port, acme.trust)] == acme.issued()


def test_one_that_has_another_name_now_is_not_ordered_anew(user, acme, port):
    files = nginx_unit(user, port)
    deploy_folder(user, files, more=acme.settings())
    ready(user, "web")
    for path in ("nginx.conf", "apps/web/web.service"):
        user.write(path, user.read(path).replace(f"{PLACE}/web", f"{PLACE}/site"))
    (user.home / "apps/web/web.certificate").rename(user.home / "apps/web/site.certificate")
    user.podvisor("sync", check=False)  # a server that is just starting does not answer yet
    user.wait_for(lambda: [served(user, port, acme.trust)] == acme.issued(), what="its use")
    ready(user, "web")

    user.wait_for(lambda: not (user.home / PLACE / "web").exists(), what="the former folder's end")
    assert acme.orders() == 1


def test_podvisors_own_authority_is_one_that_can_be_trusted(user, port):
    deploy_folder(user, nginx_unit(user, port, "Issuer=internal", name="web.home.arpa"))
    ready(user, "web")
    user.write("root.pem", user.podvisor("certs", "root").stdout)

    def seen():
        return served(user, port, f"/home/{user.name}/root.pem", name="web.home.arpa")

    first = seen()
    assert first
    user.podvisor("certs", "renew", "web")
    user.wait_for(lambda: seen() not in ("", first), what="another one, of the same root")


def test_an_issuer_that_is_down_is_said_and_stops_nothing(user, acme, port):
    deploy_folder(user, nginx_unit(user, port), more=acme.settings())
    ready(user, "web")
    serial, run = served(user, port, acme.trust), run_of(user)
    root = user.read("acme/root.pem")
    user.write("former.pem", root)
    acme.stop()
    user.podvisor("certs", "renew", "web", check=False)
    failed = user.wait_for(lambda: certificates(user)["web"].get("error"), what="the reason")
    assert "localhost" in str(failed), failed
    assert certificates(user)["web"]["state"] == "failing"
    assert run_of(user) == run
    assert served(user, port, f"/home/{user.name}/former.pem") == serial
    assert events(user, app="web"), "it is told of"

    acme.resume()  # an issuer that knows neither account nor order
    user.podvisor("certs", "renew", "web", "--now")
    user.wait_for(lambda: served(user, port, acme.trust) == acme.issued()[-1], what="another one")
    assert run_of(user) == run
