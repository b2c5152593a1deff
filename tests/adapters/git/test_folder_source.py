"""Folder sources: what is read, what is refused, and that nothing is read torn."""

import errno
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.git import command, folder
from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.git.walk import Torn, read_file, survey
from supervisor.kit.stamps import SETTLED_NS, blob_id
from supervisor.model.errors import Retry, Stalled
from supervisor.model.setting_types import Bytes
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import FileKind

pytestmark = pytest.mark.anyio
LIMITS = LimitSettings()


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def sources(tmp_path):
    return GitSources(folder=tmp_path / "state", limits=LIMITS)


@pytest.fixture
def settings(home):
    return SourceSettings(folder=str(home))


def settle(home: Path) -> None:
    """Wait until nothing in the folder is too fresh to be remembered."""
    del home
    time.sleep(SETTLED_NS / 1e9 + 0.02)


async def test_content_is_taken_bit_by_bit(sources, settings, home):
    (home / "nested/.git").mkdir(parents=True)
    (home / "nested/.git/HEAD").write_text("ref: refs/heads/main\n")
    (home / "nested/a.container").write_bytes(b"[Container]\r\n")
    (home / ".gitattributes").write_text("* text eol=lf filter=lfs\n")
    (home / ".gitignore").write_text("*\n")
    (home / "run").write_text("#!/bin/sh\n")
    (home / "run").chmod(0o755)
    (home / "link").symlink_to("nested/a.container")
    (home / "dangling").symlink_to("nowhere")
    (home / "empty").mkdir()
    (home / "zero").touch()
    (home / 'we"ird \\name é').write_bytes(b"\xff\0")
    snapshot = await sources.fetch("s", settings)
    assert snapshot.findings == ()
    assert {f.path: f.kind for f in snapshot.files} == {
        ".gitattributes": FileKind.FILE,
        ".gitignore": FileKind.FILE,
        "dangling": FileKind.SYMLINK,
        "link": FileKind.SYMLINK,
        "nested/a.container": FileKind.FILE,
        "run": FileKind.EXECUTABLE,
        'we"ird \\name é': FileKind.FILE,
        "zero": FileKind.FILE,
    }
    by_path = {f.path: f for f in snapshot.files}
    contents = await sources.read("s", [f.oid for f in snapshot.files])
    assert contents[by_path["nested/a.container"].oid] == b"[Container]\r\n"
    assert contents[by_path["link"].oid] == b"nested/a.container"
    assert contents[by_path['we"ird \\name é'].oid] == b"\xff\0"
    assert await sources.holds("s", [f.oid for f in snapshot.files])


async def test_the_tree_is_the_one_that_git_would_make(sources, settings, home, tmp_path):
    for path in ("a/x", "a.b", "a-b/x", "a0", "b/c/d/e", "é"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(path)
    snapshot = await sources.fetch("s", settings)

    def git(*args: str) -> str:
        place = ["--git-dir", str(tmp_path / "r"), "--work-tree", str(home)]
        return subprocess.run(
            ["git", *place, *args], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    assert snapshot.revision == git("write-tree")
    store = sources._source("s").store
    await store.run("fsck", "--strict")


async def test_unchanged_files_are_not_read_again(sources, settings, home, monkeypatch):
    for number in range(5):
        (home / f"f{number}").write_text(str(number))
    settle(home)
    first = await sources.fetch("s", settings)
    read: list[str] = []
    real = folder.read_file
    monkeypatch.setattr(folder, "read_file", lambda p, s: read.append(s.path) or real(p, s))
    calls = []
    run = command.run

    async def counted(argv, **kwargs):
        calls.append(argv)
        return await run(argv, **kwargs)

    monkeypatch.setattr(command, "run", counted)
    assert await sources.fetch("s", settings) is first
    assert (read, calls) == ([], [])
    (home / "f3").write_text("other")
    (home / "f4").unlink()
    settle(home)
    second = await sources.fetch("s", settings)
    assert read == ["f3"]
    assert len(calls) == 2  # unpack-objects, update-ref
    assert {f.path: f.oid for f in second.files}["f3"] == blob_id(b"other")
    assert "f4" not in {f.path for f in second.files}
    stored = await GitSources(folder=sources._folder, limits=LIMITS).stored("s")
    assert stored == second


async def test_a_change_that_the_clock_does_not_show_is_seen(sources, settings, home):
    for content in (b"1", b"2", b"3"):
        (home / "f").write_bytes(content)
        assert (await sources.fetch("s", settings)).files[0].oid == blob_id(content)


async def test_mode_and_kind_changes_are_changes(sources, settings, home):
    (home / "f").write_text("x")
    settle(home)
    first = await sources.fetch("s", settings)
    (home / "f").chmod(0o755)
    second = await sources.fetch("s", settings)
    assert second.files[0].kind is FileKind.EXECUTABLE
    assert second.revision != first.revision
    (home / "f").unlink()
    (home / "f").symlink_to("x")
    third = await sources.fetch("s", settings)
    assert third.files[0].kind is FileKind.SYMLINK


async def test_what_is_refused_is_refused_by_name(home, tmp_path, monkeypatch):
    (home / "d").mkdir()
    os.mkfifo(home / "d/fifo")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(home)  # the path of a socket must be short
        server.bind("socket")
    (home / "tab\there").write_text("x")
    (home / os.fsdecode(b"latin\xe9")).write_text("x")
    (home / "new\nfolder").mkdir()
    (home / "new\nfolder/inside").write_text("x")
    (home / "big").write_bytes(b"x" * (20 << 20))
    (home / "abs").symlink_to("/etc/passwd")
    (home / "out").symlink_to("../secret")
    (home / "odd").symlink_to(b"latin\xe9".decode("latin1") + "\x01")
    (home / "fine").write_text("x")
    sources = GitSources(folder=tmp_path / "state", limits=LIMITS)
    snapshot = await sources.fetch("s", SourceSettings(folder=str(home)))
    assert [f.path for f in snapshot.files] == ["fine"]
    found = {f.path: f.message for f in snapshot.findings}
    assert set(found) == {
        "d/fifo", "socket", "tab\\there", "latin\\xe9", "new\\nfolder", "big", "abs", "out", "odd",
    }  # fmt: skip
    assert all(f.fatal and f.source == "s" for f in snapshot.findings)
    assert found["d/fifo"] == "is a fifo"
    assert "20M, limit 16M" in found["big"]


async def test_devices_are_refused(sources, settings, home):
    os.mknod(home / "none", 0o20666, os.makedev(0, 0))  # the one device that anybody may make
    (home / "fine").write_text("x")
    snapshot = await sources.fetch("s", settings)
    assert [f.message for f in snapshot.findings] == ["is a character device"]


async def test_unreadable_files_and_folders_are_refused(home, tmp_path):
    (home / "fine").write_text("x")
    (home / "secret").write_text("x")
    (home / "secret").chmod(0)
    (home / "dark").mkdir(mode=0)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    results: list = []

    def as_nobody() -> None:
        import ctypes

        libc = ctypes.CDLL(None)
        libc.syscall(122, 65534)  # setfsuid, of this thread alone: root, too, may not read now
        seen = survey("s", str(home), LIMITS)
        for file in seen.files:
            try:
                results.append((file.path, read_file(str(home), file)))
            except OSError as error:
                results.append((file.path, error.errno))
        results.append([f.path for f in seen.findings])

    thread = threading.Thread(target=as_nobody)
    thread.start()
    thread.join()
    assert results == [("fine", b"x"), ("secret", 13), ["dark"]]


@pytest.mark.parametrize("call", ["open", "scandir", "stat"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.ESTALE])
async def test_a_folder_that_fails_in_any_way_is_a_finding_of_its_own(
    sources, settings, home, monkeypatch, *, call, error
):
    for path in ("apps/db/db.container", "apps/web/web.container"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(path)
    whole = await sources.fetch("s", settings)
    dark = (home / "apps/db").stat().st_ino
    real = getattr(os, call)

    def fails(path, *arguments, dir_fd=None, **options):
        given = {} if dir_fd is None else {"dir_fd": dir_fd}
        is_dark = path == b"db" if call == "open" else False
        place = path if isinstance(path, int) else dir_fd
        if is_dark or (isinstance(place, int) and os.fstat(place).st_ino == dark):
            raise OSError(error, os.strerror(error))
        return real(path, *arguments, **given, **options)

    monkeypatch.setattr(os, call, fails)
    snapshot = await sources.fetch("s", settings)
    assert [file.path for file in snapshot.files] == ["apps/web/web.container"]
    (found,) = snapshot.findings
    assert (found.path, found.hides, found.fatal) == ("apps/db", True, True)
    assert os.strerror(error) in found.message
    assert snapshot.empty == ()
    monkeypatch.undo()
    assert await sources.fetch("s", settings) == whole


@pytest.mark.parametrize("error", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP])
async def test_what_vanishes_while_it_is_looked_at_is_looked_at_again(
    sources, settings, home, monkeypatch, error
):
    (home / "db").mkdir()
    (home / "db/db.container").write_text("x")
    real, times = os.open, iter((error, error))

    def fails(path, *arguments, **options):
        if path == b"db" and (found := next(times, 0)):
            raise OSError(found, os.strerror(found))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", fails)
    snapshot = await sources.fetch("s", settings)
    assert [file.path for file in snapshot.files] == ["db/db.container"]
    assert snapshot.findings == ()
    times = iter([error] * 99)
    with pytest.raises(Retry, match="is being changed"):
        await sources.fetch("s", settings)


async def test_folders_that_hold_nothing_are_known(sources, settings, home):
    for path in ("db", "apps/web/conf", "repository/.git"):
        (home / path).mkdir(parents=True)
    (home / "db/db.container~").touch()
    (home / "full").mkdir()
    (home / "full/x").touch()
    snapshot = await sources.fetch("s", settings)
    assert sorted(snapshot.empty) == ["apps", "apps/web", "apps/web/conf", "db", "repository"]
    (home / "db/db.container").touch()
    assert "db" not in (await sources.fetch("s", settings)).empty


async def test_a_missing_folder_and_a_file_for_a_folder_stall(sources, tmp_path):
    for path, words in (
        (tmp_path / "none", "No such file"),
        (Path("/etc/passwd"), "Not a directory"),
    ):
        with pytest.raises(Stalled, match=words):
            await sources.fetch("s", SourceSettings(folder=str(path)))


async def test_an_emptied_folder_is_a_revision_without_files(sources, settings, home):
    (home / "f").write_text("x")
    first = await sources.fetch("s", settings)
    (home / "f").unlink()
    (home / "bad\a").touch()
    second = await sources.fetch("s", settings)
    assert (second.files, second.revision != first.revision) == ((), True)
    assert [finding.path for finding in second.findings] == ["bad\\x07"]
    stored = await sources.stored("s")
    assert (stored.revision, stored.files) == (second.revision, ())


async def test_what_an_editor_leaves_there_while_it_edits_is_not_in_it(sources, settings, home):
    (home / "f").write_text("x")
    first = await sources.fetch("s", settings)
    (home / ".#f").symlink_to("pi@vm.1234:1700000000")
    for name in ("#f#", "f~", ".f.swp", ".f.swo", "4913"):
        (home / name).write_text("y")
    again = await sources.fetch("s", settings)
    assert (again.revision, again.files, again.findings) == (first.revision, first.files, ())


async def test_far_too_many_files_are_a_mistaken_path(home, tmp_path):
    for number in range(21):
        (home / str(number)).touch()
    sources = GitSources(folder=tmp_path / "state", limits=LimitSettings(app_files=1))
    with pytest.raises(Stalled, match="more than 20 files"):
        await sources.fetch("s", SourceSettings(folder=str(home)))


async def test_a_file_that_changed_since_the_survey_is_noticed(home):
    (home / "f").write_text("one")
    seen = survey("s", str(home), LIMITS).files[0]
    (home / "f").write_text("longer")
    with pytest.raises(Torn):
        read_file(str(home), seen)
    (home / "f").unlink()
    os.mkfifo(home / "f")
    with pytest.raises(Torn):
        read_file(str(home), seen)
    (home / "f").unlink()
    (home / "f").symlink_to("/etc/passwd")
    with pytest.raises(Torn):
        read_file(str(home), seen)


async def test_a_file_written_while_it_is_read_is_read_again(sources, settings, home, monkeypatch):
    (home / "a").write_text("old")
    (home / "b").write_text("old")
    real = folder.read_file
    writes = ["new"]

    def read(path, seen):
        content = real(path, seen)
        if writes and seen.path == "b":
            (home / "a").write_text(writes.pop())
        return content

    monkeypatch.setattr(folder, "read_file", read)
    snapshot = await sources.fetch("s", settings)
    assert {f.path: f.oid for f in snapshot.files} == {"a": blob_id(b"new"), "b": blob_id(b"old")}


async def test_a_folder_that_never_keeps_still_is_tried_again_later(
    sources, settings, home, monkeypatch
):
    (home / "a").write_text("x")
    real = folder.read_file
    monkeypatch.setattr(folder, "_PAUSE_SECONDS", 0)

    def read(path, seen):
        content = real(path, seen)
        with (home / "a").open("a") as file:
            file.write("x")
        return content

    monkeypatch.setattr(folder, "read_file", read)
    with pytest.raises(Retry, match="a is being changed"):
        await sources.fetch("s", settings)
    assert await sources.stored("s") is None


async def test_a_large_folder_is_taken_in_batches(sources, settings, home, monkeypatch):
    monkeypatch.setattr(folder, "_BATCH_BYTES", 10_000)
    for number in range(50):
        (home / f"f{number}").write_bytes(os.urandom(1_000))
    snapshot = await sources.fetch("s", settings)
    contents = await sources.read("s", [f.oid for f in snapshot.files])
    assert len(contents) == 50


async def test_the_same_content_has_the_same_revision(sources, home, tmp_path):
    (home / "f").write_text("x")
    first = await sources.fetch("a", SourceSettings(folder=str(home)))
    second = await sources.fetch("b", SourceSettings(folder=str(home)))
    assert first.revision == second.revision


async def test_a_file_limit_counts_for_folders_too(home, tmp_path):
    (home / "f").write_text("x" * 11)
    (home / "g").write_text("x")
    limits = LimitSettings(file_size=Bytes(10))
    snapshot = await GitSources(folder=tmp_path / "state", limits=limits).fetch(
        "s", SourceSettings(folder=str(home))
    )
    assert [f.path for f in snapshot.findings] == ["f"]


async def test_no_thread_stays(sources, settings, home):
    (home / "f").write_text("x")
    await sources.fetch("s", settings)
    with anyio.fail_after(30):
        while any(t.name == "podvisor-work" for t in threading.enumerate()):  # noqa: ASYNC110
            await anyio.sleep(0.01)
