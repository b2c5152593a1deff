"""Certificates of containers that see no folder of them: as Podman's secrets."""

import base64
import json

from tests.host.certificate_scenes import (
    IMAGE,
    SERVER,
    certificate,
    certificates,
    make_image,
    run_of,
    served,
)
from tests.host.scenes import WANTED, deploy_folder, ready

NAME = "web.home.arpa"
HELD = ("Issuer=internal", "Secret=tls")


def container(port, *lines):
    unit = (
        "[Container]",
        f"Image={IMAGE}",
        f"PublishPort=127.0.0.1:{port}:8443",
        "Volume=./nginx:/etc/nginx/conf.d:ro",
        *lines,
    )
    return "\n".join(unit) + "\n" + WANTED


def secret(user, name):
    """What Podman has."""
    asked = ("podman", "secret", "inspect", "--showsecret", name)
    found = json.loads(user.run(*asked, check=False).stdout or "[]")
    return found[0]["SecretData"] if found else ""


def test_a_container_with_its_certificate_in_secrets(user, port):
    """Restarted for another one; what is removed by hand is made again, and nothing restarts."""
    make_image(user)
    held = (f"Secret=tls.{of},type=mount,target=/tls/{file}" for of, file in FILES.items())
    files = {
        "web/web.certificate": certificate(*HELD, f"Check=https://localhost:{port}", name=NAME),
        "web/web.container": container(port, *held),
        "web/nginx/web.conf": SERVER.format(listen=8443, name=NAME, folder="/tls", www="/"),
    }
    deploy_folder(user, files)
    ready(user, "web")
    user.write("root.pem", user.podvisor("certs", "root").stdout)
    roots = f"/home/{user.name}/root.pem"

    def seen():
        return served(user, port, roots, name=NAME)

    first, key, run = seen(), secret(user, "tls.key"), run_of(user)
    assert first == str(certificates(user)["web"]["serial"]).lower()
    of_kubernetes = json.loads(secret(user, "tls"))
    assert base64.b64decode(of_kubernetes["data"]["tls.key"]).decode() == key

    user.run("podman", "secret", "rm", "tls.key", "tls.crt")
    user.wait_for(lambda: secret(user, "tls.key") == key, what="what was there")
    user.podvisor("sync")
    assert (seen(), run_of(user)) == (first, run)

    user.podvisor("certs", "renew", "web")
    assert seen() not in ("", first)
    assert secret(user, "tls.key") not in ("", key)
    assert run_of(user) != run


FILES = {"key": "privkey.pem", "crt": "fullchain.pem"}
