"""The `Secrets` and `SecretOpener` ports."""

from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.secrets import age
from supervisor.adapters.secrets.decryptor import Decryptor as RealVault
from supervisor.adapters.secrets.references import SecretReader
from supervisor.controllers.ports import SecretOpener, Secrets
from supervisor.model.errors import Failure, Stalled
from supervisor.model.secret import DesiredSecret, SecretKind
from supervisor.model.settings import SecretRef
from tests.fakes.ports import FakeSecretOpener, FakeSecrets

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


def fake_vault(_: Path) -> tuple[SecretOpener, bytes]:
    return FakeSecretOpener(), b"age-encryption.org/sealed:clear"


def real_vault(folder: Path) -> tuple[SecretOpener, bytes]:
    secret, recipient = age.new_identity()
    key = folder / "age.key"
    key.write_text(f"{secret}\n")
    key.chmod(0o600)
    opener = RealVault(
        state=folder / "state",
        runtime=folder / "run",
        identity=SecretRef(f"file:{key}"),
        read=SecretReader(none).read,
    )
    return opener, age.encrypt(b"clear", [recipient])


def desired(kind: SecretKind, oid: str = "1", name: str = "db") -> DesiredSecret:
    return DesiredSecret(
        name=name, kind=kind, path="db.secret", line=2, place="db.age", oid=oid, length=32
    )


@pytest.fixture(params=[fake_secrets, real_secrets])
def secrets(request: Any, tmp_path: Path) -> Secrets:
    made: Secrets = request.param(tmp_path)
    return made


@pytest.fixture(params=[fake_vault, real_vault])
def sealed(request: Any, tmp_path: Path) -> tuple[SecretOpener, bytes]:
    made: tuple[SecretOpener, bytes] = request.param(tmp_path)
    return made


async def test_a_secret_is_read_and_one_that_is_not_there_stalls(
    secrets: Secrets, tmp_path: Path
) -> None:
    assert await secrets.read(SecretRef(f"file:{tmp_path}/token")) == b"s3cret"
    with pytest.raises(Stalled) as caught:
        await secrets.read(SecretRef(f"file:{tmp_path}/none"))
    assert caught.value.hint


async def test_what_is_sealed_is_opened_in_order(sealed: tuple[SecretOpener, bytes]) -> None:
    opener, content = sealed
    made, other = (desired(SecretKind.GENERATE, name=name) for name in ("one", "other"))
    first, second, third = await opener.open(
        "web", [(made, b""), (desired(SecretKind.AGE), content), (other, b"")]
    )
    assert second == b"clear"
    assert first
    assert first != third, "each time another value"


async def test_what_cannot_be_opened_says_where(sealed: tuple[SecretOpener, bytes]) -> None:
    opener, _ = sealed
    with pytest.raises(Failure, match=r"db\.age"):
        await opener.open("web", [(desired(SecretKind.AGE), b"age-encryption.org/nonsense")])


async def test_marks_tell_changes(sealed: tuple[SecretOpener, bytes]) -> None:
    opener, _ = sealed
    assert opener.mark(b"a", b"b") == opener.mark(b"a", b"b")
    assert opener.mark(b"a", b"b") != opener.mark(b"ab")
    one, other = desired(SecretKind.AGE), desired(SecretKind.AGE, "2")
    assert opener.made_of(one) == opener.made_of(desired(SecretKind.AGE))
    assert opener.made_of(one) != opener.made_of(other)
