"""The owned folder: what is written is whole, what is not ours is left alone."""

import ctypes
import os
import stat
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager

import anyio
import msgspec
import pytest

from supervisor.adapters.files import contents
from supervisor.adapters.files.paths import MANIFEST
from supervisor.adapters.files.unshared import Change, carry_out
from supervisor.kit.stamps import SETTLED_NS
from supervisor.model.errors import Stalled
from supervisor.model.observed import Manifest, ObservedApp
from supervisor.model.source import FileKind

pytestmark = pytest.mark.anyio
UNIT = "[Container]\nImage=x\n"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_an_app_is_written_observed_and_removed(home, make):
    files = {
        "web.container": UNIT,
        "conf/run.sh": (FileKind.EXECUTABLE, "#!/bin/sh\n"),
        "conf/link": (FileKind.SYMLINK, "../web.container"),
    }
    manifest = await home.write("web", files, units=("web.service",))
    observed = await home.folder.observe("web")
    assert observed == ObservedApp(name="web", manifest=manifest, files=manifest.files)
    assert (home.root / "web/conf/link").read_text() == UNIT
    assert await home.folder.manifests() == {"web": manifest}
    assert home.folder.root == str(home.root)
    for path in files:
        await home.folder.remove_files("web", [path])
        await home.folder.remove_files("web", [path])
    assert names(home.root / "web") == [MANIFEST]
    empty = msgspec.structs.replace(manifest, files=(), units=())
    await home.folder.write_manifest(empty)
    assert names(home.root) == []
    assert await home.folder.manifests() == {}
    assert await home.folder.observe("web") == ObservedApp(name="web")


async def test_modes_do_not_depend_on_the_umask(home):
    old = os.umask(0o077)
    try:
        await home.write("web", {"conf/a": "x", "conf/b": (FileKind.EXECUTABLE, "x")})
    finally:
        os.umask(old)
    modes = {
        path: stat.S_IMODE((home.root / path).stat().st_mode)
        for path in (".", "web", "web/conf", "web/conf/a", "web/conf/b")
    }
    assert modes == {".": 0o700, "web": 0o755, "web/conf": 0o755, "web/conf/a": 0o644,
                     "web/conf/b": 0o755}  # fmt: skip


async def test_edits_deletions_and_modes_are_seen(home, make):
    await home.write("web", {"a": "one", "b": "two", "c": "three"})
    (home.root / "web/a").write_text("ONE")
    (home.root / "web/b").unlink()
    (home.root / "web/c").chmod(0o755)
    files = {file.path: file for file in (await home.folder.observe("web")).files}
    assert files["a"].oid == make.blob_id(b"ONE")
    assert "b" not in files
    assert files["c"].kind is FileKind.EXECUTABLE
    (home.root / "web/a").unlink()
    (home.root / "web/a").mkdir()
    (home.root / "web/c").unlink()
    os.mkfifo(home.root / "web/c")
    assert await home.files("web") == {}


async def test_wanted_paths_are_observed_without_a_manifest(home, make):
    (home.root / "web").mkdir(parents=True)
    (home.root / "web/a.container").write_text("x")
    observed = await home.folder.observe("web", wanted=["a.container", "../../etc", "none/x"])
    assert observed.manifest is None
    assert [file.path for file in observed.files] == ["a.container"]
    assert observed.unowned_files == ("a.container",)


async def test_what_a_person_put_beside_the_files_of_an_app_is_told_if_it_is_asked_for(home):
    await home.write("web", {"web.container": UNIT})
    asked = (".env", "data", "conf/more", "../db/.env")
    assert (await home.folder.observe("web", asked=asked)).by_hand == ()
    (home.root / "web/.env").write_text("A=1")
    (home.root / "web/data").mkdir()
    observed = await home.folder.observe("web", asked=asked)
    assert observed.by_hand == (".env", "data")
    assert [file.path for file in observed.files] == ["web.container"]


async def test_unchanged_files_are_not_read_again(home, monkeypatch):
    await home.write("web", {"a": "one", "d/b": "two"})
    await anyio.sleep(SETTLED_NS / 1e9 + 0.02)
    first = await home.files("web")
    read = []
    real = contents._read
    monkeypatch.setattr(contents, "_read", lambda *a: read.append(a[0]) or real(*a))
    assert await home.files("web") == first
    assert read == []
    (home.root / "web/d/b").write_text("TWO")
    assert (await home.files("web"))["d/b"] != first["d/b"]
    assert read == ["web/d/b"]


async def test_what_was_read_before_a_large_file_is_not_read_again(home, monkeypatch):
    await home.write("web", {"a": "one", "big": b"x" * (2 << 20)})
    await anyio.sleep(SETTLED_NS / 1e9 + 0.02)
    read = []
    real = contents._read
    monkeypatch.setattr(contents, "_read", lambda *a: read.append(a[0]) or real(*a))
    first = await home.files("web")
    assert read == ["web/a", "web/big"]
    assert await home.files("web") == first
    assert len(read) == 2


async def test_large_files_are_read_too(home, make):
    content = b"x" * (20 << 20)
    await home.write("web", {"big": content})
    assert await home.files("web") == {"big": make.blob_id(content)}


async def test_strangers_are_told_of_and_left_alone(home):
    await home.write("web", {"a.container": UNIT, "conf/x": "y"})
    for path in ("b.container", "c.timer", "a.container.d/10.conf", "conf/d.volume"):
        (home.root / "web" / path).parent.mkdir(exist_ok=True)
        (home.root / "web" / path).write_text("x")
    (home.root / "web/notes.txt").write_text("x")
    (home.root / "web/data").mkdir()
    (home.root / "web/data/e.container").write_text("a container's own data is not looked at")
    observed = await home.folder.observe("web")
    assert observed.unowned_files == (
        "a.container.d/10.conf", "b.container", "c.timer", "conf/d.volume",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[]", '{"app": 1}', "\xff", '{"name": "\xff"}'])
async def test_a_torn_manifest_says_what_the_ledger_remembers(home, text):
    await home.write("web", {"a.container": UNIT, "conf/x": "x"}, units=("a.service",))
    (home.root / "web" / MANIFEST).write_text(text, encoding="latin-1")
    (home.root / "web/conf/new").write_text("written, and forgotten by the ledger")
    (home.root / "web/b.container").write_text("")
    (home.root / "web/conf/data").write_text("of the app itself")
    observed = await home.folder.observe("web", wanted=["a.container", "conf/new"])
    assert observed.manifest is not None
    assert (observed.manifest.units, observed.manifest.sealed) == (("a.service",), False)
    paths = {file.path for file in observed.manifest.files}
    assert paths == {"a.container", "b.container", "conf/x", "conf/new"}
    assert observed.unowned_files == ()
    assert (await home.folder.manifests())["web"].units == ("a.service",)


async def test_a_torn_manifest_that_nobody_remembers_claims_what_stands_there(home):
    await home.write("web", {"a.container": UNIT})
    (home.root / "web" / MANIFEST).write_text("")
    home.memory.manifests.clear()
    observed = await home.folder.observe("web", wanted=["a.container"])
    assert observed.manifest is not None
    assert [file.path for file in observed.manifest.files] == ["a.container"]
    assert not observed.manifest.sealed


async def test_a_manifest_that_is_a_link_counts_as_none(home):
    await home.write("web", {"a.container": UNIT})
    manifest = home.root / "web" / MANIFEST
    manifest.unlink()
    manifest.symlink_to("/etc/passwd")
    observed = await home.folder.observe("web")
    assert (observed.manifest, observed.unowned_files) == (None, ("a.container",))
    assert await home.folder.manifests() == {}


async def test_a_manifest_of_another_app_or_with_sly_paths_counts_as_none(home, make):
    await home.write("web", {"a.container": UNIT})
    text = (home.root / "web" / MANIFEST).read_text()
    (home.root / "web" / MANIFEST).write_text(text.replace('"name":"web"', '"name":"db"'))
    assert (await home.folder.observe("web")).manifest is None
    (home.root / "web" / MANIFEST).write_text(text.replace("a.container", "../x"))
    assert (await home.folder.observe("web")).manifest is None


async def test_what_a_crash_left_is_removed(home):
    await home.write("web", {"a": "x", "d/b": "x"})
    left = [home.root / "web/.podvisor-12ab.tmp", home.root / "web/d/.podvisor-34cd.tmp"]
    for path in left:
        path.write_text("half")
    await home.folder.observe("web")
    assert all(path.exists() for path in left), "looking changes nothing"
    await home.write("web", {"a": "x", "d/b": "y"})
    assert not any(path.exists() for path in left)


async def test_links_out_of_the_root_are_never_followed(home, make, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("precious")
    await home.write("web", {"a": "x"})
    (home.root / "web/conf").symlink_to(outside)
    (home.root / "db").symlink_to(outside)
    for app, path in (("web", "conf/x"), ("web", "conf/new"), ("db", "x")):
        with pytest.raises(Stalled, match="is in the way") as caught:
            await home.folder.write_files(app, [(make.tree_file(path, "evil"), b"evil")])
        assert caught.value.hint.startswith("move ")
        await home.folder.remove_files(app, [path])
        assert await home.files(app, wanted=[path]) == (
            {"a": make.blob_id(b"x")} if app == "web" else {}
        )
    with pytest.raises(Stalled):
        await home.folder.write_manifest(
            Manifest(name="db", source="", revision="", root="", files=(), units=(), sealed=False)
        )
    assert {p.name: p.read_text() for p in outside.iterdir()} == {"x": "precious"}


async def test_a_link_in_a_files_place_is_replaced_not_written_through(home, make, tmp_path):
    (tmp_path / "target").write_text("precious")
    await home.write("web", {"a": "x"})
    (home.root / "web/a").unlink()
    (home.root / "web/a").symlink_to(tmp_path / "target")
    await home.folder.write_files("web", [(make.tree_file("a", "y"), b"y")])
    assert (tmp_path / "target").read_text() == "precious"
    assert not (home.root / "web/a").is_symlink()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//b", ".", "", MANIFEST, "a\nb"])
async def test_paths_that_lead_elsewhere_are_refused(home, make, path):
    with pytest.raises(Stalled):
        await home.folder.write_files("web", [(make.tree_file(path, "x"), b"x")])
    await home.folder.remove_files("web", [path])


@pytest.mark.parametrize("app", ["..", ".", "", "a/b", ".hidden", "a\nb"])
async def test_apps_that_cannot_be_a_folder_are_refused(home, make, app):
    with pytest.raises(Stalled):
        await home.folder.write_files(app, [(make.tree_file("x", "x"), b"x")])
    with pytest.raises(Stalled):
        await home.folder.observe(app)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "..", ""])
async def test_links_out_of_the_app_are_not_made(home, make, target):
    file = make.tree_file("d/link", target, FileKind.SYMLINK)
    if target == "..":
        await home.folder.write_files("web", [(file, target.encode())])
        assert (home.root / "web/d/link").is_symlink()
    else:
        with pytest.raises(Stalled):
            await home.folder.write_files("web", [(file, target.encode())])


async def test_a_file_becomes_a_folder_and_back(home, make):
    """As the plan has it: the manifest claims both, all is written, then the old is removed."""
    await home.write("web", {"conf": "file"})
    await home.write("web", {"conf": "file"}, sealed=False)
    manifest = (await home.folder.observe("web")).manifest
    both = msgspec.structs.replace(
        manifest, files=(make.tree_file("conf", "file"), make.tree_file("conf/x/y", "in"))
    )
    await home.folder.write_manifest(both)
    await home.folder.write_files("web", [(make.tree_file("conf/x/y", "in"), b"in")])
    await home.folder.remove_files("web", ["conf"])
    assert (home.root / "web/conf/x/y").read_text() == "in"
    await home.folder.write_files("web", [(make.tree_file("conf", "file"), b"file")])
    await home.folder.remove_files("web", ["conf/x/y"])
    assert (home.root / "web/conf").read_text() == "file"


async def test_a_folder_with_strangers_is_in_the_way(home, make):
    await home.write("web", {"conf/x": "ours"})
    (home.root / "web/conf/theirs").write_text("data")
    with pytest.raises(Stalled, match=r"web/conf/theirs is in the way"):
        await home.folder.write_files("web", [(make.tree_file("conf", "file"), b"file")])
    (home.root / "web/plain").write_text("theirs")
    with pytest.raises(Stalled, match=r"web/plain is in the way"):
        await home.folder.write_files("web", [(make.tree_file("plain/x", "y"), b"y")])
    assert (home.root / "web/conf/theirs").read_text() == "data"
    assert not list(home.root.glob("**/.podvisor-*.tmp"))


async def test_data_beside_keeps_its_folder(home):
    manifest = await home.write("web", {"data/seed": "x"})
    (home.root / "web/data/db").write_text("data")
    await home.folder.remove_files("web", ["data/seed"])
    await home.folder.write_manifest(msgspec.structs.replace(manifest, files=()))
    assert (home.root / "web/data/db").read_text() == "data"
    assert await home.folder.manifests() == {}


async def test_readers_see_old_or_new_never_half(home, make):
    old, new = b"a" * 500_000, b"b" * 500_000
    await home.write("web", {"f": old})
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add((home.root / "web/f").read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    for content in (new, old, new):
        await home.folder.write_files("web", [(make.tree_file("f", content), content)])
    done.set()
    thread.join()
    assert seen <= {old, new}


SMALL_DISK = """
import subprocess, sys
from pathlib import Path
import anyio
from supervisor.adapters.files.folder import OwnedFolder
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Retry, Stalled
from supervisor.model.source import TreeFile

disk = Path(sys.argv[1])
web = disk / "podvisor/web"

async def write(content: bytes) -> str:
    folder = OwnedFolder(root=web.parent, user_units=disk / "units")
    file = TreeFile("f", blob_id(content), size=len(content))
    try:
        await folder.write_files("web", [(file, content)])
    except (Retry, Stalled) as failure:
        return f"{type(failure).__name__}: {failure}"
    return ""

async def main() -> None:
    assert await write(b"old") == ""
    full = await write(b"x" * 200_000)
    assert full == f"Retry: cannot write {web}/f: disk full", full
    assert (web / "f").read_bytes() == b"old"
    assert [path.name for path in web.iterdir()] == ["f"]
    subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
    read_only = await write(b"new")
    assert read_only.startswith("Stalled: ") and "Read-only" in read_only, read_only

anyio.run(main)
"""


def test_a_full_disk_leaves_old_files_whole_and_is_worth_a_retry(tmp_path):
    # In namespaces of its own, in which an ordinary user may mount something.
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" || exit 77; exec "$2" -c "$3" "$1"'
    words = ["sh", str(tmp_path), sys.executable, SMALL_DISK]
    done = subprocess.run([*apart, mount, *words], capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"users may not mount here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_may_not_be_written_stalls(home, make):
    await home.write("web", {"a": "x"})
    (home.root / "web").chmod(0o555)
    with pytest.raises(Stalled, match="Permission denied"):
        await home.folder.write_files("web", [(make.tree_file("a", "y"), b"y")])
    (home.root / "web").chmod(0o755)


async def test_drop_ins_for_units_are_linked_where_systemd_looks(home, make):
    files = {
        "web.container": UNIT,
        "web.service.d/10-limits.conf": "[Service]\nMemoryMax=1G\n",
        "web.container.d/10.conf": "[Container]\n",
        "web.service.d/notes.txt": "x",
    }
    await home.write("web", files)
    link = home.units / "web.service.d/podvisor-web-10-limits.99b3c414.conf"
    assert link.read_text().startswith("[Service]")
    assert [p.name for p in home.units.iterdir()] == ["web.service.d"]
    assert [p.name for p in link.parent.iterdir()] == [link.name]
    assert set(await home.files("web")) == set(files)
    link.unlink()
    assert "web.service.d/10-limits.conf" not in await home.files("web")
    (link.parent / ".podvisor-dead.tmp").symlink_to("x")
    await home.write("web", files)
    assert set(await home.files("web")) == set(files)
    assert [p.name for p in link.parent.iterdir()] == [link.name]
    await home.folder.remove_files("web", ["web.service.d/10-limits.conf"])
    assert not link.parent.exists()
    assert home.units.exists()


async def test_a_unit_that_cannot_be_removed_keeps_its_drop_in(home):
    drop_in = "web.service.d/1.conf"
    await home.write("web", {"units/web.container": UNIT, drop_in: "[Service]\n"})
    with closed_to_us(home.root / "web/units"), pytest.raises(Stalled, match=r"web\.container"):
        await home.folder.remove_files("web", ["units/web.container", drop_in])
    assert drop_in in await home.files("web"), "with its link"
    await home.folder.remove_files("web", ["units/web.container", drop_in])
    assert await home.files("web") == {}


async def test_drop_ins_of_one_name_for_one_unit_are_linked_beside_each_other(home):
    await home.write("a", {"x/web.service.d/1.conf": "x", "y/web.service.d/1.conf": "y"})
    await home.write("b", {"web.service.d/a-1.conf": "b"})
    await home.write("b-a", {"web.service.d/1.conf": "b-a"})
    links = list((home.units / "web.service.d").iterdir())
    assert sorted(link.read_text() for link in links) == ["b", "b-a", "x", "y"]
    assert len(await home.files("a")) == 2


async def test_a_drop_in_of_the_user_is_left_alone(home, make):
    link = home.units / "web.service.d/podvisor-web-a.5087a3f0.conf"
    link.parent.mkdir(parents=True)
    link.write_text("theirs")
    file = make.tree_file("web.service.d/a.conf", "x")
    with pytest.raises(Stalled, match="in the way"):
        await home.folder.write_files("web", [(file, b"x")])
    await home.folder.remove_files("web", ["web.service.d/a.conf"])
    assert link.read_text() == "theirs"


def link_unit(home, unit, *installs, target=None):
    home.units.mkdir(parents=True, exist_ok=True)
    target = target or home.root / "web" / unit
    (home.units / unit).symlink_to(target)
    for install in installs:
        (home.units / install).parent.mkdir(exist_ok=True)
        (home.units / install).symlink_to(target)


TIMER = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"


async def test_plain_units_count_as_enabled_when_linked_and_installed(home):
    files = {
        "a.timer": TIMER,
        "b.timer": TIMER,
        "c.service": "[Service]\nExecStart=true\n",
        "d.service": "[Service]\nExecStart=true\n",
        "e.service": "[Service]\nExecStart=true\n",
        "f@.timer": TIMER + "DefaultInstance=x\n",
        "g@.timer": TIMER,
        "h.timer": "[Install]\nAlias=i.timer\n",
    }
    units = tuple(files)
    await home.write("web", files, units=units)
    assert (await home.folder.observe("web")).links == {}
    link_unit(home, "a.timer", "timers.target.wants/a.timer")
    link_unit(home, "b.timer")
    link_unit(home, "c.service")
    link_unit(home, "d.service", target="/dev/null")
    link_unit(home, "f@.timer", "timers.target.wants/f@x.timer")
    link_unit(home, "g@.timer")
    link_unit(home, "h.timer")
    (home.units / "i.timer").symlink_to(home.root / "web/h.timer")
    (home.root / "web/c.service").unlink()
    assert (await home.folder.observe("web")).links == {
        "a.timer": "a.timer",
        "timers.target.wants/a.timer": "a.timer",
        "b.timer": "b.timer",
        "c.service": "c.service",
        "f@.timer": "f@.timer",
        "timers.target.wants/f@x.timer": "f@.timer",
        "g@.timer": "g@.timer",
        "h.timer": "h.timer",
        "i.timer": "h.timer",
    }


@contextmanager
def closed_to_us(folder):
    """As a folder is that a container took to itself; root is to keep out, too."""
    libc, header = ctypes.CDLL(None), struct.pack("Ii", 0x20080522, 0)
    rights = ctypes.create_string_buffer(24)  # two times: effective, permitted, inheritable
    libc.capget(header, rights)
    before = rights.raw
    none = b"\0" * 4 + before[4:12] + b"\0" * 4 + before[16:]
    folder.chmod(0)
    libc.capset(header, none)
    try:
        yield
    finally:
        libc.capset(header, before)
        folder.chmod(0o700)


async def test_a_folder_that_a_container_took_to_itself_is_told_and_taken_for_unchanged(home):
    files = {"web.container": UNIT, "data/.gitkeep": "", "data/deep/seed": "x"}
    manifest = await home.write("web", files)
    with closed_to_us(home.root / "web/data"):
        observed = await home.folder.observe("web", wanted=["data/new"])
        assert observed.closed == ("data", "data/deep")
        assert observed.files == manifest.files
        assert await home.folder.manifests() == {"web": manifest}
        with pytest.raises(Stalled, match=r"cannot remove .*/web/data/.gitkeep: Permission denied"):
            await home.folder.remove_files("web", ["data/.gitkeep"])
    observed = await home.folder.observe("web")
    assert (observed.files, observed.closed) == (manifest.files, ())


async def test_what_a_container_owns_is_changed_in_the_users_namespace(home, make):
    """`Volume=./conf:/conf:U` gives what was installed to a subordinate id."""
    await home.write("web", {"web.container": UNIT, "conf/a": "1", "conf/deep/b": "1"})
    conf = home.root / "web/conf"

    @contextmanager
    def opened():
        conf.chmod(0o700)
        yield
        conf.chmod(0)

    with closed_to_us(conf):
        home.as_root = opened
        await home.folder.write_files("web", [(make.tree_file("conf/a", "2"), b"2")])
        (change,) = home.asked
        assert change.files == (("web/conf/a", b"2", FileKind.FILE),)
        home.as_root = None
        with pytest.raises(Stalled, match="Permission denied"):
            await home.folder.remove_files("web", ["conf/deep/b"])
    assert (conf / "a").read_bytes() == b"2"
    carry_out(Change(root=str(home.root), gone=("web/conf/a", "web/conf/deep/b")))
    assert [path.name for path in (home.root / "web").iterdir() if path.is_dir()] == []


async def test_an_app_whose_whole_folder_is_closed_is_told_and_keeps_no_other(home):
    manifest = await home.write("web", {"web.container": UNIT})
    await home.write("db", {"db.container": UNIT})
    with closed_to_us(home.root / "db"):
        assert await home.folder.manifests() == {"web": manifest}
        assert (await home.folder.observe("web")).manifest == manifest
        with pytest.raises(Stalled, match=r"cannot read .*/db: Permission denied"):
            await home.folder.observe("db")


async def test_links_that_lead_round_and_round_are_no_units(home):
    home.units.mkdir(parents=True)
    home.quadlets.mkdir(parents=True)
    (home.units / "loop.service").symlink_to("loop.service")
    (home.quadlets / "loop").symlink_to("loop")
    (home.quadlets / "loop.container").symlink_to("loop.container")
    for name in ("a", "b", "c"):
        (home.quadlets / name).symlink_to(".")
    (home.quadlets / "c.container").write_text(UNIT)
    found = await home.folder.foreign_units()
    assert found == {
        "c.service": str(home.quadlets / "c.container"),
        "loop.service": str(home.units / "loop.service"),
    }


async def test_foreign_units_are_named_with_their_paths(home):
    await home.write("web", {"web.container": UNIT, "own.timer": TIMER}, units=("own.timer",))
    link_unit(home, "own.timer", "timers.target.wants/own.timer")
    (home.units / "mine.service").write_text("x")
    (home.units / "masked.service").symlink_to("/dev/null")
    (home.units / "web.service.d").mkdir()
    (home.units / "readme.txt").write_text("x")
    users = home.etc / "containers/systemd/users"
    uid = str(os.getuid())
    for path, text in {
        home.quadlets / "c.container": UNIT,
        home.quadlets / "deep/er/v.volume": "[Volume]\n",
        home.quadlets / "n.network": "[Network]\nServiceName=other\n",
        home.quadlets / "p.pod": "[Pod]\n",
        home.quadlets / "i.image": "[Image]\n",
        home.quadlets / "b.build": "[Build]\n",
        home.quadlets / "k.kube": "[Kube]\n",
        home.quadlets / "t@.container": UNIT,
        users / "all.container": UNIT,
        users / uid / "me.container": UNIT,
        users / "4242" / "else.container": UNIT,
        home.etc / "systemd/user/admin.timer": TIMER,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (home.quadlets / "loop").symlink_to(home.quadlets)
    found = await home.folder.foreign_units()
    assert found == {
        "mine.service": str(home.units / "mine.service"),
        "masked.service": str(home.units / "masked.service"),
        "c.service": str(home.quadlets / "c.container"),
        "v-volume.service": str(home.quadlets / "deep/er/v.volume"),
        "other.service": str(home.quadlets / "n.network"),
        "p-pod.service": str(home.quadlets / "p.pod"),
        "i-image.service": str(home.quadlets / "i.image"),
        "b-build.service": str(home.quadlets / "b.build"),
        "k.service": str(home.quadlets / "k.kube"),
        "t@.service": str(home.quadlets / "t@.container"),
        "all.service": str(users / "all.container"),
        "me.service": str(users / uid / "me.container"),
        "admin.timer": str(home.etc / "systemd/user/admin.timer"),
    }
    await anyio.sleep(0.12)
    assert await home.folder.foreign_units() == found
    (home.quadlets / "n.network").write_text("[Network]\nServiceName=another\n")
    (home.quadlets / "deep/er/v.volume").unlink()
    again = await home.folder.foreign_units()
    assert "another.service" in again
    assert not {"v-volume.service", "other.service"} & set(again)


async def test_nothing_there_is_nothing(home):
    assert await home.folder.manifests() == {}
    assert await home.folder.foreign_units() == {}
    assert await home.folder.observe("web", wanted=["a"]) == ObservedApp(name="web")
    assert not home.root.exists()


async def test_contents_are_what_is_on_disk_and_no_more_of_it_than_asked_for(home):
    files = {"conf/a": "0123456789", "conf/link": (FileKind.SYMLINK, "../web"), "web": "x"}
    await home.write("web", files)
    (home.root / "web/web").write_text("edited")
    outside = home.root.parent / "secret"
    outside.write_text("secret")
    (home.root / "web/leaves").symlink_to(outside)
    paths = ["conf/a", "conf/link", "web", "gone", "leaves", "../secret"]
    assert await home.folder.contents("web", paths, limit=4) == {
        "conf/a": b"0123",
        "conf/link": b"../web",
        "web": b"edit",
        "leaves": str(outside).encode(),
    }


async def test_a_manifest_that_somebody_changed_is_read_anew(home):
    old = await home.write("web", {"a": "x"})
    await anyio.sleep(0.15)  # so long after it was written, its stat can be trusted
    assert await home.folder.manifests() == {"web": old}
    assert (await home.folder.manifests())["web"] is (await home.folder.manifests())["web"]
    new = msgspec.structs.replace(old, revision="s")
    (home.root / "web" / MANIFEST).write_bytes(msgspec.json.encode(new))
    assert await home.folder.manifests() == {"web": new}
