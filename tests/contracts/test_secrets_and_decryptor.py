"""The `Secrets` and `FileDecryptor` ports."""

from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.secrets import age
from supervisor.adapters.secrets.decryptor import FileDecryptor as RealVault
from supervisor.adapters.secrets.references import SecretReader
from supervisor.controllers.ports import Decryptor, Secrets
from supervisor.model.errors import Failure, Stalled
from supervisor.model.secret import DesiredSecret, SecretKind
from supervisor.model.setting_types import SecretRef
from tests.fakes.ports import FakeDecryptor, FakeSecrets

pytestmark = pytest.mark.anyio


async def none(_: str) -> bytes | None:
    return None


def fake_secrets(folder: Path) -> Secrets:
    made = FakeSecrets()
    made.known[SecretRef(f"file:{folder}/token")] = b"s3cret"
    return made


def real_secrets(folder: Path) -> Secrets:
    path = folder / "token"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    return SecretReader(none)


def fake_vault(_: Path) -> tuple[Decryptor, bytes]:
    return FakeDecryptor(), b"age-encryption.org/sealed:clear"


def real_vault(folder: Path) -> tuple[Decryptor, bytes]:
    secret, recipient = age.new_identity()
    key = folder / "age.key"
    key.write_text(f"{secret}\n")
    key.chmod(0o600)
    decryptor = RealVault(
        state=folder / "state",
        runtime=folder / "run",
        identity=lambda: SecretRef(f"file:{key}"),
        read=SecretReader(none).read,
    )
    return decryptor, age.encrypt(b"clear", [recipient])


def desired(kind: SecretKind, oid: str = "1", name: str = "db") -> DesiredSecret:
    return DesiredSecret(
        name=name, kind=kind, path="db.secret", line=2, place="db.age", oid=oid, length=32
    )


@pytest.fixture(params=[fake_secrets, real_secrets])
def secrets(request: Any, tmp_path: Path) -> Secrets:
    made: Secrets = request.param(tmp_path)
    return made


@pytest.fixture(params=[fake_vault, real_vault])
def sealed(request: Any, tmp_path: Path) -> tuple[Decryptor, bytes]:
    made: tuple[Decryptor, bytes] = request.param(tmp_path)
    return made


async def test_a_secret_is_read_and_one_that_is_not_there_stalls(
    secrets: Secrets, tmp_path: Path
) -> None:
    assert await secrets.read(SecretRef(f"file:{tmp_path}/token")) == b"s3cret"
    with pytest.raises(Stalled) as caught:
        await secrets.read(SecretRef(f"file:{tmp_path}/none"))
    assert caught.value.hint


async def test_what_is_sealed_is_opened_in_order(sealed: tuple[Decryptor, bytes]) -> None:
    decryptor, content = sealed
    made, other = (desired(SecretKind.GENERATE, name=name) for name in ("one", "other"))
    first, second, third = await decryptor.open(
        "web", [(made, b""), (desired(SecretKind.AGE), content), (other, b"")]
    )
    assert second == b"clear"
    assert first
    assert first != third, "each time another value"


async def test_what_cannot_be_opened_says_where(sealed: tuple[Decryptor, bytes]) -> None:
    decryptor, _ = sealed
    with pytest.raises(Failure, match=r"db\.age"):
        await decryptor.open("web", [(desired(SecretKind.AGE), b"age-encryption.org/nonsense")])


async def test_marks_tell_changes(sealed: tuple[Decryptor, bytes]) -> None:
    decryptor, _ = sealed
    assert decryptor.mark(b"a", b"b") == decryptor.mark(b"a", b"b")
    assert decryptor.mark(b"a", b"b") != decryptor.mark(b"ab")
    one, other = desired(SecretKind.AGE), desired(SecretKind.AGE, "2")
    assert decryptor.made_of(one) == decryptor.made_of(desired(SecretKind.AGE))
    assert decryptor.made_of(one) != decryptor.made_of(other)
