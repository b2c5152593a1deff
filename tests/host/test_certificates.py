"""Certificates on a real host, from Pebble: what runs serves them, and goes on serving."""

import json

from tests.host.certificate_scenes import (
    KEPT,
    PLACE,
    certificates,
    installed,
    load,
    make_image,
    nginx_container,
    nginx_unit,
    run_of,
    served,
)
from tests.host.scenes import active, deploy_folder, events, ready, waiting_of

RENEWALS = 3
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


def test_a_container_serves_what_it_waited_for_and_others_under_traffic(user, acme, port):
    """Reloaded, never restarted; no request fails; what is damaged comes back without an order."""
    make_image(user)
    acme.stop()
    deploy_folder(user, nginx_container(port), more=acme.settings())
    user.wait_for(lambda: certificates(user)["web"].get("error"), what="a first try that failed")
    assert "certificate web: cannot reach the issuer pebble" in " ".join(waiting_of(user, "web"))
    assert not active(user, "web.service")

    acme.resume()
    user.podvisor("certs", "renew", "web", "--now")
    ready(user, "web")
    seen = [served(user, port, acme.trust)]
    assert seen == acme.issued()
    run = run_of(user)

    with load(user, port, acme.trust) as told:
        for _ in range(RENEWALS):
            user.podvisor("certs", "renew", "web")
            seen.append(user.wait_for(lambda: another(user, port, acme, seen), what="another"))
    assert told["lost"] == {}
    assert told["serials"] == seen == acme.issued()
    assert told["sent"]["/slow"] > 1, "there were some in flight"
    assert run_of(user) == run, "it was reloaded"

    before, orders = installed(user), acme.orders()
    folder = user.home / PLACE / "web"
    (folder / "privkey.pem").write_text("broken")
    (folder / "fullchain.pem").unlink()
    user.wait_for(lambda: installed(user) == before, what="what was there")
    assert acme.orders() == orders
    assert served(user, port, acme.trust) == seen[-1]


def another(user, port, acme, seen):
    """What is served now, if it was not before."""
    serial = served(user, port, acme.trust)
    return serial if serial not in ("", *seen) else ""


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
    acme.start(retry_after=(5, 5))
    deploy_folder(user, nginx_unit(user, port), more=acme.settings())
    begun = user.home / KEPT / "web" / "order.json"
    user.wait_for(lambda: begun.exists() and "my-order" in begun.read_text(), what="an order")
    user.systemctl("kill", "--signal=KILL", "podvisor.service")
    ready(user, "web")
    assert acme.orders() == 1
    assert [served(user, port, acme.trust)] == acme.issued()


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
