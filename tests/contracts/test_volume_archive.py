"""VolumeArchive: what volumes held, whole, or not at all."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from supervisor.adapters.podman.volume_archive import FileArchive
from supervisor.controllers.ports import VolumeArchive
from supervisor.model.errors import Retry, Stalled
from supervisor.model.volumes import VolumeSnapshot
from tests.fakes.machine import Machine
from tests.fakes.ports import FakeArchive

PODMAN = """\
#!/bin/sh
cd "$VOLUMES"
case "$1 $2" in
unshare*) shift; cd "$BEGAN"; exec "$@" ;;
"volume create") mkdir -p "$4" ;;
"volume mount") [ -d "$3" ] && echo "$VOLUMES/$3" ;;
"volume export") [ -d "$3" ] || { echo "Error: no such volume $3" >&2; exit 125; }
  [ ! -e full ] || { echo "no space left on device" >&2; exit 1; }
  cd "$3"; find . -mindepth 1 -maxdepth 1 | exec tar -c -T - ;;
"volume import") [ ! -e full ] || { echo "no space left on device" >&2; exit 1; }
  exec tar -C "$3" -x ;;
esac
"""
SYSTEMD_RUN = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
BEGAN=$PWD exec "$@"
"""
PACKER = """\
#!/bin/sh
for last; do :; done
case "$*" in
*-d*) tail -c +5 "$last" ;;
*) [ ! -e "$VOLUMES/dense" ] || { echo "it cannot be packed" >&2; exit 1; }
  printf ZSTD; cat ;;
esac
"""
SECONDS = 30.0


class FakeSide:
    """The fake, on a machine in memory."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine()
        self.archive = FakeArchive(self.machine)
        self.archive.seconds = 0.0

    def write(self, volume: str, text: str) -> None:
        self.machine.volumes.add(volume)
        self.machine.data[volume] = text

    def read(self, volume: str) -> str:
        return self.machine.data[volume]

    def loses(self, volume: str) -> None:
        self.machine.volumes.discard(volume)
        self.machine.data.pop(volume)

    def has_no_room(self) -> None:
        self.archive.failure = self.archive.load_failure = Retry("no space left on device")

    def damages(self, snapshot: str) -> None:
        self.archive.damaged.add(snapshot)

    @property
    def kept(self) -> set[str]:
        return {one for _, one in self.archive.kept}


class RealSide:
    """The adapter, with stand-ins for Podman, systemd and zstd."""

    def __init__(self, folder: Path, *, packs: bool = False) -> None:
        self.volumes, self.folder, tools = folder / "volumes", folder / "kept", folder / "tools"
        for one in (self.volumes, tools):
            one.mkdir()
        scripts = {"podman": PODMAN, "systemd-run": SYSTEMD_RUN, "systemctl": "#!/bin/sh\n"}
        for name, text in (scripts | ({"zstd": PACKER} if packs else {})).items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        for name in ("tar", "sh", "cat", "tail", "mkdir", "find"):
            (tools / name).symlink_to(f"/usr/bin/{name}")
        os.environ["PATH"], os.environ["VOLUMES"] = str(tools), str(self.volumes)
        self.archive = FileArchive(self.folder)

    def write(self, volume: str, text: str) -> None:
        (self.volumes / volume / "deep").mkdir(parents=True, exist_ok=True)
        (self.volumes / volume / "deep" / "text").write_text(text)

    def read(self, volume: str) -> str:
        found = [one for one in (self.volumes / volume).rglob("*") if not one.is_dir()]
        assert [one.name for one in found] == ["text"]
        return found[0].read_text()

    def loses(self, volume: str) -> None:
        (self.volumes / volume).rename(self.volumes / "lost")

    def has_no_room(self) -> None:
        (self.volumes / "full").touch()

    def damages(self, snapshot: str) -> None:
        for one in (self.folder / "web" / snapshot).iterdir():
            one.write_text("half")

    @property
    def kept(self) -> set[str]:
        return {one.name for one in (self.folder / "web").glob("[!.]*")}


Side = FakeSide | RealSide


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    for name in ("PATH", "VOLUMES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    made: Side = request.param(tmp_path)
    return made


async def save(
    side: Side, name: str, *volumes: str, taken: VolumeSnapshot | None = None
) -> VolumeSnapshot:
    archive: VolumeArchive = side.archive
    sizes = await archive.save("web", name, volumes, taken=taken, timeout_seconds=SECONDS)
    return VolumeSnapshot(id=name, release="r1", revision="", at=1.0, before="", volumes=sizes)


async def test_volumes_hold_again_what_was_exported_and_nothing_else(side: Side) -> None:
    side.write("data", "old")
    side.write("db", "rows")
    snapshot = await save(side, "one", "data", "db")
    assert set(snapshot.volumes) == {"data", "db"}
    assert all(snapshot.volumes.values())
    side.write("data", "new")
    if isinstance(side, RealSide):
        (side.volumes / "data" / "later").write_text("more")
        (side.volumes / "data" / "link").symlink_to("deep")
    await side.archive.check("web", snapshot)
    await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert (side.read("data"), side.read("db")) == ("old", "rows")


async def test_volumes_of_another_snapshot_are_taken_and_outlive_it(side: Side) -> None:
    side.write("data", "old")
    side.write("db", "rows")
    first = await save(side, "one", "data")
    side.write("data", "half")
    second = await save(side, "two", "db", taken=first)
    assert set(second.volumes) == {"data", "db"}
    await side.archive.keep("web", ["two"])
    side.write("db", "none")
    await side.archive.check("web", second)
    await side.archive.load("web", second, timeout_seconds=SECONDS)
    assert (side.read("data"), side.read("db")) == ("old", "rows")


async def test_what_is_damaged_or_gone_is_not_taken(side: Side) -> None:
    side.write("data", "old")
    side.write("db", "rows")
    first = await save(side, "one", "data")
    gone = msgspec.structs.replace(first, id="another")
    side.damages("one")
    for name, taken in (("two", first), ("three", gone)):
        assert set((await save(side, name, "db", taken=taken)).volumes) == {"db"}


async def test_a_volumes_own_folder_is_as_open_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman's export has no word on it."""
    for name in ("PATH", "VOLUMES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    side = RealSide(tmp_path)
    folder = side.volumes / "data"
    side.write("data", "old")
    folder.chmod(0o2750)
    snapshot = await save(side, "one", "data")
    folder.chmod(0o755)
    await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2750
    side.loses("data")
    await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2750


async def test_without_the_word_on_its_folder_nothing_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "VOLUMES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    side = RealSide(tmp_path)
    side.write("data", "old")
    snapshot = await save(side, "one", "data")
    side.write("data", "new")
    (side.folder / "web" / "one" / "data.json").unlink()
    with pytest.raises(Stalled, match=r"data\.json is gone"):
        await side.archive.check("web", snapshot)
    with pytest.raises(Retry, match=r"data\.json is gone"):
        await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert side.read("data") == "new"


async def test_a_volume_that_is_gone_is_made(side: Side) -> None:
    side.write("data", "old")
    snapshot = await save(side, "one", "data")
    side.loses("data")
    await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert side.read("data") == "old"


async def test_room_says_how_much_they_hold_and_what_is_free(side: Side) -> None:
    side.write("data", "x" * 10_000)
    room = await side.archive.room("web", ["data"])
    assert 10_000 <= room.needed < 20_000
    assert room.free > 0
    assert Path(room.folder).is_absolute()


async def test_an_export_that_fails_leaves_nothing_that_counts(side: Side) -> None:
    side.write("data", "old")
    await save(side, "one", "data")
    side.has_no_room()
    with pytest.raises(Retry, match="no space left on device"):
        await save(side, "two", "data")
    assert side.kept == {"one"}
    await side.archive.keep("web", ["one"])
    assert side.kept == {"one"}
    if isinstance(side, RealSide):
        assert [one.name for one in (side.folder / "web").iterdir()] == ["one"]


async def test_a_volume_that_is_not_there_cannot_be_exported(side: Side) -> None:
    with pytest.raises(Retry):
        await save(side, "one", "data")


async def test_what_is_damaged_is_said_before_anything_is_emptied(side: Side) -> None:
    side.write("data", "old")
    snapshot = await save(side, "one", "data")
    side.write("data", "new")
    side.damages("one")
    with pytest.raises(Stalled) as failure:
        await side.archive.check("web", snapshot)
    assert failure.value.hint
    with pytest.raises(Retry):
        await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert side.read("data") == "new"
    gone = msgspec.structs.replace(snapshot, id="another")
    with pytest.raises(Stalled):
        await side.archive.check("web", gone)


async def test_only_what_is_named_is_kept(side: Side) -> None:
    side.write("data", "old")
    for name in ("one", "two", "three"):
        await save(side, name, "data")
    await side.archive.keep("web", ["two", "four"])
    assert side.kept == {"two"}
    await side.archive.keep("web", ())
    await side.archive.keep("nobody", ())
    assert not side.kept


async def test_files_are_packed_where_that_is_possible_and_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "VOLUMES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    side = RealSide(tmp_path, packs=True)
    side.write("data", "old")
    snapshot = await save(side, "one", "data")
    side.write("data", "new")
    await side.archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert side.read("data") == "old"
    assert (side.folder / "web" / "one" / "data.tar.zst").is_file()
    for path in side.folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


async def test_what_cannot_be_packed_ends_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "VOLUMES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    side = RealSide(tmp_path, packs=True)
    side.write("data", "x" * 1_000_000)
    (side.volumes / "dense").touch()
    with pytest.raises(Retry, match="it cannot be packed"):
        await save(side, "one", "data")
    assert not side.kept
