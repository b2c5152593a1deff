"""The `SourceReader` port."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.controllers.ports import SourceReader
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Failure, Stalled
from supervisor.model.image import TagDigest
from supervisor.model.settings import LimitSettings, SourceSettings
from tests.fakes.artifacts import Pushed, digest, flux
from tests.fakes.ports import FakeReader

pytestmark = pytest.mark.anyio
WEB = {"web/web.container": "v=1", "web/conf": "one"}


class Side(Protocol):
    reader: SourceReader
    settings: SourceSettings

    def put(self, files: dict[str, str]) -> None:
        """The source holds these."""

    def fail(self) -> None:
        """The source cannot be read any more."""


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.reader = FakeReader()
        self.settings = SourceSettings(folder="/home/pi/apps")

    def put(self, files: dict[str, str]) -> None:
        self.reader.put("home", files)

    def fail(self) -> None:
        self.reader.failures["home"] = Stalled("it is gone")


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "apps"
        self.reader = GitSources(folder=folder / "state", limits=LimitSettings())
        self.settings = SourceSettings(folder=str(self.folder))

    def put(self, files: dict[str, str]) -> None:
        self.fail()
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)

    def fail(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Registry:
    """A registry with one artifact."""

    def __init__(self) -> None:
        self.pushed: Pushed | None = None

    async def digest(self, _: str) -> TagDigest:
        if self.pushed is None:
            raise Stalled("it is gone")
        return TagDigest(digest=self.pushed.digest)

    async def manifest(self, _: str) -> bytes:
        return self.pushed.manifest if self.pushed else b""

    async def referrers(self, _: str) -> bytes:
        return b""

    async def blob(self, image: str, *, size: int, path: str, timeout_seconds: float) -> None:
        blobs = {digest(one): one for one in (self.pushed.blobs if self.pushed else ())}
        content = blobs[image.partition("@")[2]]
        assert len(content) == size
        assert 0 < timeout_seconds <= LimitSettings().fetch_timeout
        Path(path).write_bytes(content)  # noqa: ASYNC240  # a test

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        yield


class ArtifactSide:
    def __init__(self, folder: Path) -> None:
        self.registry = Registry()
        self.reader = GitSources(
            folder=folder / "state", limits=LimitSettings(), artifacts=self.registry
        )
        self.settings = SourceSettings(oci="registry.example/me/apps:main")

    def put(self, files: dict[str, str]) -> None:
        self.registry.pushed = flux(files)

    def fail(self) -> None:
        self.registry.pushed = None


@pytest.fixture(params=[FakeSide, RealSide, ArtifactSide])
def side(request: Any, tmp_path: Path) -> Side:
    made: Side = request.param(tmp_path)
    return made


async def test_what_is_fetched_can_be_read(side: Side) -> None:
    assert await side.reader.stored("home") is None
    side.put(WEB)
    snapshot = await side.reader.fetch("home", side.settings)
    assert snapshot.source == "home"
    assert {file.path: file.oid for file in snapshot.files} == {
        path: blob_id(text.encode()) for path, text in WEB.items()
    }
    assert list(snapshot.files) == sorted(snapshot.files)
    oids = [file.oid for file in snapshot.files]
    assert await side.reader.holds("home", oids)
    found = await side.reader.read("home", oids)
    assert sorted(found.values()) == [b"one", b"v=1"]
    assert await side.reader.read("home", []) == {}


async def test_what_is_not_there_stalls(side: Side) -> None:
    side.put(WEB)
    snapshot = await side.reader.fetch("home", side.settings)
    known = snapshot.files[0].oid
    assert not await side.reader.holds("home", [known, "0" * 40])
    with pytest.raises(Stalled):
        await side.reader.read("home", [known, "0" * 40])


async def test_the_same_content_is_the_same_revision(side: Side) -> None:
    side.put(WEB)
    first = await side.reader.fetch("home", side.settings)
    assert await side.reader.fetch("home", side.settings) == first
    side.put({**WEB, "web/conf": "two"})
    assert (await side.reader.fetch("home", side.settings)).revision != first.revision
    side.put(WEB)
    assert (await side.reader.fetch("home", side.settings)).revision == first.revision


async def test_a_source_that_cannot_be_read_stands_as_it_was_stored(side: Side) -> None:
    side.put(WEB)
    first = await side.reader.fetch("home", side.settings)
    side.put({**WEB, "web/conf": "two"})
    assert await side.reader.stored("home") == first, "what was fetched, not what is there"
    side.fail()
    with pytest.raises(Failure):
        await side.reader.fetch("home", side.settings)
    assert await side.reader.stored("home") == first
    assert await side.reader.read("home", [first.files[0].oid])


async def test_what_is_kept_stays_readable(side: Side) -> None:
    side.put(WEB)
    first = await side.reader.fetch("home", side.settings)
    side.put({"web/web.container": "v=2"})
    second = await side.reader.fetch("home", side.settings)
    await side.reader.keep("home", [first.revision, second.revision])
    for snapshot in (first, second):
        assert await side.reader.holds("home", [file.oid for file in snapshot.files])
