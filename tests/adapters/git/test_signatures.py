"""Only revisions that the allowed signers signed are taken; real keys, real signatures."""

import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from supervisor.adapters.git import command
from supervisor.adapters.git.reader import GitSources
from supervisor.model.errors import Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import LimitSettings, SourceSettings

pytestmark = pytest.mark.anyio
needs_gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="gpg is not installed")


class Author:
    """Somebody with a repository and keys, who commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.gnupg = folder / "gnupg"
        self.run("git", "init", "-q", "-b", "main", str(self.work))

    def run(self, *argv: str, check: bool = True, stdin: str = "") -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GNUPGHOME": str(self.gnupg)}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "Mallory", f"GIT_{who}_EMAIL": "m@example.org"}
        return subprocess.run(
            argv, env=env, check=check, capture_output=True, text=True, input=stdin
        ).stdout.strip()

    def git(self, *args: str, config: tuple[str, ...] = ()) -> str:
        return self.run(
            "git", "-C", str(self.work), *(part for one in config for part in ("-c", one)), *args
        )

    def ssh_key(self, name: str) -> Path:
        key = self.folder / name
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key))
        return key

    def gpg_key(self, name: str, expire: str = "never") -> str:
        """Make a key; gives its armoured public half."""
        self.gnupg.mkdir(mode=0o700, exist_ok=True)
        plain = ("gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase=")
        self.run(*plain, "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign",
                 expire)  # fmt: skip
        return self.run("gpg", "--armor", "--export", f"{name}@example.org")

    def commit(self, text: str, *, ssh: Path | None = None, gpg: str = "") -> str:
        (self.work / "f").write_text(text)
        self.git("add", "f")
        self.git("commit", "-q", "-m", text, *_signing("-S", ssh, gpg), config=_config(ssh))
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str, *, ssh: Path | None = None, gpg: str = "") -> str:
        how = _signing("-s", ssh, gpg) or ["-a"]
        self.git("tag", "-f", *how, "-m", name, name, config=_config(ssh))
        return self.git("rev-parse", name)


def _config(ssh: Path | None) -> tuple[str, ...]:
    return ("gpg.format=ssh", f"user.signingKey={ssh}") if ssh else ()


def _signing(word: str, ssh: Path | None, gpg: str) -> list[str]:
    if ssh:
        return [word]
    if gpg:
        return [f"-S{gpg}@example.org"] if word == "-S" else ["-u", f"{gpg}@example.org"]
    return []


@pytest.fixture
def author(tmp_path):
    made = Author(tmp_path / "author" if (tmp_path / "author").mkdir() is None else tmp_path)
    yield made
    if made.gnupg.exists():
        made.run("gpgconf", "--kill", "all", check=False)


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return make_sources(tmp_path)


def make_sources(tmp_path):
    return GitSources(
        folder=tmp_path / "state",
        limits=LimitSettings(fetch_timeout=Seconds(60)),
        installed=tmp_path / "installed",
    )


@pytest.fixture
def by_ssh(author, tmp_path):
    """Settings that allow one ssh key, and the key."""
    key = author.ssh_key("alice")
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"alice@example.org {key.with_suffix('.pub').read_text()}")
    settings = SourceSettings(
        git=GitUrl(f"file://{author.work}"), verify="ssh", allowed_signers=str(signers)
    )
    return settings, key, signers


@pytest.fixture
def by_gpg(author, tmp_path):
    signers = tmp_path / "signers.asc"
    signers.write_text(author.gpg_key("alice"))
    return SourceSettings(
        git=GitUrl(f"file://{author.work}"), verify="gpg", allowed_signers=str(signers)
    ), signers


async def refusal(sources, settings):
    with pytest.raises(Stalled) as caught:
        await sources.fetch("s", settings)
    return f"{caught.value} ({caught.value.hint})"


async def test_what_an_allowed_key_signed_is_taken(sources, author, by_ssh):
    settings, key, _ = by_ssh
    one = author.commit("1", ssh=key)
    first = await sources.fetch("s", settings)
    assert first.revision == one
    assert await sources.fetch("s", settings) is first
    two = author.commit("2", ssh=key)
    assert (await sources.fetch("s", settings)).revision == two


async def test_what_nobody_signed_is_refused_and_the_last_good_one_stays(
    sources, author, by_ssh, tmp_path
):
    settings, key, _ = by_ssh
    good = author.commit("1", ssh=key)
    first = await sources.fetch("s", settings)
    bad = author.commit("2")
    said = await refusal(sources, settings)
    assert f"cannot deploy revision {bad[:8]}" in said
    assert "made by Mallory <m@example.org>" in said
    assert "it is not signed" in said
    assert await sources.stored("s") == first
    assert (await make_sources(tmp_path).stored("s")).revision == good
    assert await sources.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}


async def test_it_is_verified_once_and_not_at_every_poll(sources, author, by_ssh, monkeypatch):
    settings, key, _ = by_ssh
    author.commit("1", ssh=key)
    await sources.fetch("s", settings)
    author.commit("2")
    said = await refusal(sources, settings)
    calls = []
    real = command.run

    async def counted(argv, **kwargs):
        calls.append(list(argv))
        return await real(argv, **kwargs)

    monkeypatch.setattr(command, "run", counted)
    assert await refusal(sources, settings) == said
    assert len(calls) == 1, "the fetch that any poll makes"


async def test_the_wrong_key_is_named(sources, author, by_ssh):
    settings, _, signers = by_ssh
    wrong = author.ssh_key("mallory")
    author.commit("1", ssh=wrong)
    fingerprint = author.run("ssh-keygen", "-lf", str(wrong)).split()[1]
    said = await refusal(sources, settings)
    assert f"signed by the ED25519 key {fingerprint}, which {signers} does not allow" in said
    assert await sources.stored("s") is None


async def test_other_signers_are_looked_at_again(sources, author, by_ssh):
    settings, key, signers = by_ssh
    allowed = signers.read_text()
    other = author.ssh_key("bob")
    revision = author.commit("1", ssh=other)
    await refusal(sources, settings)
    signers.write_text(f"{allowed}bob {other.with_suffix('.pub').read_text()}")
    assert (await sources.fetch("s", settings)).revision == revision
    signers.write_text(allowed)
    await refusal(sources, settings)
    off = msgspec.structs.replace(settings, verify="", allowed_signers="")
    assert (await sources.fetch("s", off)).revision == revision
    await refusal(sources, settings)
    assert key.exists()


async def test_what_follows_a_refused_one_is_taken(sources, author, by_ssh):
    settings, key, _ = by_ssh
    author.commit("1", ssh=key)
    await sources.fetch("s", settings)
    author.commit("2")
    await refusal(sources, settings)
    three = author.commit("3", ssh=key)
    assert (await sources.fetch("s", settings)).revision == three


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_ref_forced_back_to_the_last_good_one_is_well_again(
    sources, author, by_ssh, tmp_path, restarted
):
    settings, key, _ = by_ssh
    good = author.commit("1", ssh=key)
    await sources.fetch("s", settings)
    author.commit("2")
    await refusal(sources, settings)
    author.git("reset", "-q", "--hard", good)
    if restarted:
        sources = make_sources(tmp_path)
    assert (await sources.fetch("s", settings)).revision == good
    assert (await sources.fetch("s", settings)).revision == good


async def test_the_last_good_one_is_kept_while_newer_ones_are_refused(
    sources, author, by_ssh, tmp_path
):
    settings, key, _ = by_ssh
    author.commit("1", ssh=key)
    first = await sources.fetch("s", settings)
    author.commit("2")
    await refusal(sources, settings)
    for old in tmp_path.glob("state/s.git/objects/*/*"):
        os.utime(old, (1, 1))
    await sources._source("s").store.collect()
    assert await sources.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}


async def test_a_changed_commit_with_an_old_signature_is_refused(sources, author, by_ssh):
    settings, key, _ = by_ssh
    author.commit("1", ssh=key)
    content = author.run("git", "-C", str(author.work), "cat-file", "commit", "HEAD")
    forged = content.replace("committer Mallory", "committer Somebody") + "\n"
    oid = author.run(
        "git", "-C", str(author.work), "hash-object", "-t", "commit", "-w", "--stdin", stdin=forged
    )
    author.git("reset", "-q", "--hard", oid)
    assert "cannot deploy" in await refusal(sources, settings)


async def test_the_users_own_signers_and_programs_do_not_count(
    sources, author, by_ssh, tmp_path, monkeypatch
):
    settings, _, _ = by_ssh
    wrong = author.ssh_key("mallory")
    author.commit("1", ssh=wrong)
    trusting = tmp_path / "trusting"
    trusting.write_text(f"mallory {wrong.with_suffix('.pub').read_text()}")
    lies = tmp_path / "lies"
    lies.write_text(
        "#!/bin/sh\necho 'Good \"git\" signature for alice with ED25519 key SHA256:x'\n"
    )
    lies.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f'[gpg]\nprogram={lies}\n[gpg "ssh"]\nallowedSignersFile={trusting}\nprogram={lies}\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert "does not allow" in await refusal(sources, settings)


async def test_tags_are_verified_themselves(sources, author, by_ssh):
    settings, key, _ = by_ssh
    commit = author.commit("1", ssh=key)
    author.tag("v1", ssh=key)
    author.tag("unsigned")
    author.git("tag", "light")
    at = {ref: msgspec.structs.replace(settings, ref=ref) for ref in ("v1", "unsigned", "light")}
    assert (await sources.fetch("s", at["v1"])).revision == commit
    assert (await sources.fetch("s", at["light"])).revision == commit
    said = await refusal(sources, at["unsigned"])
    assert "cannot deploy tag unsigned" in said
    assert "it is not signed" in said


async def test_a_signed_tag_under_another_name_is_refused(sources, author, by_ssh):
    settings, key, _ = by_ssh
    author.commit("old", ssh=key)
    old = author.tag("v1", ssh=key)
    author.git("update-ref", "refs/tags/v2", old)
    said = await refusal(sources, msgspec.structs.replace(settings, ref="v2"))
    assert "cannot deploy tag v1: `ref` asks for v2" in said


async def test_a_signature_for_something_else_than_git_is_refused(sources, author, by_ssh):
    settings, key, signers = by_ssh
    author.commit("1", ssh=key)
    public = key.with_suffix(".pub").read_text()
    signers.write_text(f'alice namespaces="file" {public}')
    assert "cannot deploy" in await refusal(sources, settings)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o600, "cannot read the allowed signers"),
        ("", 0o600, "it names nobody"),
        ("# nobody yet\n", 0o600, "it names nobody"),
        ("alice ssh-ed25519 AAAA\n", 0o666, "others can change it (chmod go-w"),
    ],
)
async def test_a_file_of_signers_that_cannot_be_trusted(sources, by_ssh, content, mode, said):
    settings, _, signers = by_ssh
    signers.unlink()
    if content is not None:
        signers.write_text(content)
        signers.chmod(mode)
    assert said in await refusal(sources, settings)


async def test_signers_that_come_from_a_source_are_refused(sources, author, by_ssh, tmp_path):
    settings, key, signers = by_ssh
    author.commit("1", ssh=key)
    inside = tmp_path / "installed" / "web" / "allowed_signers"
    inside.parent.mkdir(parents=True)
    signers.rename(inside)
    signers.symlink_to(inside)
    assert "it comes from a source itself" in await refusal(sources, settings)


async def test_without_the_program_it_says_how_to_get_it(sources, author, by_ssh, monkeypatch):
    settings, key, _ = by_ssh
    author.commit("1", ssh=key)
    bare = author.folder / "bin"
    bare.mkdir()
    (bare / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(bare))
    said = await refusal(sources, settings)
    assert "ssh-keygen is not installed (apt install openssh-client)" in said


@needs_gpg
async def test_gpg_takes_what_an_allowed_key_signed(sources, author, by_gpg):
    settings, _ = by_gpg
    commit = author.commit("1", gpg="alice")
    assert (await sources.fetch("s", settings)).revision == commit
    author.tag("v1", gpg="alice")
    tagged = msgspec.structs.replace(settings, ref="v1")
    assert (await sources.fetch("s", tagged)).revision == commit
    assert [path.name for path in sources._folder.iterdir()] == ["s.git"], "nothing is left behind"


@needs_gpg
async def test_gpg_names_the_key_that_nobody_allowed(sources, author, by_gpg):
    settings, signers = by_gpg
    author.gpg_key("mallory")
    author.commit("1", gpg="mallory")
    said = await refusal(sources, settings)
    key = author.run("gpg", "--with-colons", "--list-keys", "mallory@example.org")
    key_id = next(line for line in key.splitlines() if line.startswith("pub")).split(":")[4]
    assert f"signed by the OpenPGP key {key_id}: no key of {signers} made it" in said


@needs_gpg
async def test_the_users_own_keyring_does_not_count(sources, author, by_gpg, monkeypatch):
    settings, _ = by_gpg
    author.gpg_key("mallory")
    author.commit("1", gpg="mallory")
    monkeypatch.setenv("GNUPGHOME", str(author.gnupg))
    assert "cannot deploy" in await refusal(sources, settings)


@needs_gpg
async def test_one_kind_of_signature_is_not_the_other(sources, author, by_ssh, by_gpg):
    ssh, key, _ = by_ssh
    gpg, _ = by_gpg
    author.commit("1", gpg="alice")
    assert "it is signed by gpg, not ssh" in await refusal(sources, ssh)
    author.commit("2", ssh=key)
    assert "it is signed by ssh, not gpg" in await refusal(sources, gpg)


@needs_gpg
async def test_a_file_without_keys_says_how_to_make_one(sources, author, by_gpg):
    settings, signers = by_gpg
    author.commit("1", gpg="alice")
    signers.write_text("alice\n")
    said = await refusal(sources, settings)
    assert "cannot read the keys" in said
    assert "gpg --armor --export" in said


async def test_what_a_commit_says_of_itself_cannot_write_over_a_terminal(sources, author, by_ssh):
    settings, _, _ = by_ssh
    tree = author.git("mktree")
    who = "\x1b[2J\x07" + "x" * 5_000
    forged = f"tree {tree}\nauthor a <a@b> 0 +0000\ncommitter {who} <c@d> 0 +0000\n\nx\n"
    oid = author.run(
        *("git", "-C", str(author.work)),
        *("hash-object", "-t", "commit", "-w", "--stdin", "--literally"),
        stdin=forged,
    )  # fmt: skip
    author.git("update-ref", "refs/heads/main", oid)
    said = await refusal(sources, settings)
    assert said.isprintable()
    assert len(said) < 500
    assert "it is not signed (sign it (git commit -S" in said
