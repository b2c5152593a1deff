"""A command beside the daemon: it reads on from what is stored, and changes nothing of that."""

import subprocess
from pathlib import Path

import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LimitSettings, SourceSettings

pytestmark = pytest.mark.anyio


class Repository:
    """A clone that is fetched from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "-b", "main", str(path))

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *words], check=True, cwd=self.path.parent)

    def commit(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(exist_ok=True)
            (self.path / name).write_text(text)
        self.git("-C", str(self.path), "add", "-A")
        self.git("-C", str(self.path), "commit", "-q", "-m", "round")


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


def listing(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything below a folder, with when it was written."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def sources(folder: Path, base: Path | None = None) -> GitSources:
    return GitSources(folder=folder, limits=LimitSettings(), base=base)


async def test_what_is_stored_is_read_on_and_left_as_it_is(repository, tmp_path):
    settings = SourceSettings(git=GitUrl(f"file://{repository.path}"))
    repository.commit({"web/web.container": "[Container]\n", "web/conf": "1"})
    base = tmp_path / "sources"
    first = await sources(base).fetch("home", settings)
    # What a git at work leaves is not to be tidied away by another process.
    for name in ("podvisor.json.lock", "refs/podvisor/head.lock", "objects/pack/tmp_pack_x"):
        (base / "home.git" / name).write_text("at work")
    before = listing(base)

    borrowed = sources(tmp_path / "one", base)
    assert await borrowed.stored("home") == first
    oids = [file.oid for file in first.files]
    assert await borrowed.holds("home", oids)
    assert (await borrowed.read("home", oids))[oids[0]] == b"1"
    repository.commit({"web/conf": "2"})
    newest = await borrowed.fetch("home", settings)
    assert newest.revision != first.revision
    (conf,) = [file.oid for file in newest.files if file.path == "web/conf"]
    assert await borrowed.read("home", [conf]) == {conf: b"2"}
    assert listing(base) == before


async def test_where_nothing_is_stored_it_is_fetched(repository, tmp_path):
    settings = SourceSettings(git=GitUrl(f"file://{repository.path}"))
    repository.commit({"web/web.container": "[Container]\n"})
    borrowed = sources(tmp_path / "one", tmp_path / "none")
    assert await borrowed.stored("home") is None
    assert (await borrowed.fetch("home", settings)).files
    assert not (tmp_path / "none").exists()


async def test_a_damaged_store_is_passed_over_and_left(repository, tmp_path):
    settings = SourceSettings(git=GitUrl(f"file://{repository.path}"))
    repository.commit({"web/web.container": "[Container]\n", "web/conf": "1"})
    base = tmp_path / "sources"
    await sources(base).fetch("home", settings)
    for pack in (base / "home.git/objects/pack").glob("*"):
        pack.chmod(0o600)
        pack.write_bytes(b"")
    before = listing(base)
    repository.commit({"web/conf": "2"})
    snapshot = await sources(tmp_path / "one", base).fetch("home", settings)
    assert [file.path for file in snapshot.files] == ["web/conf", "web/web.container"]
    assert listing(base) == before
