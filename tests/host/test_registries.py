"""The registries of `registries.py` are what the scenarios take them for."""

import json

import pytest

from tests.host.registries import OwnRegistry, Request

HEARD = """
import http.server, sys
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(self.headers["Authorization"], " ".join(body.split()), flush=True)
        self.send_response(202)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Listener).serve_forever()
"""


@pytest.fixture
def port(plain_user):
    return plain_user.port


def test_one_without_a_password_and_what_it_was_asked(plain_user, registry, port):
    own = OwnRegistry(user=plain_user, shared=registry, port=port).start()
    digest = own.push("podvisor-test:1", "web:1", "web:latest")
    before = len(own.requests())
    plain_user.podman("pull", "--quiet", own.image("web:1"))
    asked = own.requests()[before:]
    assert ("GET", "/v2/web/manifests/1", 200) in asked
    digests = plain_user.podman("image", "inspect", "--format={{.RepoDigests}}", own.image("web:1"))
    assert f"{own.host}/web@{digest}" in digests.stdout
    own.delete("web:1")
    assert own.requests()[-1] == Request("DELETE", f"/v2/web/manifests/{digest}", 202)
    pull = ("pull", "--quiet", "--retry=0", f"{own.host}/web@{digest}")
    plain_user.podman("rmi", "--all", "--force")
    assert "manifest unknown" in plain_user.podman(*pull, check=False).stderr


def test_one_with_tls_and_a_password(plain_user, registry, port):
    own = OwnRegistry(user=plain_user, shared=registry, port=port, private=True, tls=True).start()
    own.push("podvisor-test:1", "web:1")
    pull = ("pull", "--quiet", "--retry=0", own.image("web:1"))
    assert "certificate" in plain_user.podman(*pull, check=False).stderr
    own.trust()
    assert "auth" in plain_user.podman(*pull, check=False).stderr
    own.login()
    plain_user.podman(*pull)


def test_it_tells_of_what_is_pushed(plain_user, registry, port):
    plain_user.write("heard.py", HEARD)
    heard = f"/home/{plain_user.name}/heard"
    unit = ("systemd-run", "--user", "--quiet", f"--property=StandardOutput=append:{heard}")
    plain_user.run(*unit, "python3", f"/home/{plain_user.name}/heard.py", str(port + 1))
    plain_user.wait_for(lambda: str(port + 1) in plain_user.run("ss", "-ltn").stdout)
    own = OwnRegistry(user=plain_user, shared=registry, port=port)
    url = f"http://127.0.0.1:{port + 1}/hooks"
    own.start(webhook=url, headers={"Authorization": "Bearer x"})
    digest = own.push("podvisor-test:1", "web:1")
    last = plain_user.wait_for(
        lambda: [line for line in plain_user.read("heard").splitlines() if '"tag": "1"' in line]
    )[-1]
    token, _, body = last.removeprefix("Bearer ").partition(" ")
    (event,) = [one for one in json.loads(body)["events"] if one["target"].get("tag")]
    assert token == "x"
    assert (event["action"], event["target"]["digest"]) == ("push", digest)
