import pytest

from supervisor.adapters.secrets.references import SecretReader
from supervisor.model.errors import Stalled
from supervisor.model.setting_types import SecretRef


async def of_podman(name):
    return {"token": b"from podman\n", "empty": b""}.get(name)


@pytest.fixture
def reader():
    return SecretReader(of_podman)


async def test_reads_a_private_file(reader, tmp_path):
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert await reader.read(SecretRef(f"file:{path}")) == b"s3cret"


@pytest.mark.parametrize(
    ("mode", "content", "why"),
    [
        (0o640, "s3cret", "others can read"),
        (0o602, "s3cret", "others can read or change"),
        (0o600, "\n", "is empty"),
        (0o600, "x" * 70_000, "larger than 64 KiB"),
    ],
)
async def test_refuses_a_file_without_saying_what_is_in_it(reader, tmp_path, mode, content, why):
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(Stalled, match=why) as caught:
        await reader.read(SecretRef(f"file:{path}"))
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)


async def test_refuses_what_is_not_there_or_no_file(reader, tmp_path):
    with pytest.raises(Stalled, match="No such file"):
        await reader.read(SecretRef(f"file:{tmp_path}/none"))
    with pytest.raises(Stalled, match="cannot read"):
        await reader.read(SecretRef(f"file:{tmp_path}"))


async def test_reads_a_credential_of_the_service(reader, tmp_path, monkeypatch):
    with pytest.raises(Stalled, match="the service has none"):
        await reader.read(SecretRef("credential:token"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "token").write_bytes(b"s3cret\r\n")
    assert await reader.read(SecretRef("credential:token")) == b"s3cret"
    with pytest.raises(Stalled, match="cannot read credential other"):
        await reader.read(SecretRef("credential:other"))


async def test_asks_podman(reader):
    assert await reader.read(SecretRef("podman:token")) == b"from podman"
    with pytest.raises(Stalled, match="has no secret none"):
        await reader.read(SecretRef("podman:none"))
    with pytest.raises(Stalled, match="is empty"):
        await reader.read(SecretRef("podman:empty"))
