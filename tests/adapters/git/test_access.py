"""Which key and which server's keys ssh is given; with git, and a program in the place of ssh."""

import os
import shlex
import subprocess

import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.model.errors import Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import LimitSettings, SourceSettings

pytestmark = pytest.mark.anyio
LINES = "git.example.org ssh-ed25519 AAAA\n"
SSH = """\
#!/bin/sh
printf '%s\\n' "$@" >{told}
for last; do :; done
exec sh -c "$last"
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What ssh was told, a word a line."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    told = tmp_path / "told"
    (programs / "ssh").write_text(SSH.format(told=shlex.quote(str(told))))
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    repository = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", str(repository)], check=True, env=env)
    subprocess.run(
        ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q",
         "--allow-empty", "-m", "Begin"],
        check=True, env=env,
    )  # fmt: skip
    return told


@pytest.fixture
def sources(tmp_path):
    return GitSources(folder=tmp_path / "state", limits=LimitSettings(fetch_timeout=Seconds(60)))


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "deploy key"
    path.write_text("a key")
    path.chmod(0o600)
    return path


def settings(tmp_path, **more):
    return SourceSettings(git=GitUrl(f"git@git.example.org:{tmp_path}/repo"), **more)


async def test_ssh_is_given_this_key_and_no_other(sources, told, key, tmp_path):
    await sources.fetch("s", settings(tmp_path, ssh_key="~/deploy key"))
    words = told.read_text().splitlines()
    assert f'-oIdentityFile="{key}"' in words
    assert {"-oIdentitiesOnly=yes", "-oBatchMode=yes", "git@git.example.org"} < set(words)
    assert not any("KnownHosts" in word for word in words)


@pytest.mark.parametrize("as_lines", [True, False])
async def test_only_these_keys_of_the_server_are_accepted(sources, told, tmp_path, as_lines):
    path = tmp_path / "state/s.known_hosts"
    if not as_lines:
        path = tmp_path / "known"
        path.write_text(LINES)
    await sources.fetch("s", settings(tmp_path, known_hosts=LINES if as_lines else str(path)))
    assert {
        f'-oUserKnownHostsFile="{path}"',
        "-oGlobalKnownHostsFile=/dev/null",
        "-oStrictHostKeyChecking=yes",
        "-oUpdateHostKeys=no",
    } < set(told.read_text().splitlines())
    assert path.read_text() == LINES


async def test_other_lines_count_at_the_next_fetch(sources, told, tmp_path):
    await sources.fetch("s", settings(tmp_path, known_hosts=LINES))
    await sources.fetch("s", settings(tmp_path, known_hosts=LINES * 2))
    assert (tmp_path / "state/s.known_hosts").read_text() == LINES * 2


async def test_the_settings_count_more_than_the_environment(
    sources, told, key, tmp_path, monkeypatch
):
    monkeypatch.setenv("GIT_SSH_COMMAND", "/bin/false")
    await sources.fetch("s", settings(tmp_path, ssh_key=str(key)))
    assert told.exists()
    with pytest.raises(Exception, match="cannot fetch"):
        await sources.fetch("t", settings(tmp_path))


async def test_a_key_can_be_a_credential_of_the_service(sources, told, key, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key.rename(tmp_path / "deploy")
    await sources.fetch("s", settings(tmp_path, ssh_key="credential:deploy"))
    assert f'-oIdentityFile="{tmp_path}/deploy"' in told.read_text()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(Stalled, match="credential deploy: the service has none") as caught:
        await sources.fetch("s", settings(tmp_path, ssh_key="credential:deploy"))
    assert "LoadCredential=deploy:PATH" in caught.value.hint


async def test_a_key_that_others_can_read_is_not_used(sources, told, key, tmp_path):
    key.chmod(0o640)
    with pytest.raises(Stalled, match="others can read or change it") as caught:
        await sources.fetch("s", settings(tmp_path, ssh_key=str(key)))
    assert caught.value.hint == f"chmod 600 {key}"
    assert not told.exists()


@pytest.mark.parametrize("word", ["ssh_key", "known_hosts"])
async def test_what_is_not_there_is_said_with_how_to_make_it(sources, told, tmp_path, word):
    with pytest.raises(Stalled, match=r"[Nn]o such file") as caught:
        await sources.fetch("s", settings(tmp_path, **{word: str(tmp_path / "none")}))
    assert caught.value.hint.startswith(("ssh-keygen", "ssh-keyscan"))
