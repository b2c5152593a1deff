"""The `SourceWriter` port."""

import subprocess
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.controllers.ports import SourceReader, SourceWriter
from supervisor.model.errors import Failure
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot
from supervisor.model.writeback import NewCommit
from tests.fakes.ports import FakeReader

pytestmark = pytest.mark.anyio
WEB = {"web/web.container": "v=1", "README": "r"}


class Side(Protocol):
    reader: SourceReader
    writer: SourceWriter
    settings: SourceSettings

    def put(self, files: dict[str, str]) -> None:
        """Somebody pushes this."""


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.reader = self.writer = FakeReader()
        self.settings = SourceSettings(git=GitUrl("https://git.example/home"), writeback=True)

    def put(self, files: dict[str, str]) -> None:
        self.reader.put("home", files)


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.reader = self.writer = GitSources(folder=folder / "state", limits=LimitSettings())
        bare = folder / "home.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
        subprocess.run(["git", "clone", "-q", str(bare), str(self.work)], check=True)
        self.settings = SourceSettings(git=GitUrl(f"file://{bare}"), writeback=True)

    def put(self, files: dict[str, str]) -> None:
        self._git("fetch", "-q")
        if self._git("branch", "-r", "--list", "origin/main"):
            self._git("reset", "-q", "--hard", "origin/main")
        for path, text in files.items():
            (self.work / path).parent.mkdir(parents=True, exist_ok=True)
            (self.work / path).write_text(text)
        self._git("add", ".")
        self._git("-c", "user.name=Me", "-c", "user.email=me@example.org", "commit", "-qm", "by me")
        self._git("push", "-q", "origin", "HEAD:main")

    def _git(self, *args: str) -> str:
        argv = ["git", "-C", str(self.work), *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    monkeypatch.setenv("HOME", str(tmp_path))
    made: Side = request.param(tmp_path)
    made.put(WEB)
    return made


def second(onto: Snapshot, **more: str) -> NewCommit:
    files = {"web/web.container": b"v=2"}
    return NewCommit(onto=onto.revision, files=files, message="v=2\n", at=1e9, **more)


async def texts(side: Side, snapshot: Snapshot) -> dict[str, bytes]:
    found = await side.reader.read("home", [file.oid for file in snapshot.files])
    return {file.path: found[file.oid] for file in snapshot.files}


async def test_what_is_committed_is_what_is_fetched_next(side: Side) -> None:
    first = await side.reader.fetch("home", side.settings)
    pushed = await side.writer.commit("home", side.settings, second(first))
    then = await side.reader.fetch("home", side.settings)
    assert pushed
    assert (pushed.oid, pushed.branch) == (then.revision, "main")
    assert pushed.oid != first.revision
    assert await texts(side, then) == {"web/web.container": b"v=2", "README": b"r"}


async def test_nothing_is_pushed_onto_what_was_not_read(side: Side) -> None:
    first = await side.reader.fetch("home", side.settings)
    side.put({**WEB, "README": "r2"})
    assert await side.writer.commit("home", side.settings, second(first)) is None
    then = await side.reader.fetch("home", side.settings)
    assert (await texts(side, then))["web/web.container"] == b"v=1"
    assert await side.writer.commit("home", side.settings, second(then))


async def test_a_branch_of_its_own_is_replaced_if_it_is_as_it_was_left(side: Side) -> None:
    settings = msgspec.structs.replace(side.settings, writeback_branch="updates")
    first = await side.reader.fetch("home", settings)
    pushed = await side.writer.commit("home", settings, second(first))
    assert pushed
    assert pushed.branch == "main"
    assert await side.reader.fetch("home", settings) == first
    with pytest.raises(Failure):
        await side.writer.commit("home", settings, second(first))
    assert await side.writer.commit("home", settings, second(first, replaces=pushed.oid))
