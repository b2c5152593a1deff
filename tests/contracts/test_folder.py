"""The `Folder` port."""

from pathlib import Path
from typing import Any, Protocol

import pytest

from supervisor.adapters.files.folder import OwnedFolder
from supervisor.controllers.ports import Folder
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Stalled
from supervisor.model.observed import Manifest, ObservedApp
from supervisor.model.source import TreeFile
from tests.fakes.machine import Machine
from tests.fakes.ports import FakeFolder

pytestmark = pytest.mark.anyio


class Memory:
    """What the ledger keeps for the folder."""

    def __init__(self) -> None:
        self.manifests: dict[str, Manifest] = {}

    def get(self, _: type[Manifest], key: str, /) -> Manifest | None:
        return self.manifests.get(key)

    def put(self, document: Manifest, key: str, /) -> None:
        self.manifests[key] = document

    def drop(self, _: type[Manifest], key: str, /) -> Manifest | None:
        return self.manifests.pop(key, None)


class Side(Protocol):
    folder: Folder

    def writes(self, app: str, path: str, text: str) -> None:
        """Somebody else writes a file into an app's folder."""

    def loses_everything(self) -> None:
        """Somebody removes the whole owned folder."""

    def puts_folder(self, app: str, path: str) -> None:
        """Somebody makes a folder in an app's, with something in it."""


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.machine = Machine()
        self.folder = FakeFolder(self.machine)

    def writes(self, app: str, path: str, text: str) -> None:
        self.machine.writes(app, path, text)

    def loses_everything(self) -> None:
        self.machine.loses_folder()

    def puts_folder(self, app: str, path: str) -> None:
        self.folder.in_the_way.add((app, path))


class RealSide:
    def __init__(self, home: Path) -> None:
        self.root = home / "config/containers/systemd/podvisor"
        self.folder = OwnedFolder(
            root=self.root,
            user_units=home / "config/systemd/user",
            etc=home / "etc",
            memory=Memory(),
        )

    def writes(self, app: str, path: str, text: str) -> None:
        (self.root / app / path).write_text(text)

    def loses_everything(self) -> None:
        for path in sorted(self.root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.root.rmdir()

    def puts_folder(self, app: str, path: str) -> None:
        (self.root / app / path).mkdir(parents=True)
        (self.root / app / path / "theirs").write_text("x")


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, tmp_path: Path) -> Side:
    made: Side = request.param(tmp_path)
    return made


def tree_file(path: str, text: str) -> TreeFile:
    return TreeFile(path, blob_id(text.encode()), size=len(text))


def manifest(files: dict[str, str], *, sealed: bool = True) -> Manifest:
    return Manifest(
        name="web",
        source="home",
        revision="r",
        root="web",
        files=tuple(sorted(tree_file(path, text) for path, text in files.items())),
        units=("web.service",) if files else (),
        sealed=sealed,
    )


async def write(folder: Folder, files: dict[str, str], *, sealed: bool = True) -> None:
    await folder.write_manifest(manifest(files, sealed=False))
    await folder.write_files(
        "web", [(tree_file(path, text), text.encode()) for path, text in files.items()]
    )
    if sealed:
        await folder.write_manifest(manifest(files))


def on_disk(seen: ObservedApp) -> dict[str, str]:
    return {file.path: file.oid for file in seen.files}


WEB = {"web.container": "[Container]\n", "conf/a": "one"}


async def test_nothing_is_there_at_first(side: Side) -> None:
    assert await side.folder.manifests() == {}
    seen = await side.folder.observe("web", wanted=["web.container"])
    assert (seen.name, seen.manifest, seen.files, seen.unowned_files) == ("web", None, (), ())
    assert await side.folder.contents("web", ["web.container"], limit=10) == {}
    await side.folder.remove_files("web", ["web.container"])


async def test_what_is_written_is_seen(side: Side) -> None:
    await write(side.folder, WEB)
    seen = await side.folder.observe("web")
    assert seen.manifest == manifest(WEB)
    assert on_disk(seen) == {path: blob_id(text.encode()) for path, text in WEB.items()}
    assert await side.folder.manifests() == {"web": manifest(WEB)}
    found = await side.folder.contents("web", ["conf/a", "gone"], limit=2)
    assert found == {"conf/a": b"on"}


async def test_an_open_manifest_stays_until_it_is_sealed(side: Side) -> None:
    await write(side.folder, WEB, sealed=False)
    seen = await side.folder.observe("web")
    assert seen.manifest is not None
    assert not seen.manifest.sealed
    await side.folder.remove_files("web", list(WEB))
    await side.folder.write_manifest(manifest({}, sealed=False))
    assert (await side.folder.observe("web")).manifest is not None
    await side.folder.write_manifest(manifest({}))
    assert (await side.folder.observe("web")).manifest is None
    assert await side.folder.manifests() == {}


async def test_files_are_replaced_and_removed(side: Side) -> None:
    await write(side.folder, WEB)
    await write(side.folder, {**WEB, "conf/a": "two"})
    assert await side.folder.contents("web", ["conf/a"], limit=9) == {"conf/a": b"two"}
    await side.folder.remove_files("web", ["conf/a", "never/there"])
    assert list(on_disk(await side.folder.observe("web"))) == ["web.container"]


async def test_what_somebody_else_put_there_is_told_apart(side: Side) -> None:
    await write(side.folder, WEB)
    side.writes("web", "theirs.container", "[Container]\n")
    side.writes("web", "notes.txt", "x")
    side.writes("web", "conf/a", "mine")
    seen = await side.folder.observe("web")
    assert seen.unowned_files == ("theirs.container",)
    assert on_disk(seen)["conf/a"] == blob_id(b"mine")
    assert "notes.txt" not in on_disk(seen)
    seen = await side.folder.observe("web", wanted=["notes.txt"])
    assert "notes.txt" in on_disk(seen)


async def test_what_is_in_the_way_is_for_a_person(side: Side) -> None:
    await write(side.folder, WEB)
    side.puts_folder("web", "data")
    with pytest.raises(Stalled, match="is in the way, and is not podvisor's") as caught:
        await write(side.folder, {**WEB, "data": "x"})
    assert caught.value.hint
    assert on_disk(await side.folder.observe("web")).keys() == WEB.keys()


async def test_a_folder_that_is_gone_holds_nothing_and_can_be_written_again(side: Side) -> None:
    await write(side.folder, WEB)
    side.loses_everything()
    assert await side.folder.manifests() == {}
    seen = await side.folder.observe("web", wanted=list(WEB))
    assert (seen.manifest, seen.files) == (None, ())
    await write(side.folder, WEB)
    assert len((await side.folder.observe("web")).files) == len(WEB)
