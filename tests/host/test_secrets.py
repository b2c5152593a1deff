"""Secrets on a real host, with real keys: from encrypted files to containers that read them."""

import contextlib
import json
import threading
from pathlib import Path

import pytest

from tests.host.scenes import (
    IMAGE,
    OWNED,
    WANTED,
    app_of,
    configure,
    events,
    finding,
    main_pid,
    ready,
    runs_anew,
    sleeper,
    status,
    sync,
)

CANARY = "c4n4ry-in-clear-7f3a"
STRANGER = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
SECRET = "[Secret]\nSource=age:db-pass.age\n"
USER = sleeper("Secret=db-pass")
OTHER = sleeper()


@pytest.fixture
def recipient(user):
    """The host's own key is there."""
    return user.podvisor("secret", "init").stdout.strip()


def sealed(user, clear, *options):
    """Encrypt as a person would."""
    return user.podvisor("secret", "encrypt", "-o", "-", *options, input=clear).stdout


def deploy(user, git_server, files):
    repository = git_server.create(f"{user.name}-home")
    repository.commit(files)
    configure(user, f'git = "{repository.url}"')
    user.start_daemon()
    user.wait_for(lambda: status(user)["running"] and status(user).get("apps"), what="apps")
    return repository


def web(user, clear=CANARY, **more):
    return {
        "apps/web/web.container": USER,
        "apps/web/side.container": OTHER,
        "apps/web/db-pass.secret": SECRET,
        "apps/web/db-pass.age": sealed(user, clear),
        **{f"apps/{path}": text for path, text in more.items()},
    }


def inside(user, container="systemd-web", name="db-pass"):
    """What a container finds."""
    done = user.podman(
        "exec", container, "/bin/busybox", "cat", f"/run/secrets/{name}", check=False
    )
    return done.stdout


def listed(user):
    told = json.loads(user.podvisor("secret", "list", "--json", check=False).stdout)
    return {one["name"]: one for one in told["secrets"]}


def test_a_deploy_with_a_secret_and_a_change_of_it(user, git_server, recipient):
    repository = deploy(user, git_server, web(user))
    ready(user, "web")
    assert inside(user) == CANARY
    assert listed(user)["db-pass"] == {
        "name": "db-pass",
        "state": "current",
        "app": "web",
        "source": "age:db-pass.age",
        "path": "apps/web/db-pass.secret",
        "units": ["web.service"],
    }
    before = {unit: main_pid(user, unit) for unit in ("web.service", "side.service")}

    repository.commit({"apps/web/db-pass.age": sealed(user, CANARY)}, "Encrypt it anew")
    assert sync(user).returncode == 0
    assert main_pid(user, "web.service") == before["web.service"], "its content is the same"

    repository.commit({"apps/web/db-pass.age": sealed(user, f"{CANARY}-2")})
    assert sync(user).returncode == 0
    assert runs_anew(user, "web.service", before["web.service"])
    assert inside(user) == f"{CANARY}-2"
    assert main_pid(user, "side.service") == before["side.service"]
    (restart,) = events(user, step="restart")
    assert restart["reason"] == "secret db-pass changed"

    assert sync(user).returncode == 0
    assert json.loads(user.podvisor("plan", "--json").stdout)["steps"] == []


class ProcessWatcher:
    """Looks at arguments and environments of all processes, those of the hosts too."""

    def __init__(self, *texts):
        self.seen = set()
        self._texts = [text.encode() for text in texts]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _look(self):
        while not self._ended.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        content = (process / name).read_bytes()
                        self.seen.update(text for text in self._texts if text in content)


def test_the_clear_text_is_nowhere_but_in_podman(user, git_server, recipient):
    control = "control-that-must-be-seen"
    with ProcessWatcher(CANARY, control) as watcher:
        user.run("sh", "-c", f"sleep 0.5; : {control}")
        repository = deploy(user, git_server, web(user))
        ready(user, "web")
        repository.commit({"apps/web/db-pass.age": sealed(user, f"{CANARY}-2")})
        user.podvisor("plan")
        sync(user)
        user.podvisor("secret", "list")
        assert inside(user) == f"{CANARY}-2"
    assert watcher.seen == {control.encode()}
    files = user.run(
        *("grep", "-r", "-l", "-a", "-e", CANARY, "--"),
        *(f"/home/{user.name}/{place}" for place in (".config", ".local/state")),
        f"{user.runtime}/podvisor",
        check=False,
    )
    assert (files.returncode, files.stdout) == (1, "")
    user.host.run("journalctl", "--sync")
    told = [
        user.host.run("journalctl", "--output=export", "--no-pager", "--all").stdout,
        user.podvisor("events", "--json").stdout,
        user.podvisor("status", "--json").stdout,
        user.podvisor("plan", "--json").stdout,
    ]
    assert "podvisor" in told[0]
    assert "put-secrets" in told[1]
    for text in told:
        assert CANARY not in text
    there = {path.name for path in (user.home / OWNED / "web").iterdir()}
    assert {"db-pass.secret", "db-pass.age"} <= there, "what is installed is what is encrypted"


def test_a_file_of_the_age_program_and_one_for_an_ssh_key(user, git_server):
    user.run("mkdir", "-p", f"/home/{user.name}/.config/podvisor")
    key = f"/home/{user.name}/.config/podvisor/age.key"
    user.run("age-keygen", "-o", key)
    recipient = user.podvisor("secret", "init").stdout.strip()
    assert recipient == user.run("age-keygen", "-y", key).stdout.strip()
    by_age = user.run("age", "-a", "-r", recipient, input=CANARY).stdout
    files = web(user) | {"apps/web/db-pass.age": by_age}
    repository = deploy(user, git_server, files)
    ready(user, "web")
    assert inside(user) == CANARY
    assert user.run("age", "-d", "-i", key, input=sealed(user, "back")).stdout == "back"

    ssh = f"/home/{user.name}/.ssh-key"
    user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh)
    configure(user, f'git = "{repository.url}"', more=f'[secrets]\nidentity = "file:{ssh}"\n')
    user.reload_daemon()
    repository.commit({"apps/web/db-pass.age": sealed(user, "by ssh")})
    sync(user)
    assert inside(user) == "by ssh"


def test_a_missing_secret_stops_its_app_and_its_coming_lets_it_go_on(user, git_server):
    files = {
        "apps/web/web.container": sleeper("Secret=api-key"),
        "apps/side/side.container": OTHER,
    }
    repository = deploy(user, git_server, {"apps/side/side.container": OTHER})
    ready(user, "side")
    repository.commit(files)
    assert sync(user).returncode == 3
    found = finding(user, "web")
    assert (found["path"], found["line"]) == ("apps/web/web.container", 5)
    assert "podman secret create api-key -" in found["hint"]
    assert listed(user)["api-key"]["state"] == "missing"
    assert user.unit_state("web.service")["LoadState"] == "not-found"
    assert app_of(user, "side")["state"] == "ready"

    user.run("sh", "-c", f"printf {CANARY} | podman secret create api-key -")
    ready(user, "side", "web")
    assert inside(user, name="api-key") == CANARY
    assert listed(user)["api-key"]["state"] == "made by hand"

    user.podman("secret", "rm", "api-key")
    user.wait_for(lambda: app_of(user, "web")["state"] == "refused")
    assert user.unit_state("web.service")["ActiveState"] == "active", "what runs keeps running"


def test_a_generated_one_is_stable_until_it_is_rotated(user, git_server):
    files = {
        "apps/web/web.container": sleeper("Secret=cookie"),
        "apps/web/side.container": OTHER,
        "apps/web/cookie.secret": "[Secret]\nGenerate=32\n",
        "apps/side/aside.container": OTHER,
    }
    repository = deploy(user, git_server, files)
    ready(user, "side", "web")
    value = inside(user, name="cookie")
    assert len(value) == 32
    assert value.isalnum()
    pid = main_pid(user, "web.service")
    repository.commit({"apps/web/cookie.secret": "[Secret]\nGenerate=64\n"})
    sync(user)
    assert (inside(user, name="cookie"), main_pid(user, "web.service")) == (value, pid)

    repository.commit({path: None for path in files if "/web/" in path}, "Remove the app")
    sync(user)
    assert "cookie" in user.podman("secret", "ls").stdout
    assert listed(user)["cookie"]["state"] == "left over"
    repository.commit({path: text for path, text in files.items() if "/web/" in path})
    sync(user)
    assert inside(user, name="cookie") == value

    side, pid = main_pid(user, "side.service"), main_pid(user, "web.service")
    assert user.podvisor("secret", "rotate", "cookie").returncode == 0
    user.wait_for(lambda: runs_anew(user, "web.service", pid))
    assert inside(user, name="cookie") not in {"", value}
    assert main_pid(user, "side.service") == side


def test_secrets_leave_with_their_app(user, git_server, recipient):
    repository = deploy(user, git_server, web(user, **{"side/aside.container": OTHER}))
    ready(user, "side", "web")
    user.run("sh", "-c", "printf x | podman secret create others -")
    gone = {f"apps/web/{name}": None for name in ("db-pass.secret", "db-pass.age")}
    repository.commit({**gone, "apps/web/web.container": OTHER})
    sync(user)
    user.wait_for(lambda: events(user, step="remove-secret"))
    assert user.podman("secret", "ls", "--format={{.Name}}").stdout.split() == ["others"]
    ready(user, "side", "web")


def test_a_secret_of_somebody_else_is_never_overwritten(user, git_server, recipient):
    user.run("sh", "-c", "printf mine | podman secret create db-pass -")
    deploy(user, git_server, web(user))
    user.wait_for(lambda: app_of(user, "web").get("state") == "refused")
    found = finding(user, "web")
    assert "not podvisor's" in found["message"]
    assert (found["path"], found["line"]) == ("apps/web/db-pass.secret", 2)
    shown = user.podman("secret", "inspect", "--showsecret", "db-pass").stdout
    assert json.loads(shown)[0]["SecretData"] == "mine"
    user.podman("secret", "rm", "db-pass")
    user.wait_for(lambda: app_of(user, "web")["state"] == "ready", what="it to go on by itself")
    assert inside(user) == CANARY


def cut(user, text):
    return text[: len(text) // 2]


def damaged(user, text):
    *before, body, end = text.strip().splitlines()
    return "\n".join([*before, body.swapcase(), end, ""])


def for_others(user, text):
    return user.run("age", "-a", "-r", STRANGER, input="x").stdout


def oversized(user, text):
    own = user.podvisor("secret", "init").stdout.strip()
    return user.run("sh", "-c", f"head -c 512000 /dev/zero | age -a -r {own}").stdout


def test_what_cannot_be_opened_changes_nothing(user, git_server, recipient):
    damages = [
        (cut, "cut short"),
        (damaged, "damaged"),
        (for_others, "other keys"),
        (lambda user, text: "hello", "no file that age encrypted"),
        (lambda user, text: "", "is empty"),
        (oversized, "Podman takes 511999 at most"),
    ]
    files = web(user)
    repository = deploy(user, git_server, files)
    ready(user, "web")
    value = CANARY
    for number, (damage, why) in enumerate(damages):
        pid = main_pid(user, "web.service")
        bad = damage(user, files["apps/web/db-pass.age"])
        changed = f"{USER}# new {number}\n"
        repository.commit({"apps/web/db-pass.age": bad, "apps/web/web.container": changed})
        assert sync(user).returncode == 3, why
        found = finding(user, "web")
        assert why in found["message"]
        assert "apps/web/db-pass.secret" in f"{found.get('path')} {found['message']}"
        assert main_pid(user, "web.service") == pid
        assert inside(user) == value
        assert changed not in user.read(f"{OWNED}/web/web.container")
        user.systemctl("kill", "-sKILL", "web.service")
        user.wait_for(lambda pid=pid: runs_anew(user, "web.service", pid), what="its repair")
        value = f"mended {number}"
        repository.commit({"apps/web/db-pass.age": sealed(user, value)})
        assert sync(user).returncode == 0, why
        assert inside(user) == value


def test_without_the_key_it_says_how_to_make_one(user, git_server):
    user.podvisor("secret", "init")
    files = web(user)
    user.run("rm", f"/home/{user.name}/.config/podvisor/age.key")
    deploy(user, git_server, files)
    user.wait_for(lambda: app_of(user, "web").get("state") == "refused")
    found = finding(user, "web")
    assert "No such file" in found["message"]
    assert "podvisor secret init" in found["hint"]


def test_a_credential_of_the_service(user, git_server):
    user.write("pass", CANARY, mode=0o600)
    user.write(
        ".config/systemd/user/podvisor.service.d/secrets.conf",
        f"[Service]\nLoadCredential=db:/home/{user.name}/pass\n",
    )
    deploy(
        user,
        git_server,
        {
            "apps/web/web.container": USER,
            "apps/web/db-pass.secret": "[Secret]\nSource=credential:db\n",
        },
    )
    ready(user, "web")
    assert inside(user) == CANARY


CUBE = """\
apiVersion: v1
kind: Pod
metadata: {name: cube}
spec:
  containers:
  - name: one
    image: %s:1
    command: [/bin/busybox, sleep, infinity]
    volumeMounts: [{name: s, mountPath: /secret}]
  volumes:
  - name: s
    secret: {secretName: cube-secret}
"""
CUBE_SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: cube-secret}
stringData: {key: %s}
"""


def test_a_kube_file_waits_for_its_secret(user, git_server):
    files = {
        "apps/cube/cube.kube": f"[Kube]\nYaml=cube.yaml\nNetwork=none\n{WANTED}",
        "apps/cube/cube.yaml": CUBE % IMAGE,
    }
    deploy(user, git_server, files)
    user.wait_for(lambda: app_of(user, "cube").get("state") == "refused")
    found = finding(user, "cube")
    assert (found["path"], found["line"]) == ("apps/cube/cube.yaml", 12)
    user.run("podman", "secret", "create", "cube-secret", "-", input=CUBE_SECRET % CANARY)
    ready(user, "cube")
    found = user.podman("exec", "cube-one", "/bin/busybox", "cat", "/secret/key").stdout
    assert found == CANARY


def test_check_judges_them_without_a_key(user):
    for path, text in {
        "apps/web/web.container": USER,
        "apps/web/db-pass.secret": "[Secret]\nSource=age:none.age\nSorce=x\n",
    }.items():
        user.write(f"checked/{path}", text)
    done = user.podvisor("check", f"/home/{user.name}/checked", check=False)
    assert done.returncode == 1
    assert "apps/web/db-pass.secret:2: the encrypted file none.age is not there" in done.stdout
    assert "apps/web/db-pass.secret:3: Sorce= has no meaning" in done.stdout
    assert "did you mean Source=?" in done.stdout
