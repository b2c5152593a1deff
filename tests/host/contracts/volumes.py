"""Volumes of a real Podman: exported, emptied, put back; run inside a host as a user."""
# A plain program, without pytest's help:
# ruff: noqa: PT017, T201

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from supervisor.adapters.podman.volume_archive import FileArchive
from supervisor.model.errors import Retry
from supervisor.model.volumes import VolumeSnapshot

IMAGE = "localhost/podvisor-test:1"
SECONDS = 60.0


def sh(command: str) -> str:
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def inside(volume: str, command: str) -> str:
    return sh(f"podman run --rm --network=none -v {volume}:/data {IMAGE} sh -c '{command}'")


LISTED = (
    "cd /data; ls -ldn . | cut -c1-33; find . -mindepth 1 | sort | xargs ls -ldn | cut -c1-10;"
    " cat deep/text; ls -n deep"
)


async def comes_back(archive: FileArchive, folder: Path) -> None:
    """Packed; other users' files, modes, links, what is hidden, and nothing that came later.

    And the volume's own folder is whose it was, also where the volume had gone.
    """
    inside(
        "data",
        "mkdir -p /data/deep; echo old > /data/deep/text; chown -R 1000:1000 /data/deep;"
        " chmod 700 /data/deep; chmod 600 /data/deep/text; ln -s deep/text /data/link;"
        " touch /data/.hidden; truncate -s 1000000 /data/large;"
        " chown 70:70 /data; chmod 2750 /data",
    )
    before = inside("data", LISTED)
    room = await archive.room("web", ["data", "db"])
    assert 1_000_000 <= room.needed < 1_100_000, room
    sizes = await archive.save("web", "one", ["data", "db"], taken=None, timeout_seconds=SECONDS)
    assert set(sizes) == {"data", "db"}
    assert sizes["data"] < 100_000, "most of it is zeros"
    files = {one.name: one.stat().st_size for one in (folder / "web" / "one").glob("*.tar*")}
    assert files == {f"{name}.tar.zst": size for name, size in sizes.items()}
    sh(f"zstd -q -t {folder}/web/one/*.tar.zst")
    inside(
        "data",
        "echo new > /data/deep/text; rm /data/link; mkdir /data/more; touch /data/more/x;"
        " chown 999:999 /data; chmod 755 /data",
    )
    snapshot = VolumeSnapshot(id="one", release="r", revision="", at=0.0, before="", volumes=sizes)
    await archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert inside("data", LISTED) == before
    sh("podman volume rm data")
    await archive.load("web", snapshot, timeout_seconds=SECONDS)
    assert inside("data", LISTED) == before


async def fails_in_words(archive: FileArchive) -> None:
    try:
        await archive.save("web", "two", ["nope"], taken=None, timeout_seconds=SECONDS)
        raise AssertionError("there is no such volume")
    except Retry as failure:
        assert "no such volume" in str(failure), failure


async def ends_with_its_time(archive: FileArchive) -> None:
    """What takes too long is not left running beside."""
    try:
        await archive.save("web", "three", ["data"], taken=None, timeout_seconds=0.05)
        raise AssertionError("it had no time")
    except Retry:
        units = sh("systemctl --user list-units --plain --no-legend 'podvisor-volumes-*' || true")
        assert not units, units


async def main() -> None:
    assert os.getuid()
    for name in ("data", "db"):
        sh(f"podman volume create {name}")
    try:
        with TemporaryDirectory() as folder:
            place = Path(folder) / "volumes"
            archive = FileArchive(place)
            await comes_back(archive, place)
            await fails_in_words(archive)
            await ends_with_its_time(archive)
            await archive.keep("web", ())
            assert not (place / "web").exists()
    finally:
        sh("podman volume rm data db")
    print("volumes are exported and put back")


uvloop.run(main())
