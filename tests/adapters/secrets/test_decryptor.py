"""Opening what is encrypted for this host, with real age keys; and marks that tell changes."""

import stat
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from supervisor.adapters.secrets import age
from supervisor.adapters.secrets.decryptor import FileDecryptor
from supervisor.adapters.secrets.references import SecretReader
from supervisor.model.errors import Retry, Stalled
from supervisor.model.secret import DesiredSecret, SecretKind
from supervisor.model.setting_types import SecretRef

CANARY = b"c4n4ry-in-clear"


class Host:
    """A vault with a key of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "age.key"
        secret, self.recipient = age.new_identity()
        self.key.write_text(f"# made by a test\n{secret}\n")
        self.key.chmod(0o600)
        self.decryptor = self.anew()

    def anew(self) -> FileDecryptor:
        async def none(_: str) -> bytes | None:
            return None

        return FileDecryptor(
            state=self.folder / "state",
            runtime=self.folder / "run",
            identity=lambda: SecretRef(f"file:{self.key}"),
            read=SecretReader(none).read,
        )

    def sealed(self, clear: bytes = CANARY) -> bytes:
        return age.encrypt(clear, [self.recipient])

    async def open(self, sealed: bytes, secret: DesiredSecret | None = None) -> bytes:
        (clear,) = await self.decryptor.open("apps/web", [(secret or of_age(), sealed)])
        return clear


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def of_age(name: str = "db", oid: str = "1") -> DesiredSecret:
    return DesiredSecret(
        name=name, kind=SecretKind.AGE, path=f"{name}.secret", line=2, place=f"{name}.age", oid=oid
    )


def of_sops(*key: str) -> DesiredSecret:
    return DesiredSecret(
        name="db", kind=SecretKind.SOPS, path="db.secret", line=2, place="s.yaml", oid="1", key=key
    )


def of_credential(name: str) -> DesiredSecret:
    return DesiredSecret(
        name="db", kind=SecretKind.CREDENTIAL, path="db.secret", line=2, place=name
    )


async def test_opens_text_and_binary_forms(host: Host) -> None:
    recipient = pyrage.x25519.Recipient.from_str(host.recipient)
    for clear in (CANARY, b"two\nlines\n", bytes(range(256))):
        assert await host.open(host.sealed(clear)) == clear
        assert await host.open(pyrage.encrypt(clear, [recipient])) == clear


async def test_opens_several_at_once_in_one_process(host: Host) -> None:
    wanted = [(of_age(str(n), str(n)), host.sealed(b"%d" % n)) for n in range(5)]
    assert await host.decryptor.open("apps/web", wanted) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.fixture
def ssh_key(tmp_path: Path) -> Path:
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


async def test_opens_with_an_ssh_key(host: Host, ssh_key: Path) -> None:
    sealed = age.encrypt(CANARY, [ssh_key.with_suffix(".pub").read_text()])
    host.decryptor.identity = lambda: SecretRef(f"file:{ssh_key}")
    assert await host.open(sealed) == CANARY


@pytest.mark.parametrize(
    ("damage", "why", "hint"),
    [
        (lambda text: age.encrypt(CANARY, [age.new_identity()[1]]), "other keys", "this host too"),
        (lambda text: text[: len(text) // 2], "cut short", "encrypt it anew"),
        (lambda text: b"age-encryption.org/v1\nnonsense", "cut short", "encrypt it anew"),
        (lambda text: b"", "cut short", "encrypt it anew"),
        (lambda text: bytes(range(256)) * 40, "cut short", "encrypt it anew"),
    ],
)
async def test_what_cannot_be_opened(host: Host, damage, why: str, hint: str) -> None:
    with pytest.raises(Stalled) as caught:
        await host.open(damage(host.sealed()))
    said = str(caught.value)
    assert said.startswith("apps/web/db.secret:2: cannot make the secret db of age:db.age: ")
    assert why in said
    assert hint in caught.value.hint


async def test_an_empty_and_an_oversized_one(host: Host) -> None:
    with pytest.raises(Stalled, match="it is empty"):
        await host.open(host.sealed(b""))
    assert len(await host.open(host.sealed(b"x" * 511_999))) == 511_999
    with pytest.raises(Stalled, match=r"512000 bytes, and Podman takes 511999 at most"):
        await host.open(host.sealed(b"x" * 512_000))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda key: key.unlink(), "No such file"),
        (lambda key: key.chmod(0o644), "others can read"),
        (lambda key: key.write_text("hunter2"), "neither an age key nor an SSH key"),
        (lambda key: key.write_text("# only a comment\n"), "comments only"),
    ],
)
async def test_a_key_that_cannot_be_used(host: Host, change, why: str) -> None:
    change(host.key)
    with pytest.raises(Stalled, match=why) as caught:
        await host.open(host.sealed())
    assert "hunter2" not in str(caught.value)


def test_the_daemon_never_loads_the_library() -> None:
    code = "import sys, supervisor.wiring.daemon; print([m for m in sys.modules if 'pyrage' in m])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


async def test_nothing_of_it_is_written_anywhere(host: Host) -> None:
    await host.open(host.sealed())
    for path in host.folder.rglob("*"):
        assert not path.is_file() or CANARY not in path.read_bytes()


async def test_generated_ones_are_letters_and_digits(host: Host) -> None:
    secret = DesiredSecret(name="k", kind=SecretKind.GENERATE, path="k.secret", length=32)
    one, other = await host.decryptor.open("apps/web", [(secret, b"")]), FileDecryptor.generate(32)
    assert len(one[0]) == 32
    assert one[0].isalnum()
    assert one[0].isascii()
    assert one[0] != other


class TestCredentials:
    async def test_they_are_taken_as_they_are(self, host, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "pass").write_bytes(b"1\n")
        assert await host.open(b"", of_credential("pass")) == b"1\n"
        before = host.decryptor.made_of(of_credential("pass"))
        (tmp_path / "pass").write_bytes(b"2\n")
        assert host.decryptor.made_of(of_credential("pass")) != before

    async def test_one_that_is_not_there(self, host, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        with pytest.raises(Stalled, match="cannot read credential none") as caught:
            await host.open(b"", of_credential("none"))
        assert "LoadCredential=none:" in caught.value.hint
        assert host.decryptor.made_of(of_credential("none")) == ""


class TestSops:
    @pytest.fixture
    def sops(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A program of that name, which tells how it was asked."""
        program = tmp_path / "bin" / "sops"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\n"
            '[ "$3" = "[\\"none\\"]" ] && {'
            ' printf "[warning] x\\ncomponent not found\\nnone" >&2; exit 100; }\n'
            '[ "$3" = "[\\"number\\"]" ] && { echo 5; exit; }\n'
            '[ "$3" = "[\\"lines\\"]" ] && { echo 1; echo 2; exit; }\n'
            'printf "%s|%s|%s|%s" "$3" "${4##*.}" "$(cat "$4")" "$SOPS_AGE_KEY_FILE"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return program

    async def test_it_is_asked_for_the_key(self, host: Host, sops: Path) -> None:
        clear = await host.open(b"sealed", of_sops("db", "users", "0"))
        assert clear == f'["db"]["users"][0]|yaml|sealed|{host.key}'.encode()
        assert list((host.folder / "run").iterdir()) == []

    async def test_line_ends_are_those_of_the_value(self, host: Host, sops: Path) -> None:
        assert await host.open(b"sealed", of_sops("number")) == b"5"
        assert await host.open(b"sealed", of_sops("lines")) == b"1\n2\n"

    async def test_its_own_words_when_it_fails(self, host: Host, sops: Path) -> None:
        with pytest.raises(Stalled, match=r"sops says: component not found$"):
            await host.open(b"sealed", of_sops("none"))

    async def test_it_may_not_be_there(self, host: Host, monkeypatch, tmp_path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Stalled, match="sops is not installed") as caught:
            await host.open(b"sealed", of_sops("db"))
        assert "getsops.io" in caught.value.hint


class TestMarks:
    async def test_they_hold_across_restarts_once_something_was_made(self, host: Host) -> None:
        await host.open(host.sealed())
        assert host.anew().made_of(of_age()) == host.decryptor.made_of(of_age())
        key = host.folder / "state" / "marks.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def test_they_are_this_hosts(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        assert Host(tmp_path / "other").decryptor.made_of(of_age()) != host.decryptor.made_of(
            of_age()
        )

    def test_looking_writes_nothing(self, host: Host) -> None:
        host.decryptor.made_of(of_age())
        assert not (host.folder / "state").exists()

    def test_they_tell_changes(self, host: Host) -> None:
        mark = host.decryptor.made_of
        assert mark(of_age(oid="1")) != mark(of_age(oid="2"))
        assert mark(of_sops("a", "b")) != mark(of_sops("ab"))
        assert host.decryptor.mark(b"a", b"b") != host.decryptor.mark(b"ab")
        keys = [
            DesiredSecret(name="k", kind=SecretKind.GENERATE, path="k.secret", length=n)
            for n in (32, 64)
        ]
        assert mark(keys[0]) == mark(keys[1]), "never changed by a deploy"

    async def test_a_folder_that_cannot_be_written(self, host: Host) -> None:
        (host.folder / "state").write_text("in the way")
        assert host.decryptor.made_of(of_age()), "what runs is looked after all the same"
        with pytest.raises(Retry, match="cannot keep"):
            await host.open(host.sealed())

    async def test_a_key_that_could_not_be_read_for_a_while(self, host: Host) -> None:
        await host.open(host.sealed())
        mark, later = host.decryptor.made_of(of_age()), host.anew()
        (host.folder / "state").rename(host.folder / "away")
        assert later.made_of(of_age()) != mark
        (host.folder / "away").rename(host.folder / "state")
        await later.open("apps/web", [(of_age(), host.sealed())])
        assert later.made_of(of_age()) == mark
