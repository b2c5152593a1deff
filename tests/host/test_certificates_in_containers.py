"""Certificates of containers: as Podman's secrets, and for one that does not run as root."""

import base64
import json

from tests.host.certificate_scenes import (
    ALONE,
    IMAGE,
    PLACE,
    SERVER,
    certificate,
    certificates,
    make_image,
    run_of,
    served,
)
from tests.host.scenes import WANTED, deploy_folder, events, ready

NAME = "web.home.arpa"
ASKS = ("Issuer=internal", "Secret=tls", "Owner=999:998")
FILES = {"key": "privkey.pem", "crt": "fullchain.pem"}


def container(port, *lines):
    unit = (
        "[Container]",
        f"Image={IMAGE}",
        f"PublishPort=127.0.0.1:{port}:8443",
        "Volume=./nginx:/nginx:ro",
        "Tmpfs=/work",
        "Exec=nginx -c /nginx/nginx.conf -e stderr",
        *lines,
    )
    return "\n".join(unit) + "\n" + WANTED


def secret(user, name):
    """What Podman has."""
    asked = ("podman", "secret", "inspect", "--showsecret", name)
    found = json.loads(user.run(*asked, check=False).stdout or "[]")
    return found[0]["SecretData"] if found else ""


def test_a_container_with_its_certificate_in_secrets_and_one_as_another_user(user, port):
    """What is damaged or removed comes back, and nothing restarts; for another one both do."""
    make_image(user)
    server = SERVER.format(listen=8443, name=NAME, folder="/tls", www="/")
    held = (f"Secret=tls.{of},type=mount,target=/tls/{file}" for of, file in FILES.items())
    checks = (f"Check=https://localhost:{one}" for one in (port, port + 1))
    files = {
        "web/web.certificate": certificate(*ASKS, *checks, name=NAME),
        "web/held.container": container(port, *held),
        "web/other.container": container(
            port + 1, "User=999", "Group=998", f"Volume=%h/{PLACE}/web:/tls:ro"
        ),
        "web/nginx/nginx.conf": ALONE.format(home="/work", servers=server),
    }
    deploy_folder(user, files)
    ready(user, "web")
    user.write("root.pem", user.podvisor("certs", "root").stdout)

    def seen():
        roots = f"/home/{user.name}/root.pem"
        return {served(user, one, roots, name=NAME) for one in (port, port + 1)}

    def runs():
        return [run_of(user, f"{one}.service") for one in ("held", "other")]

    def owner():
        place = f"/home/{user.name}/{PLACE}/web/..data/privkey.pem"
        return user.run("podman", "unshare", "stat", "-c", "%u:%g %a", place).stdout.strip()

    first = {str(certificates(user)["web"]["serial"]).lower()}
    user.wait_for(lambda: seen() == first, what="both of them serving it")
    key, before = secret(user, "tls.key"), runs()
    assert owner() == "999:998 600"
    of_kubernetes = json.loads(secret(user, "tls"))
    assert base64.b64decode(of_kubernetes["data"]["tls.key"]).decode() == key

    user.run("podman", "secret", "rm", "tls.key", "tls.crt")
    user.run("podman", "unshare", "chown", "5:5", f"/home/{user.name}/{PLACE}/web/privkey.pem")
    user.wait_for(lambda: secret(user, "tls.key") == key, what="the secret that was there")
    user.wait_for(lambda: owner() == "999:998 600", what="the owner that it had")
    user.podvisor("sync")
    assert (seen(), runs()) == (first, before)
    assert [one["reason"] for one in events(user, app="web")].count("installed again") == 1

    user.podvisor("certs", "renew", "web")
    assert not seen() & {"", *first}
    assert secret(user, "tls.key") not in ("", key)
    assert owner() == "999:998 600"
    assert not {*runs()} & {*before}
