"""A working copy, as a clone of it would be."""

import subprocess
from pathlib import Path

import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.git.working_copy import BRANCH, WorkingCopy
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LimitSettings, SourceSettings

pytestmark = pytest.mark.anyio


def git(folder: Path, *args: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "copy"
    made.mkdir()
    git(made, "init", "--quiet")
    for path, text in {
        ".gitignore": ".env\n",
        "web/web.container": "old",
        "web/gone": "x",
        "web/.env": "SECRET=1",
    }.items():
        (made / path).parent.mkdir(exist_ok=True)
        (made / path).write_text(text)
    return made


async def read(folder: Path, scratch: Path) -> dict[str, str]:
    copy = await WorkingCopy.at(str(folder))
    assert copy is not None
    await copy.commit_to(scratch / "copy.git")
    reader = GitSources(folder=scratch / "sources", limits=LimitSettings())
    settings = SourceSettings(git=GitUrl(f"file://{scratch}/copy.git"), ref=BRANCH)
    snapshot = await reader.fetch("check", settings)
    contents = await reader.read("check", [file.oid for file in snapshot.files])
    found = {file.path: contents[file.oid].decode() for file in snapshot.files}
    return found | {one.path: one.message for one in snapshot.findings}


async def test_what_stands_there_counts_and_what_git_ignores_does_not(folder, tmp_path):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=one")
    (folder / "web/web.container").write_text("new")
    (folder / "web/more").write_text("more")
    (folder / "web/gone").unlink()
    before = git(folder, "status", "--porcelain"), git(folder, "count-objects")
    found = await read(folder, tmp_path / "scratch")
    assert found == {".gitignore": ".env\n", "web/web.container": "new", "web/more": "more"}
    assert before == (git(folder, "status", "--porcelain"), git(folder, "count-objects"))


async def test_without_any_commit(folder, tmp_path):
    assert "web/web.container" in await read(folder, tmp_path / "scratch")


async def test_a_folder_of_a_working_tree_is_read_by_itself(folder, tmp_path):
    assert await read(folder / "web", tmp_path / "scratch") == {"web.container": "old", "gone": "x"}


async def test_submodules_are_what_a_clone_has_of_them(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    (other / "Containerfile").write_text("FROM x")
    git(other, "add", "--all")
    git(other, "commit", "--quiet", "--message=one")
    git(folder, "submodule", "--quiet", "add", str(other), "web/src")
    found = await read(folder, tmp_path / "scratch")
    assert "web/src/Containerfile" not in found
    assert "is a submodule" in found["web/src"]


async def test_remotes_are_told(folder):
    git(folder, "remote", "add", "origin", "https://git.example/me/home.git")
    copy = await WorkingCopy.at(str(folder))
    assert copy is not None
    assert await copy.origins() == {"https://git.example/me/home.git"}


async def test_a_folder_of_no_repository_is_none(tmp_path):
    assert await WorkingCopy.at(str(tmp_path)) is None
