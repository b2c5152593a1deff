"""From a push to a registry to a commit in Git, on a real host: and nothing starts again."""

import subprocess

import pytest

from tests.host.conftest import GIT_ENVIRONMENT
from tests.host.registries import OwnRegistry
from tests.host.scenes import deploy, ready, sleeper, status
from tests.host.test_image_policies import image_of, runs

SECRET = "a secret that nobody guesses"
UNIT = "apps/web/web.container"


@pytest.fixture
def port(user):
    """The first of some of this user's own: users of one host share its network."""
    return 20_000 + 2 * (user.uid % 5_000)


@pytest.fixture
def own(user, registry, port):
    """A registry that tells of what is pushed."""
    user.write("hook-secret", SECRET, mode=0o600)
    own = OwnRegistry(user=user, shared=registry, port=port + 1)
    hook = f"http://127.0.0.1:{port}/hooks/images/ours"
    return own.start(webhook=hook, headers={"Authorization": SECRET})


def bare(repository, *args):
    argv = ["git", "-C", str(repository.bare), *args]
    done = subprocess.run(argv, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def start(own, git_server, port):
    """Deploy a repository that may be pushed to, and wait until its first version is good."""
    own.push("podvisor-test:1", "web:1.0.0")
    name = own.image("web:1.0.0")
    text = f"# kept\n{sleeper(image=name)}\n[X-Podvisor]\nImagePolicy=semver:^1\n"
    ours = '[webhooks.registries.ours]\nsender = "distribution"\nsecret = "file:~/hook-secret"\n'
    listen = f'[webhooks]\nlisten = "127.0.0.1:{port}"\n'
    lines = ("writeback = true", 'poll = "10s"', 'writeback_key = "~/signing-key"')
    key = f"/home/{own.user.name}/signing-key"
    own.user.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    repository = deploy(own.user, git_server, {UNIT: text}, *lines, more=listen + ours)
    bare(repository, "config", "http.receivepack", "false")
    ready(own.user, "web")
    runs(own.user, "web", "1.0.0")
    return repository, text


def container(user):
    return user.podman("inspect", "--format={{.Id}}", "systemd-web").stdout.strip()


def test_a_pushed_image_ends_in_a_commit_and_nothing_starts_again(user, own, git_server, port):
    repository, text = start(own, git_server, port)
    before = bare(repository, "rev-parse", "main")
    own.push("podvisor-test:2", "web:1.1.0")
    runs(user, "web", "1.1.0")
    identity = container(user)

    user.wait_for(lambda: "push to" in str(status(user)), what="that the server takes no push")
    assert bare(repository, "rev-parse", "main") == before
    bare(repository, "config", "http.receivepack", "true")
    user.podvisor("reload")

    user.wait_for(lambda: bare(repository, "rev-parse", "main") != before, what="a commit")
    assert bare(repository, "rev-parse", "main~1") == before
    assert bare(repository, "show", f"main:{UNIT}") == text.replace(":1.0.0", ":1.1.0").strip()
    head = bare(repository, "cat-file", "commit", "main")
    assert "BEGIN SSH SIGNATURE" in head
    assert "1.0.0 -> 1.1.0" in head
    tip = bare(repository, "rev-parse", "main")
    user.wait_for(lambda: status(user)["sources"][0]["revision"] == tip, what="its own commit")
    ready(user, "web")
    runs(user, "web", "1.1.0")
    assert container(user) == identity
    user.podvisor("sync")
    assert (container(user), bare(repository, "rev-parse", "main")) == (identity, tip)

    repository.pull()
    repository.commit({UNIT: text})
    user.podvisor("sync")
    runs(user, "web", "1.0.0")
    assert image_of(user, "web")["pinned"]["tag"] == "1.0.0"
    assert "a person took 1.1.0 back in Git" in user.podvisor("images", check=False).stdout
    user.podvisor("unpin", "web")
    runs(user, "web", "1.1.0")
    shown = f"main:{UNIT}"
    user.wait_for(lambda: ":1.1.0" in bare(repository, "show", shown), what="a second commit")
