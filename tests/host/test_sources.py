"""Sources on a real host: who may reach them, who may sign, overlays, and what Git hosts hear."""

import contextlib
import json
from pathlib import Path

import pytest

from tests.host.conftest import Repository, call, fresh_user
from tests.host.scenes import (
    OWNED,
    active,
    app_of,
    configure,
    deploy,
    events,
    main_pid,
    ready,
    service,
    sleeper,
    source,
    states,
    status,
    sync,
)

GIT_SERVER = Path(__file__).with_name("git_server.py").read_text()
WEB = {"apps/web/web.service": service()}
CHANGED = {"apps/web/web.service": service(2000000)}


class Home:
    """A repository in a user's own home, to which root on the machine commits."""

    def __init__(self, user, folder, name="home"):
        self.user = user
        self.bare = user.home / f"repos/{name}.git"
        user.run("mkdir", "-p", "repos")
        user.run("git", "init", "-q", "--bare", "--initial-branch=main", f"repos/{name}.git")
        folder.mkdir(parents=True)
        self.repository = Repository(url="", bare=self.bare, clone=folder)
        self.repository.git("init", "--quiet", "--initial-branch=main")
        self.repository.git("remote", "add", "origin", self.bare)

    def commit(self, files, message="Change"):
        call("chown", "--recursive", "0:0", self.bare)
        head = self.repository.commit(files, message)
        call("chown", "--recursive", f"{self.user.uid}:{self.user.uid}", self.bare)
        return head


@contextlib.contextmanager
def serving(user, name, *command):
    """A command that serves as long as the test needs it."""
    user.run("systemd-run", "--user", "--quiet", f"--unit={name}", *command)
    try:
        yield
    finally:
        user.systemctl("stop", f"{name}.service", check=False)


# --- how they are reached -------------------------------------------------------------------------


def test_ssh_with_a_deploy_key_and_the_servers_keys_pinned(user, git_server):
    home = Home(user, git_server.folder / "ssh")
    home.commit(WEB)
    user.run("mkdir", "--mode=700", ".ssh")
    for name in ("deploy", "other"):
        user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f".ssh/{name}")
    user.write(".ssh/authorized_keys", f"restrict {user.read('.ssh/deploy.pub')}", mode=0o600)
    keys = user.run("ssh-keyscan", "-t", "ed25519", "localhost").stdout
    wrong = f"localhost {' '.join(user.read('.ssh/other.pub').split()[:2])}"
    git = f'git = "ssh://{user.name}@localhost/home/{user.name}/repos/home.git"'
    configure(user, git, 'ssh_key = "~/.ssh/deploy"', f"known_hosts = '{wrong}'")
    user.start_daemon()
    user.wait_for(lambda: "ost key verification failed" in source(user).get("error", ""))
    assert states(user) == {}
    lines = f"known_hosts = '''\n{keys}'''"
    configure(user, git, 'ssh_key = "~/.ssh/other"', lines)
    user.reload_daemon()
    user.wait_for(lambda: "Permission denied" in source(user).get("error", ""))
    (user.home / ".ssh/deploy").chmod(0o644)
    configure(user, git, 'ssh_key = "~/.ssh/deploy"', lines)
    user.reload_daemon()
    user.wait_for(lambda: "chmod 600" in source(user).get("error", ""))
    (user.home / ".ssh/deploy").chmod(0o600)
    assert sync(user).returncode == 0
    ready(user, "web")
    assert not (user.home / ".ssh/known_hosts").exists(), "nothing of the user's own was needed"
    head = home.commit(CHANGED)
    assert sync(user).returncode == 0
    assert app_of(user, "web")["revision"] == head


def test_https_with_a_token_that_stands_in_a_file(user, git_server):
    home = Home(user, git_server.folder / "https")
    home.commit(WEB)
    port = user.port
    user.write("git_server.py", GIT_SERVER)
    user.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", "tls.key", "-out", "tls.crt", "-days", "2", "-subj"),
        *("/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
    )
    where = f"/home/{user.name}"
    secret = "s3cret-token-of-this-test"
    server = (
        *("python3", f"{where}/git_server.py", str(port), f"{where}/repos"),
        *(f"{where}/tls.crt", f"{where}/tls.key", f"me:{secret}"),
    )
    git = f'git = "https://localhost:{port}/home.git"'
    with serving(user, "test-git", *server):
        configure(user, git, 'user = "me"', 'password = "file:~/token"')
        user.write("token", "wrong\n", mode=0o600)
        user.start_daemon()
        user.wait_for(lambda: "certificate" in source(user).get("error", ""))
        user.run("git", "config", "--global", "http.sslCAInfo", f"{where}/tls.crt")
        assert sync(user).returncode == 3
        assert "refused the user and password" in source(user)["error"]
        user.write("token", f"{secret}\n", mode=0o644)
        assert sync(user).returncode == 3
        assert "chmod 600" in source(user)["error"]
        user.write("token", f"{secret}\n", mode=0o600)
        assert sync(user).returncode == 0
        ready(user, "web")
    kept = b"".join(
        path.read_bytes()
        for path in (user.home / ".local/state/podvisor").rglob("*")
        if path.is_file()
    )
    assert secret.encode() not in kept
    assert secret not in user.journal("podvisor.service")
    assert secret not in user.podvisor("status", "--json", check=False).stdout


# --- who may sign ---------------------------------------------------------------------------------


class Author:
    """The user as somebody who commits in a clone of their own, with keys of their own."""

    def __init__(self, user, repository):
        self.user = user
        self.repository = repository
        for key, value in {"name": "Mallory", "email": "m@example.org"}.items():
            user.run("git", "config", "--global", f"user.{key}", value)
        user.run("git", "init", "-q", "--initial-branch=main", "work")
        user.run("git", "-C", "work", "remote", "add", "origin", f"file://{self.place}")

    @property
    def place(self):
        return f"/srv/git/{self.repository.bare.name}"

    def commit(self, files, *how):
        for path, text in files.items():
            self.user.write(f"work/{path}", text)
        git = ("git", "-C", "work")
        self.user.run(*git, "add", "--all")
        self.user.run(*git, *how, "commit", "-q", "-m", "Change", *(("-S",) if how else ()))
        self.user.run(*git, "push", "-q", "--force", "origin", "main")
        return self.user.run(*git, "rev-parse", "HEAD").stdout.strip()


def ssh_key(user, name):
    user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name)
    return ("-c", "gpg.format=ssh", "-c", f"user.signingKey=/home/{user.name}/{name}")


def gpg_key(user, name):
    user.run(
        *("gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase="),
        *("--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never"),
    )
    return ("-c", f"user.signingKey={name}@example.org")


@pytest.mark.parametrize("kind", ["ssh", "gpg"])
def test_only_what_an_allowed_signer_signed_is_deployed(user, git_server, kind):
    repository = git_server.create(f"{user.name}-signed")
    author = Author(user, repository)
    make = ssh_key if kind == "ssh" else gpg_key
    alice, mallory = make(user, "alice"), make(user, "mallory")
    if kind == "ssh":
        user.write("signers", f"alice@example.org {user.read('alice.pub')}")
    else:
        armoured = user.run("gpg", "--armor", "--export", "alice@example.org").stdout
        user.write("signers", armoured)
    first = author.commit(WEB, *alice)
    signed = (f'verify = "{kind}"', 'allowed_signers = "~/signers"')
    configure(user, f'git = "{repository.url}"', *signed)
    user.start_daemon()
    ready(user, "web")
    pid = main_pid(user, "web.service")
    for how, said in (((), "it is not signed"), (mallory, f"it is signed by the {_NAMES[kind]}")):
        bad = author.commit({"apps/web/web.service": service(3000000), "why": said}, *how)
        assert sync(user).returncode == 3
        told = source(user)
        assert f"cannot deploy revision {bad[:8]} (made by Mallory" in told["error"]
        assert said in told["error"]
        assert told["revision"] == first
        assert states(user) == {"web": "ready"}
    # It is refused once, and what runs is repaired meanwhile.
    before = len(events(user, kind="source"))
    sync(user)
    assert len(events(user, kind="source")) == before
    assert main_pid(user, "web.service") == pid
    (user.home / OWNED / "web/web.service").unlink()
    user.wait_for((user.home / OWNED / "web/web.service").exists)
    user.systemctl("restart", "podvisor.service")
    user.wait_for(lambda: "it is signed by" in source(user).get("error", ""))
    assert main_pid(user, "web.service") == pid
    good = author.commit(CHANGED, *alice)
    assert sync(user).returncode == 0
    assert app_of(user, "web")["revision"] == good
    assert "error" not in source(user)


_NAMES = {"ssh": "ED25519 key SHA256:", "gpg": "OpenPGP key"}


# --- a fleet on one repository --------------------------------------------------------------------

SITE = """\
[Service]
ExecStart=/bin/sleep infinity
EnvironmentFile=-%h/.config/containers/systemd/podvisor/web/site.env

[Install]
WantedBy=default.target
"""


def test_a_fleet_of_three_on_one_repository(user, host, git_server):
    """Three users stand for three hosts, each with `overlay = "hosts/%u"`."""
    with contextlib.ExitStack() as stack:
        fleet = [user, *(stack.enter_context(fresh_user(host)) for _ in range(2))]
        first, second, third = fleet
        repository = git_server.create(f"{user.name}-fleet")
        files = {
            "apps/web/web.service": SITE,
            "apps/web/site.env": "SITE=all\n",
            "apps/db/db.container": sleeper(),
            f"hosts/{first.name}/web/site.env": "SITE=first\n",
            f"hosts/{second.name}/db/db.container.d/10-host.conf": (
                "[Container]\nEnvironment=WHERE=second\n"
            ),
            f"hosts/{second.name}/only/only.service": service(),
        }
        repository.commit(files)
        git = f'git = "{repository.url}"'
        for one in fleet:
            select = ('select = ["web"]',) if one is third else ()
            configure(one, git, 'overlay = "hosts/%u"', *select)
            one.start_daemon()
        ready(first, "db", "web")
        ready(second, "db", "only", "web")
        ready(third, "web")
        sites = [one.read(f"{OWNED}/web/site.env") for one in fleet]
        assert sites == ["SITE=first\n", "SITE=all\n", "SITE=all\n"]
        where = ("inspect", "--format={{.Config.Env}}", "systemd-db")
        assert "WHERE=second" in second.podman(*where).stdout
        assert "WHERE" not in first.podman(*where).stdout
        (found,) = source(third)["findings"]
        assert (found["path"], found["fatal"]) == (f"hosts/{third.name}", False)
        assert third.podvisor("status").returncode == 0
        # A change for one of them is no change for the others.
        pids = {one.name: main_pid(one, "web.service") for one in fleet}
        repository.commit({f"hosts/{third.name}/web/site.env": "SITE=third\n"})
        for one in fleet:
            assert sync(one).returncode == 0
        changed = [one.name for one in fleet if main_pid(one, "web.service") != pids[one.name]]
        assert changed == [third.name]
        assert third.read(f"{OWNED}/web/site.env") == "SITE=third\n"
        # What is wrong in an overlay is said where it stands, and only there.
        repository.commit(
            {f"hosts/{second.name}/db/db.container.d/10-host.conf": "[Container]\nBogus=1\n"}
        )
        assert [sync(one).returncode for one in fleet] == [0, 3, 0]
        one = app_of(second, "db")
        assert one["state"] == "refused"
        assert any(
            found.get("path", "").startswith(f"hosts/{second.name}/db/")
            for found in one["findings"]
        ), one["findings"]
        assert "WHERE=second" in second.podman(*where).stdout
        # The way back is the overlaid file, too.
        drop_in = second.home / OWNED / "db/db.container.d/10-host.conf"
        drop_in.unlink()
        second.wait_for(lambda: drop_in.exists() and "WHERE=second" in drop_in.read_text())


def test_the_overlay_of_a_host_name(user, host, git_server):
    name = host.run("hostname").stdout.strip()
    files = {**WEB, f"hosts/{name}/web/web.service": service(5000000)}
    deploy(user, git_server, files, 'overlay = "hosts/%H"')
    ready(user, "web")
    assert "5000000" in user.read(f"{OWNED}/web/web.service")


# --- what a Git host hears ------------------------------------------------------------------------

RECORDER = """\
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        allowed = self.headers["Authorization"] == "token t0ken-of-this-test"
        with open("told", "a") as told:
            print(json.dumps([self.path, allowed, body]), file=told)
        self.send_response(201 if allowed else 401)
        self.end_headers()
        self.wfile.write(b'{"message": "as you like"}')
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_git_host_is_told_how_each_revision_fares(user, git_server):
    port = user.port
    user.write("recorder.py", RECORDER)
    user.write("told", "")
    user.write("status-token", "wrong\n", mode=0o600)

    def told():
        return [json.loads(line) for line in user.read("told").splitlines()]

    def says(state, revision):
        last = (told() or [["", False, {}]])[-1]
        return last[0].endswith(f"/statuses/{revision}") and last[2].get("state") == state

    command = ("python3", f"/home/{user.name}/recorder.py", str(port))
    with serving(user, "test-recorder", f"--working-directory=/home/{user.name}", *command):
        repository = deploy(
            user,
            git_server,
            WEB,
            'status = "forgejo"',
            'status_token = "file:~/status-token"',
            f'status_url = "http://localhost:{port}/api/v1"',
            'status_context = "podvisor/pi"',
        )
        ready(user, "web")
        # A wrong token keeps nothing waiting, and is shown.
        user.wait_for(lambda: "answers 401" in str(status(user).get("problems")))
        assert "status_token" in str(status(user)["problems"])
        user.write("status-token", "t0ken-of-this-test\n", mode=0o600)
        user.reload_daemon()
        user.wait_for(lambda: says("success", repository.head))
        user.wait_for(lambda: not status(user).get("problems"))
        repository.commit({"apps/bad/bad.container": "[Container]\nBogus=1\n"})
        assert sync(user).returncode == 3
        user.wait_for(lambda: says("failure", repository.head))
        path, _, body = told()[-1]
        assert path == f"/api/v1/repos/git/{user.name}-home/statuses/{repository.head}"
        assert body["context"] == "podvisor/pi"
        assert body["description"].startswith("bad is refused: ")
        states_told = [one[2]["state"] for one in told() if repository.head in one[0]]
        assert states_told in (["pending", "failure"], ["failure"])
        before = user.read("told")
        user.systemctl("restart", "podvisor.service")
        user.wait_for(lambda: status(user)["running"] and states(user).get("bad") == "refused")
        sync(user)
        assert user.read("told") == before, "nothing is told twice"
    assert "t0ken-of-this-test" not in user.journal("podvisor.service")
    assert active(user, "web.service")
