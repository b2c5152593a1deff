"""Webhooks on a real host: pushed, told, deployed; storms, strangers, restarts."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.host.scenes import (
    active,
    configure,
    events,
    main_pid,
    ready,
    runs_anew,
    service,
    source,
    status,
    stop_podvisor,
)

HERE = Path(__file__).parent
SECRET = "a secret that nobody guesses"
HOW_TO = (HERE.parents[1] / "docs/how-to/get-told-of-pushes.md").read_text()
ISSUER = """
import base64, json, pathlib, sys, time
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
def part(value):
    return encoded(json.dumps(value).encode())
folder, url = pathlib.Path(sys.argv[1]), sys.argv[2]
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
n = key.public_key().public_numbers().n
jwk = {"kid": "k", "kty": "RSA", "use": "sig", "alg": "RS256", "n": encoded(n.to_bytes(256)),
    "e": "AQAB"}
(folder / ".well-known").mkdir(parents=True)
(folder / "keys").write_text(json.dumps({"keys": [jwk]}))
(folder / ".well-known/openid-configuration").write_text(
    json.dumps({"issuer": url, "jwks_uri": url + "/keys"}))
now = time.time()
claims = {"iss": url, "aud": "podvisor-home", "repository": "me/home", "ref": "refs/heads/main",
    "event_name": "push", "nbf": now - 60, "exp": now + 600}
text = part({"alg": "RS256", "kid": "k"}) + "." + part(claims)
print(text + "." + encoded(key.sign(text.encode(), padding.PKCS1v15(), SHA256())))
"""


@pytest.fixture
def repository(user):
    """A bare repository of the user's on the Git server, and a clone: what pushes runs its hook."""
    bare = f"/srv/git/{user.name}-home.git"
    user.run("git", "init", "--quiet", "--bare", "--shared=0666", "--initial-branch=main", bare)
    user.run("git", "init", "--quiet", "--initial-branch=main", "clone")
    for key, value in {"user.name": "Test", "user.email": "test@localhost"}.items():
        user.run("git", "-C", "clone", "config", key, value)
    user.run("git", "-C", "clone", "remote", "add", "origin", bare)
    yield Repository(user, bare)
    user.host.run("rm", "-r", bare)


class Repository:
    def __init__(self, user, bare):
        self.user = user
        self.bare = bare
        self.url = f"http://localhost:8080/git/{Path(bare).name}"

    def commit(self, files):
        for path, text in files.items():
            self.user.write(f"clone/{path}", text)
        self.user.run("git", "-C", "clone", "add", "--all")
        self.user.run("git", "-C", "clone", "commit", "--quiet", "--message=Change")
        self.user.run("git", "-C", "clone", "push", "--quiet", "origin", "main")
        return self.user.run("git", "-C", "clone", "rev-parse", "HEAD").stdout.strip()


def set_up(user, repository, port, scheme, *more, section=""):
    user.write("hook-secret", SECRET, mode=0o600)
    lines = [f'git = "{repository.url}"', f'webhook = "{scheme}"', *more]
    if scheme != "github-actions":
        lines.append('webhook_secret = "file:~/hook-secret"')
    configure(user, *lines, more=f'[webhooks]\nlisten = "127.0.0.1:{port}"\n{section}')


def hello(seconds=1000):
    return {"apps/hello/hello.service": service(seconds)}


def deployed(user, repository, port, scheme="github", **more):
    repository.commit(hello())
    set_up(user, repository, port, scheme, **more)
    user.start_daemon()
    ready(user, "hello")


def deliver(user, port, *, many=1, seconds=0, secret=SECRET, name="home"):
    script = user.write("deliver.py", (HERE / "deliver.py").read_text())
    repository = f"git/{user.name}-home"
    arguments = (str(port), name, repository, secret, str(many), str(seconds))
    done = user.run("python3", f"/home/{user.name}/{script.name}", *arguments)
    return json.loads(done.stdout)


def told(user):
    """Looks at the source that webhooks brought about."""
    return [one for one in events(user, kind="webhook") if one["reason"].startswith("pushed")]


def test_a_push_runs_as_soon_as_the_hook_has_told(user, repository, port):
    deployed(user, repository, port, "generic")
    hook = f"{repository.bare}/hooks/post-receive"
    text = re.search(r"```sh\n(#!/bin/sh\n.*?)```", HOW_TO, re.DOTALL)[1]
    text = text.replace("https://hooks.example.org", f"http://127.0.0.1:{port}")
    user.run("tee", hook, input=text.replace("/etc/podvisor-hook", "~/hook-secret"))
    user.run("chmod", "+x", hook)
    pid = main_pid(user, "hello.service")
    head = repository.commit(hello(2000))
    # Its next poll would be later than anything that is waited for.
    user.wait_for(lambda: runs_anew(user, "hello.service", pid))
    user.wait_for(lambda: source(user)["revision"] == head)
    stands = source(user)["webhook"]
    assert (stands["accepted"], stands["works"], stands["poll"]) == (1, True, 3600)
    assert told(user)[0]["reason"] == f"pushed: {head[:8]} refs/heads/main"
    shown = user.podvisor("status").stdout
    assert "polled every 1h while they arrive" in shown


def test_a_thousand_deliveries_are_a_handful_of_fetches(user, repository, port):
    deployed(user, repository, port)
    deliver(user, port)
    user.wait_for(lambda: told(user))
    before = len(told(user))
    pid = int(main_pid(user, "podvisor.service"))
    process = Path(f"/proc/{user.host.pid}/root/proc/{pid}")
    (process / "clear_refs").write_text("5")
    at_rest = memory(process, "VmHWM")
    pid = main_pid(user, "hello.service")
    head = repository.commit(hello(3000))
    began = time.monotonic()
    assert deliver(user, port, many=1000, seconds=5) == {"202": 1000}
    took = time.monotonic() - began
    user.wait_for(lambda: source(user)["revision"] == head)
    user.wait_for(lambda: runs_anew(user, "hello.service", pid))
    assert source(user)["webhook"]["accepted"] == 1001
    assert 1 <= len(told(user)) - before <= max(5, took), "one a second at the most"
    assert memory(process, "VmHWM") - at_rest <= 30_000


def memory(process, name):
    """Kilobytes."""
    line = next(
        line for line in (process / "status").read_text().splitlines() if line.startswith(name)
    )
    return int(line.split()[1])


def test_strangers_are_refused_and_the_log_holds_no_secret(user, repository, port):
    deployed(user, repository, port)
    assert deliver(user, port, secret="a guess of somebody's") == {"401": 1}
    assert deliver(user, port, name="away") == {"404": 1}
    url = f"http://127.0.0.1:{port}"
    for target in ("/", "/v1/status", "/hooks/", "/hooks/home"):
        answer = user.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url + target)
        assert answer.stdout in {"404", "405"}
    big = "head -c 10000000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' --data-binary @- "
    assert user.run("sh", "-c", f"{big} {url}/hooks/home").stdout == "413"
    user.run("sh", "-c", f"(printf 'POST /hooks/home'; sleep 1) | nc -w 2 127.0.0.1 {port} || true")
    assert deliver(user, port, many=100, secret="x").keys() == {"401", "429"}
    shown = status(user)
    assert shown["webhooks"]["open"]
    assert shown["webhooks"]["refused"].keys() >= {"path", "signature", "size", "limit"}
    logged = user.journal("podvisor.service") + str(events(user))
    assert SECRET not in logged
    assert "a guess of somebody's" not in logged
    refusals = [one for one in events(user, kind="webhook") if not one.get("ok", True)]
    assert 3 <= len(refusals) <= 5, "once for each reason"
    assert all(one["subject"] == "127.0.0.1" for one in refusals)


def test_what_is_pushed_while_podvisor_does_not_run_is_found_when_it_starts(user, repository, port):
    deployed(user, repository, port)
    repository.commit(hello(2000))
    deliver(user, port)
    user.wait_for(lambda: source(user)["webhook"].get("works"))
    stop_podvisor(user)
    head = repository.commit(hello(3000))
    (refused,) = deliver(user, port)
    assert "refused" in refused
    user.systemctl("start", "podvisor.service")
    user.wait_for(lambda: source(user)["revision"] == head)
    stands = source(user)["webhook"]
    assert (stands["works"], stands["poll"]) == (True, 3600), "it could not have been told"
    assert deliver(user, port) == {"202": 1}


def test_other_settings_move_the_listener_and_a_taken_port_ends_nothing(user, repository, port):
    deployed(user, repository, port)
    other = port + 1
    take = f"import socket; s = socket.create_server(('127.0.0.1', {other})); s.accept()"
    user.run("systemd-run", "--user", "--quiet", "--unit=taken", "python3", "-c", take)
    user.wait_for(lambda: active(user, "taken.service"))
    user.wait_for(lambda: str(other) in user.run("ss", "-ltn").stdout)
    set_up(user, repository, other, "github")
    user.reload_daemon()
    user.wait_for(lambda: status(user).get("problems"))
    shown = status(user)
    assert f"cannot listen for webhooks on 127.0.0.1:{other}" in shown["problems"][0]["message"]
    assert not shown["webhooks"].get("open")
    assert "refused" in next(iter(deliver(user, port))), "nor where it was before"
    assert active(user, "hello.service", "podvisor.service")
    user.systemctl("stop", "taken.service")
    user.wait_for(lambda: status(user)["webhooks"].get("open"))
    assert not status(user).get("problems")
    assert deliver(user, other) == {"202": 1}


def test_podvisor_webhook_shows_and_tests(user, repository, port):
    deployed(user, repository, port, "gitlab")
    shown = user.podvisor("webhook", "show", "home").stdout
    assert f"http://127.0.0.1:{port}/hooks/home" in shown
    assert SECRET not in shown
    assert SECRET in user.podvisor("webhook", "show", "home", "--reveal").stdout
    tested = user.podvisor("webhook", "test", "home").stdout
    assert "202, podvisor looks at source home" in tested
    assert "source home was read" in tested
    user.write("hook-secret", SECRET, mode=0o644)
    user.reload_daemon()
    failed = user.podvisor("webhook", "test", "home", check=False)
    assert failed.returncode == 1
    assert "chmod 600" in failed.stdout + failed.stderr


def test_a_secret_that_is_not_there_is_said_before_anybody_knocks(user, repository, port):
    deployed(user, repository, port)
    pid = main_pid(user, "hello.service")
    user.run("rm", "hook-secret")
    user.run("git", "-C", "clone", "remote", "set-url", "origin", repository.url)
    why = f"config.toml:4: cannot read /home/{user.name}/hook-secret: No such file or directory"
    for command in (("reload",), ("check", "clone")):
        said = user.podvisor(*command)
        assert why in " ".join(said.stdout.split()), command
        assert "mode 0600" in said.stdout
    assert "hook-secret" in source(user)["webhook"]["problem"]
    user.write("hook-secret", SECRET, mode=0o600)
    assert not source(user)["webhook"].get("problem")
    assert main_pid(user, "hello.service") == pid


def test_a_secret_of_podmans(user, repository, port):
    user.write("hook", SECRET, mode=0o600)
    user.podman("secret", "create", "webhook", f"/home/{user.name}/hook")
    repository.commit(hello())
    configure(
        user,
        f'git = "{repository.url}"',
        'webhook = "github"',
        'webhook_secret = "podman:webhook"',
        more=f'[webhooks]\nlisten = "127.0.0.1:{port}"\n',
    )
    user.start_daemon()
    ready(user, "hello")
    assert deliver(user, port, many=20) == {"202": 20}
    assert deliver(user, port, secret="another") == {"401": 1}


def test_a_workflow_tells_by_its_token(user, repository, port):
    issuer = f"http://127.0.0.1:{port + 1}/issuer"
    repository.commit(hello())
    set_up(
        user,
        repository,
        port,
        "github-actions",
        'webhook_repository = "me/home"',
        'webhook_audience = "podvisor-home"',
        section=f'oidc_issuer = "{issuer}"\n',
    )
    user.start_daemon()
    ready(user, "hello")
    home = f"/home/{user.name}"
    arguments = (f"{home}/issuer-files/issuer", issuer)
    made = user.run("/opt/podvisor/bin/python", "-", *arguments, input=ISSUER)
    token = made.stdout.strip()
    serve = ("python3", "-m", "http.server", "-d", f"{home}/issuer-files", "-b", "127.0.0.1")
    user.run("systemd-run", "--user", "--quiet", "--unit=issuer", *serve, str(port + 1))
    user.wait_for(lambda: user.run("curl", "-fs", f"{issuer}/keys", check=False).stdout)
    head = repository.commit(hello(2000))

    def tell(text):
        header = f"Authorization: Bearer {text}"
        url = f"http://127.0.0.1:{port}/hooks/home"
        return user.run("curl", "-s", "-X", "POST", "-H", header, url).stdout

    assert "not signed by its issuer" in tell(token[:-20] + "A" * 20)
    assert tell(token) == "podvisor looks at source home\n"
    user.wait_for(lambda: source(user)["revision"] == head)
    assert token not in user.journal("podvisor.service") + str(events(user))
    user.systemctl("stop", "issuer.service")
    assert tell(token) == "podvisor looks at source home\n"
