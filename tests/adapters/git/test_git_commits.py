"""What is committed to a source's branch: against real repositories, with real keys."""

import os
import shutil
import subprocess

import msgspec
import pytest

from supervisor.adapters.git import command
from supervisor.adapters.git.reader import GitSources
from supervisor.model.errors import Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.writeback import NewCommit

pytestmark = pytest.mark.anyio
AT = 1_700_000_000.0
MESSAGE = "Run web 2\n\nreg.example/web: 1 -> 2\n"
UNIT = "apps/web/web.container"


class Host:
    """A bare repository, and somebody's working copy of it."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.bare, self.work = folder / "home.git", folder / "work"
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.bare))
        self.run("git", "clone", "-q", str(self.bare), str(self.work))
        self.git("checkout", "-q", "-b", "main")
        (self.work / "apps/web").mkdir(parents=True)
        self.push({"README": "r\n", UNIT: "[Container]\nImage=reg.example/web:1\n"})

    def run(self, *argv: str, check: bool = True) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "Me", f"GIT_{who}_EMAIL": "me@example.org"}
        done = subprocess.run(argv, env=env, check=check, capture_output=True, text=True)
        return done.stdout.strip()

    def git(self, *args: str) -> str:
        return self.run("git", "-C", str(self.work), *args)

    def push(self, files: dict[str, str]) -> str:
        for path, text in files.items():
            (self.work / path).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", "by hand")
        self.git("push", "-q", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def hook(self, *lines: str) -> None:
        """Have the server do this when it has been given a push, and before it takes that."""
        path = self.bare / "hooks/pre-receive"
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)

    def shows(self, what: str, *options: str) -> str:
        return self.run("git", "-C", str(self.bare), "show", *options, what)

    def tip(self, branch: str = "main") -> str:
        return self.run("git", "-C", str(self.bare), "rev-parse", "--verify", branch, check=False)


@pytest.fixture
def host(tmp_path):
    (tmp_path / "host").mkdir()
    return Host(tmp_path / "host")


@pytest.fixture
def settings(host):
    return SourceSettings(git=GitUrl(f"file://{host.bare}"), writeback=True)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    return GitSources(folder=tmp_path / "state", limits=LimitSettings())


def second(onto: str, **more: str) -> NewCommit:
    files = {UNIT: b"[Container]\nImage=reg.example/web:2\n"}
    return NewCommit(onto=onto, files=files, message=MESSAGE, at=AT, **more)


async def test_a_commit_changes_its_files_and_nothing_else(host, settings, sources):
    (host.work / UNIT).chmod(0o700)
    host.push({"README": "r2\n"})
    onto = (await sources.fetch("home", settings)).revision
    oid = (await sources.commit("home", settings, second(onto))).oid
    assert host.tip() == oid
    assert host.shows(oid, "--format=%P", "--no-patch") == onto
    assert host.run("git", "-C", str(host.bare), "diff", "--name-only", onto, oid) == UNIT
    assert host.shows(f"{oid}:{UNIT}") == "[Container]\nImage=reg.example/web:2"
    assert host.shows(oid, "--format=%B", "--no-patch") == MESSAGE.strip()
    who = f"podvisor <podvisor@{os.uname().nodename}>"
    both = host.shows(oid, "--format=%an <%ae>|%cn <%ce>|%at", "--no-patch")
    assert both == f"{who}|{who}|{AT:.0f}"
    mode = host.run("git", "-C", str(host.bare), "ls-tree", oid, UNIT)
    assert mode.startswith("100755 ")
    assert (await sources.fetch("home", settings)).revision == oid


async def test_who_it_is_by_is_as_the_settings_say(host, settings, sources):
    settings = msgspec.structs.replace(settings, ref="main", writeback_author="A B <a@b.example>")
    onto = (await sources.fetch("home", settings)).revision
    oid = (await sources.commit("home", settings, second(onto))).oid
    assert host.shows(oid, "--format=%an <%ae>", "--no-patch") == "A B <a@b.example>"


async def test_a_branch_that_moved_is_left_alone(host, settings, sources):
    onto = (await sources.fetch("home", settings)).revision
    theirs = host.push({"README": "r2\n"})
    assert not await sources.commit("home", settings, second(onto))
    assert host.tip() == theirs
    onto = (await sources.fetch("home", settings)).revision
    oid = (await sources.commit("home", settings, second(onto))).oid
    assert host.shows(oid, "--format=%P", "--no-patch") == theirs


async def test_one_that_moves_while_it_is_pushed_is_not_overwritten(
    host, settings, sources, monkeypatch
):
    onto = (await sources.fetch("home", settings)).revision
    real, theirs = command.run, []

    async def run(argv, **options):
        if "commit-tree" in argv:
            theirs.append(host.push({"README": "r2\n"}))
        return await real(argv, **options)

    monkeypatch.setattr(command, "run", run)
    assert not await sources.commit("home", settings, second(onto))
    assert [host.tip()] == theirs


async def test_what_is_dropped_from_a_branch_meanwhile_is_not_brought_back(
    host, settings, sources, monkeypatch
):
    before = (await sources.fetch("home", settings)).revision
    host.push({"README": "to be dropped\n"})
    onto = (await sources.fetch("home", settings)).revision
    real = command.run

    async def run(argv, **options):
        if "commit-tree" in argv:
            host.git("push", "-q", "--force", "origin", f"{before}:main")
        return await real(argv, **options)

    monkeypatch.setattr(command, "run", run)
    assert not await sources.commit("home", settings, second(onto))
    assert host.tip() == before


async def test_one_that_moves_while_the_server_takes_the_push_is_not_overwritten(
    host, settings, sources
):
    before = host.tip()
    host.push({"README": "r2\n"})
    onto = (await sources.fetch("home", settings)).revision
    host.hook(f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {before}")
    assert not await sources.commit("home", settings, second(onto))
    assert host.tip() == before


async def test_a_name_that_the_server_cannot_have_is_said_and_not_tried_for_ever(
    host, settings, sources
):
    settings = msgspec.structs.replace(settings, writeback_branch="main/podvisor")
    onto = (await sources.fetch("home", settings)).revision
    with pytest.raises(Stalled, match=r"'refs/heads/main' exists|refname conflict"):
        await sources.commit("home", settings, second(onto))


@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1"])
async def test_a_tag_is_no_branch(host, settings, sources, ref):
    host.git("tag", "v1")
    host.git("push", "-q", "origin", "v1")
    settings = msgspec.structs.replace(settings, ref=ref)
    onto = (await sources.fetch("home", settings)).revision
    with pytest.raises(Stalled, match="no branch"):
        await sources.commit("home", settings, second(onto))


async def test_a_branch_that_the_server_protects_is_said_so(host, settings, sources):
    host.hook("echo ! [rejected] GH006: Protected branch update failed >&2", "echo >&2", "exit 1")
    onto = (await sources.fetch("home", settings)).revision
    with pytest.raises(Stalled, match=r"branch main \(pre-receive hook.*GH006") as met:
        await sources.commit("home", settings, second(onto))
    assert "writeback_branch" in met.value.hint
    assert host.tip() == onto


async def test_a_branch_of_its_own_is_kept_up_to_date(host, settings, sources):
    settings = msgspec.structs.replace(settings, writeback_branch="podvisor-updates")
    onto = (await sources.fetch("home", settings)).revision
    first = (await sources.commit("home", settings, second(onto))).oid
    assert (host.tip("podvisor-updates"), host.tip()) == (first, onto)
    onto = host.push({"README": "r2\n"})
    await sources.fetch("home", settings)
    then = (await sources.commit("home", settings, second(onto, replaces=first))).oid
    assert host.tip("podvisor-updates") == then
    assert host.shows(then, "--format=%P", "--no-patch") == onto
    with pytest.raises(Stalled, match="holds what was not pushed from here for this source"):
        await sources.commit("home", settings, second(onto, replaces=first))
    host.run("git", "-C", str(host.bare), "branch", "-D", "podvisor-updates")
    assert await sources.commit("home", settings, second(onto, replaces=then))


async def test_a_server_that_lets_no_branch_be_replaced_is_said_with_the_way_out(
    host, settings, sources
):
    settings = msgspec.structs.replace(settings, writeback_branch="podvisor-updates")
    onto = (await sources.fetch("home", settings)).revision
    first = (await sources.commit("home", settings, second(onto))).oid
    bare = ("git", "-C", str(host.bare))
    host.run(*bare, "config", "receive.denyNonFastForwards", "true")  # as init --shared has it
    onto = host.push({"README": "r2\n"})
    await sources.fetch("home", settings)
    with pytest.raises(Stalled, match="non-fast-forward") as met:
        await sources.commit("home", settings, second(onto, replaces=first))
    assert "remove it" in met.value.hint
    host.run(*bare, "branch", "-D", "podvisor-updates")
    assert await sources.commit("home", settings, second(onto, replaces=first))


async def test_the_branch_that_is_followed_is_never_its_own(host, settings, sources):
    settings = msgspec.structs.replace(settings, writeback_branch="main")
    onto = (await sources.fetch("home", settings)).revision
    with pytest.raises(Stalled, match="is followed"):
        await sources.commit("home", settings, second(onto, replaces=onto))
    assert host.tip() == onto


async def test_a_commit_signed_by_ssh_is_verified_here(host, settings, sources, tmp_path):
    key, signers = tmp_path / "key", tmp_path / "signers"
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    onto = (await sources.fetch("home", settings)).revision
    settings = msgspec.structs.replace(settings, writeback_key=str(key))
    oid = (await sources.commit("home", settings, second(onto))).oid
    signers.write_text(f"podvisor@host {key.with_suffix('.pub').read_text()}")
    signers.chmod(0o644)
    settings = msgspec.structs.replace(settings, verify="ssh", allowed_signers=str(signers))
    assert (await sources.fetch("home", settings)).revision == oid


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")
async def test_a_commit_signed_by_openpgp_is_verified_here(host, settings, sources, tmp_path):
    home, key, signers = tmp_path / "gnupg", tmp_path / "key.asc", tmp_path / "signers.asc"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode=loopback")
    who = "podvisor@host.example"
    host.run(*gpg, "--passphrase=", "--quick-generate-key", who, "ed25519", "sign", "never")
    key.write_text(host.run(*gpg, "--passphrase=", "--armor", "--export-secret-keys", who))
    key.chmod(0o600)
    signers.write_text(host.run(*gpg, "--armor", "--export", who))
    host.run("gpgconf", "--homedir", str(home), "--kill", "all", check=False)
    onto = (await sources.fetch("home", settings)).revision
    settings = msgspec.structs.replace(settings, writeback_key=str(key))
    oid = (await sources.commit("home", settings, second(onto))).oid
    settings = msgspec.structs.replace(settings, verify="gpg", allowed_signers=str(signers))
    assert (await sources.fetch("home", settings)).revision == oid
    assert not list((tmp_path / "state").glob(".sign-*"))


async def test_a_key_that_cannot_sign_is_said_so(host, settings, sources, tmp_path):
    onto = (await sources.fetch("home", settings)).revision
    key = tmp_path / "key"
    settings = msgspec.structs.replace(settings, writeback_key=str(key))
    with pytest.raises(Stalled, match="No such file"):
        await sources.commit("home", settings, second(onto))
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key))
    with pytest.raises(Stalled, match="cannot sign with") as met:
        await sources.commit("home", settings, second(onto))
    assert "passphrase" in met.value.hint
    assert host.tip() == onto
