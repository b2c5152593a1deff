"""Git sources, with real repositories over file://."""

import hashlib
import logging
import os
import subprocess
import time
import zlib
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.git import command
from supervisor.adapters.git.reader import GitSources
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Bytes, Seconds
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import FileKind

pytestmark = pytest.mark.anyio
LIMITS = LimitSettings(fetch_timeout=Seconds(60))


class Upstream:
    """A repository to fetch from, built object by object so that it may hold anything.

    By ourselves, as far as that is a few lines: a process for each object costs more than a test.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("objects", "refs/heads"):
            (path / folder).mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")
        (path / "config").write_text("[core]\nrepositoryformatversion = 0\nbare = true\n")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *args: str, stdin: bytes = b"") -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path.parent),
            **{f"GIT_{who}_NAME": "a" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "a@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        place = ["--git-dir", str(self.path)]
        done = subprocess.run(
            ["git", *place, *args], input=stdin, env=env, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, kind: str, content: bytes) -> str:
        content = f"{kind} {len(content)}\0".encode() + content
        oid = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        path = self.path / "objects" / oid[:2] / oid[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(content, 1))
        return oid

    def blob(self, content: bytes) -> str:
        return self.write("blob", content)

    def tree(self, entries: dict[str | bytes, tuple[str, str]]) -> str:
        """Write one tree level: name to (mode, id)."""
        lines = []
        for name, (mode, oid) in entries.items():
            raw = name if isinstance(name, bytes) else name.encode()
            place = raw + b"/" if mode == "040000" else raw
            lines.append((place, f"{int(mode, 8):o} ".encode() + raw + b"\0" + bytes.fromhex(oid)))
        return self.write("tree", b"".join(line for _, line in sorted(lines)))

    def files(self, files: dict[str, bytes]) -> str:
        tree: dict = {}
        for path, content in files.items():
            *parents, name = path.split("/")
            level = tree
            for parent in parents:
                level = level.setdefault(parent, {})
            level[name] = content

        def write(level: dict) -> str:
            return self.tree(
                {
                    name: ("040000", write(child))
                    if isinstance(child, dict)
                    else ("100644", self.blob(child))
                    for name, child in level.items()
                }
            )

        return write(tree)

    def commit(self, tree: str, *, branch: str = "main", parent: str = "", message="Say") -> str:
        who = f"a <a@example.org> {int(time.time())} +0000"
        lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
        lines += [f"author {who}", f"committer {who}", "", message]
        commit = self.write("commit", "\n".join(lines).encode())
        ref = self.path / "refs/heads" / branch
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(f"{commit}\n")
        return commit


@pytest.fixture
def upstream(tmp_path):
    return Upstream(tmp_path / "upstream.git")


@pytest.fixture
def sources(tmp_path):
    return GitSources(folder=tmp_path / "state", limits=LIMITS)


def at(upstream: Upstream, ref: str = "") -> SourceSettings:
    return SourceSettings(git=GitUrl(upstream.url), ref=ref)


async def test_of_several_commits_each_folder_knows_its_newest(sources, upstream):
    """As if each had been fetched by itself: what is there is what that commit made of it."""
    files = {"web/a": b"1", "db/b": b"1", "bad/c": b"1"}
    commits = [upstream.commit(upstream.files(files), message="First")]

    def add(message, parent=-1, branch="main", **changes):
        files.update({name.replace("_", "/"): text for name, text in changes.items()})
        made = upstream.commit(
            upstream.files(files), message=message, parent=commits[parent], branch=branch
        )
        commits.append(made)
        return made

    first = await sources.fetch("home", at(upstream))
    assert (first.commits, first.newest_of("web")) == ((), first)
    web = add("Web\x1b[31m: new image", web_a=b"2")
    add("An older one", web_a=b"3", db_b=b"2")
    web = add("Web: newer image", web_a=b"4")
    empty = upstream.commit(upstream.files(files), message="", parent=commits[-1])
    commits.append(empty)
    newest = add("Bad", bad_c=b"2")
    read = await sources.fetch("home", at(upstream))
    assert read.revision == newest
    assert read.newest_of("web").revision == web
    assert read.newest_of("web").subject == "Web: newer image"
    assert read.newest_of("web").author == "a"
    assert read.newest_of("db").subject == "An older one"
    assert read.newest_of("bad", "db").revision == read.newest_of("").revision == newest
    assert read.newest_of("nowhere") is read
    assert read == await sources.stored("home"), "it is remembered"

    one = add("One alone", db_b=b"3")
    read = await sources.fetch("home", at(upstream))
    assert (read.revision, read.commits) == (one, ())


async def test_a_merge_counts_for_what_it_brought(sources, upstream):
    base = upstream.commit(upstream.files({"web/a": b"1", "db/b": b"1"}))
    await sources.fetch("home", at(upstream))
    side = upstream.commit(
        upstream.files({"web/a": b"2", "db/b": b"1"}), parent=base, branch="side"
    )
    main = upstream.commit(upstream.files({"web/a": b"1", "db/b": b"2"}), parent=base)
    tree = upstream.files({"web/a": b"2", "db/b": b"2"})
    merge = upstream.git("commit-tree", tree, "-p", main, "-p", side, stdin=b"Merge side")
    upstream.git("update-ref", "refs/heads/main", merge)
    read = await sources.fetch("home", at(upstream))
    assert read.newest_of("web").revision == merge
    assert read.newest_of("db").revision == main


async def test_a_history_that_was_written_anew_is_taken_as_it_is(sources, upstream):
    base = upstream.commit(upstream.files({"web/a": b"1", "db/b": b"1"}))
    upstream.commit(upstream.files({"web/a": b"2", "db/b": b"1"}), parent=base)
    await sources.fetch("home", at(upstream))
    other = upstream.commit(upstream.files({"web/a": b"3", "db/b": b"1"}))
    last = upstream.commit(upstream.files({"web/a": b"3", "db/b": b"2"}), parent=other)
    read = await sources.fetch("home", at(upstream))
    assert read.revision == last
    assert read.newest_of("web").revision in (other, last)


async def test_commits_that_say_too_much_keep_nothing_back(sources, upstream, monkeypatch):
    base = upstream.commit(upstream.files({"web/a": b"1"}))
    await sources.fetch("home", at(upstream))
    monkeypatch.setattr("supervisor.adapters.git.listing._MOST_BYTES", 100)
    for number in range(9):
        base = upstream.commit(upstream.files({"web/a": b"%d" % number}), parent=base)
    read = await sources.fetch("home", at(upstream))
    assert (read.revision, read.commits) == (base, ())


async def test_the_default_branch_comes_with_its_files_and_subject(sources, upstream):
    tree = upstream.tree(
        {
            "a.container": ("100644", upstream.blob(b"[Container]\n")),
            "run": ("100755", upstream.blob(b"#!/bin/sh\n")),
            "link": ("120000", upstream.blob(b"a.container")),
            "d": ("040000", upstream.files({"x/y": b"\r\nbytes\0\xff"})),
        }
    )
    commit = upstream.commit(tree, message="First line\nof two\n\nBody")
    snapshot = await sources.fetch("s", at(upstream))
    assert (snapshot.revision, snapshot.subject) == (commit, "First line")
    assert snapshot.author == "a"
    assert [(f.path, f.kind, f.size) for f in snapshot.files] == [
        ("a.container", FileKind.FILE, 12),
        ("d/x/y", FileKind.FILE, 9),
        ("link", FileKind.SYMLINK, 11),
        ("run", FileKind.EXECUTABLE, 10),
    ]
    assert snapshot.findings == ()
    contents = await sources.read("s", [f.oid for f in snapshot.files])
    assert contents[snapshot.files[1].oid] == b"\r\nbytes\0\xff"
    assert not list((Path(str(sources._folder)) / "s.git").glob("**/hooks/*"))


async def test_what_a_commit_says_of_itself_is_plain_and_not_long(sources, upstream):
    tree = upstream.files({"f": b"1"})
    name = f"\x1b[31mAnn\x1b[0m \x1b]0;title\x07\u202e{'x' * 200}"
    text = f"""tree {tree}
author {name} <a@example.org> 1 +0000
committer C <c@example.org> 1 +0000

\x1b[2JFirst\u202e line
"""
    commit = upstream.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
    upstream.git("update-ref", "refs/heads/main", commit)
    snapshot = await sources.fetch("s", at(upstream))
    assert (snapshot.revision, snapshot.subject) == (commit, "First  line")
    assert snapshot.author.startswith("Ann  xxx")
    assert len(snapshot.author) == 100


async def test_branch_tag_annotated_tag_and_commit_are_found(sources, upstream):
    one = upstream.commit(upstream.files({"f": b"1"}))
    two = upstream.commit(upstream.files({"f": b"2"}), branch="next", parent=one)
    upstream.git("tag", "light", one)
    upstream.git("tag", "-a", "-m", "x", "full", two)
    expected = {"main": one, "next": two, "light": one, "full": two, "refs/heads/next": two}
    for ref, commit in (expected | {one: one, two: two, "HEAD": one}).items():
        assert (await sources.fetch("s", at(upstream, ref))).revision == commit, ref
        again = await sources.fetch("s", at(upstream, ref))
        assert again.revision == commit


async def test_an_unchanged_source_costs_one_process_and_gives_the_same_snapshot(
    sources, upstream, monkeypatch
):
    upstream.commit(upstream.files({"f": b"1"}))
    calls = count_processes(monkeypatch)
    first = await sources.fetch("s", at(upstream))
    assert len(calls) == 5  # init, ls-remote, fetch, ls-tree, cat-file
    calls.clear()
    assert await sources.fetch("s", at(upstream)) is first
    assert len(calls) == 1
    calls.clear()
    assert (await sources.fetch("s", at(upstream, first.revision))) is first
    assert calls == []


def count_processes(monkeypatch) -> list[list[str]]:
    calls: list[list[str]] = []
    real = command.run

    async def counted(argv, **kwargs):
        calls.append(list(argv))
        return await real(argv, **kwargs)

    monkeypatch.setattr(command, "run", counted)
    return calls


async def test_history_that_was_forced_back_is_followed(sources, upstream):
    one = upstream.commit(upstream.files({"f": b"1"}))
    two = upstream.commit(upstream.files({"f": b"2"}), parent=one)
    assert (await sources.fetch("s", at(upstream))).revision == two
    upstream.git("update-ref", "refs/heads/main", one)
    assert (await sources.fetch("s", at(upstream))).revision == one
    orphan = upstream.commit(upstream.files({"g": b"3"}))
    snapshot = await sources.fetch("s", at(upstream))
    assert (snapshot.revision, [f.path for f in snapshot.files]) == (orphan, ["g"])


async def test_a_file_that_no_commit_touched_is_the_same_object(sources, upstream):
    def tree(content: bytes) -> str:
        return upstream.tree(
            {
                "changed": ("100644", upstream.blob(content)),
                "file": ("100644", upstream.blob(b"as it was")),
                "link": ("120000", upstream.blob(b"file")),
                "run": ("100755", upstream.blob(b"#!/bin/sh\n" * 1_000_000)),
            }
        )

    one = upstream.commit(tree(b"1"))
    before = (await sources.fetch("s", at(upstream))).files
    upstream.commit(tree(b"2"), parent=one)
    after = (await sources.fetch("s", at(upstream))).files
    assert [file.path for file in after] == ["changed", "file", "link", "run"]
    assert [old is new for old, new in zip(before, after, strict=True)] == [False, True, True, True]


async def test_a_file_where_a_folder_is_too_keeps_what_is_in_the_folder_out(sources, upstream):
    inner = ("040000", upstream.files({"b": b"2", "c/d": b"3"}))
    upstream.commit(upstream.tree({"a": ("100644", upstream.blob(b"1")), b"a": inner, "z": inner}))
    snapshot = await sources.fetch("s", at(upstream))
    assert [file.path for file in snapshot.files] == ["a", "z/b", "z/c/d"]
    assert [one.path for one in snapshot.findings] == ["a/b", "a/c/d"]


async def test_an_emptied_repository_is_a_snapshot_without_files(sources, upstream):
    one = upstream.commit(upstream.files({"f": b"1"}))
    await sources.fetch("s", at(upstream))
    commit = upstream.commit(upstream.tree({}), parent=one)
    snapshot = await sources.fetch("s", at(upstream))
    assert (snapshot.revision, snapshot.files) == (commit, ())


async def test_a_repository_without_commits_says_so(sources, upstream):
    for ref in ("", "main"):
        with pytest.raises(Stalled, match="has no commit yet"):
            await sources.fetch("s", at(upstream, ref))


async def test_a_default_branch_that_is_not_there_says_so(sources, upstream):
    upstream.commit(upstream.files({"f": b"1"}), branch="other")
    with pytest.raises(Stalled, match="default branch does not exist") as caught:
        await sources.fetch("s", at(upstream))
    assert "ref" in caught.value.hint


async def test_a_ref_that_is_gone_stalls_and_what_is_stored_stays(sources, upstream, tmp_path):
    commit = upstream.commit(upstream.files({"f": b"1"}), branch="dev")
    upstream.commit(upstream.files({"f": b"2"}))
    await sources.fetch("s", at(upstream, "dev"))
    upstream.git("update-ref", "-d", "refs/heads/dev")
    with pytest.raises(Stalled, match="no branch or tag dev"):
        await sources.fetch("s", at(upstream, "dev"))
    with pytest.raises(Stalled):
        await sources.fetch("s", at(upstream, "0" * 40))
    stored = await sources.stored("s")
    assert stored is not None
    assert stored.revision == commit


@pytest.mark.parametrize("ref", ["-x", "a b", "a..b", "x^{tree}", "a:b", "*", "x.lock", "a\nb"])
async def test_what_cannot_be_a_ref_never_reaches_git(sources, upstream, ref):
    with pytest.raises(Stalled, match="cannot be the name"):
        await sources.fetch("s", at(upstream, ref))


async def test_a_ref_that_is_no_commit_stalls(sources, upstream):
    upstream.commit(upstream.files({"f": b"1"}))
    upstream.git("tag", "tree", upstream.files({"f": b"1"}))
    upstream.git("tag", "blob", upstream.blob(b"1"))
    for ref in ("tree", "blob"):
        with pytest.raises(Stalled, match="not a commit"):
            await sources.fetch("s", at(upstream, ref))


async def test_failures_are_classified(sources, tmp_path):
    with pytest.raises(Stalled, match=r"cannot fetch file:///.*/none: .*does not (appear|exist)"):
        await sources.fetch("s", SourceSettings(git=GitUrl(f"file://{tmp_path}/none")))
    with pytest.raises(Retry, match=r"cannot fetch http://127\.0\.0\.1:1/x"):
        await sources.fetch("s", SourceSettings(git=GitUrl("http://127.0.0.1:1/x")))
    for url in ("ext::touch /tmp/x", "git://127.0.0.1:1/x", "fd::17"):
        with pytest.raises(Stalled):
            await sources.fetch("s", SourceSettings(git=GitUrl(url)))
    with pytest.raises(Stalled):
        await sources.fetch("s", SourceSettings(git=GitUrl("--upload-pack=touch x")))


async def test_credentials_are_never_shown_nor_put_on_a_command_line(sources, monkeypatch):
    calls = count_processes(monkeypatch)
    with pytest.raises(Retry) as caught:
        await sources.fetch("s", SourceSettings(git=GitUrl("http://me:s3cret@127.0.0.1:1/x")))
    assert "s3cret" not in str(caught.value)
    assert "me" not in str(caught.value).split("127.0.0.1")[0].split("//")[-1]
    assert calls
    assert not any("s3cret" in part for call in calls for part in call)


async def test_the_last_snapshot_is_there_after_a_restart(sources, upstream, tmp_path):
    assert await sources.stored("s") is None
    upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    later = GitSources(folder=tmp_path / "state", limits=LIMITS)
    assert await later.stored("s") == first
    assert await later.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}


async def test_what_is_refused_is_refused_by_name(sources, upstream):
    inner = upstream.tree({"out": ("120000", upstream.blob(b"../../x"))})
    tree = upstream.tree(
        {
            "abs": ("120000", upstream.blob(b"/etc/passwd")),
            "d": ("040000", inner),
            "up": ("120000", upstream.blob(b"./d/..")),
            "sly": ("120000", upstream.blob(b"up/../x")),
            "loop": ("120000", upstream.blob(b"loop")),
            "sub": ("160000", "1" * 40),
            "bell\a": ("100644", upstream.blob(b"1")),
            b"latin\xe9": ("100644", upstream.blob(b"1")),
            "fine": ("100644", upstream.blob(b"1")),
        }
    )
    upstream.commit(tree)
    snapshot = await sources.fetch("s", at(upstream))
    found = {f.path: f for f in snapshot.findings}
    assert set(found) == {"abs", "d/out", "sly", "loop", "sub", "bell\\x07", "latin\\xe9"}
    assert {p for p, f in found.items() if not f.fatal} == {"sub"}
    assert all(f.source == "s" and f.message for f in snapshot.findings)
    assert [f.path for f in snapshot.files] == ["fine", "up"]


async def test_a_tree_that_leads_elsewhere_is_refused(sources, upstream):
    blob = upstream.blob(b"1")
    raw = b"100644 ok\0" + bytes.fromhex(blob)
    inner = upstream.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    raw = b"40000 ..\0" + bytes.fromhex(inner)
    tree = upstream.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    upstream.commit(tree)
    snapshot = await sources.fetch("s", at(upstream))
    assert snapshot.files == ()
    assert [f.path for f in snapshot.findings] == ["../ok"]


async def test_a_file_over_the_limit_is_refused_and_taken_once_the_limit_is_raised(
    upstream, tmp_path
):
    upstream.commit(upstream.files({"big": b"x" * 2_000, "small": b"x"}))
    strict = GitSources(folder=tmp_path / "state", limits=LimitSettings(file_size=Bytes(1_000)))
    snapshot = await strict.fetch("s", at(upstream))
    assert [f.path for f in snapshot.files] == ["small"]
    assert "larger than the limit (2K, limit 1000 bytes)" in snapshot.findings[0].message
    lax = GitSources(folder=tmp_path / "state", limits=LIMITS)
    snapshot = await lax.fetch("s", at(upstream))
    assert [f.path for f in snapshot.files] == ["big", "small"]


async def test_what_the_store_holds_of_an_older_revision(sources, upstream):
    one = upstream.commit(upstream.files({"apps/web/a": b"1"}))
    await sources.fetch("s", at(upstream))
    await sources.keep("s", [one])
    upstream.commit(upstream.files({"y": b"4"}))
    await sources.fetch("s", at(upstream))
    assert await sources.holds("s", [blob_id(b"1"), blob_id(b"4")])
    assert not await sources.holds("s", [blob_id(b"1"), blob_id(b"2")])
    assert await sources.holds("s", [])
    assert not await sources.holds("other", [blob_id(b"1")])
    # To ask for what is gone is no sign of damage.
    assert (await sources.fetch("s", at(upstream))).files


async def test_kept_revisions_outlive_a_collection_and_others_do_not(sources, upstream, tmp_path):
    revisions = []
    for number in range(3):
        revisions.append(upstream.commit(upstream.files({"f": b"%d" % number})))
        await sources.fetch("s", at(upstream))
    await sources.keep("s", revisions[:1])
    store = sources._source("s").store
    for old in tmp_path.glob("state/s.git/objects/*/*"):
        os.utime(old, (1, 1))
    await store.collect()
    held = [await sources.holds("s", [blob_id(b"%d" % number)]) for number in range(3)]
    assert held == [True, False, True]
    later = GitSources(folder=Path(store.path).parent, limits=LIMITS)
    await later.keep("s", [revisions[2], "1" * 40])
    refs = await store.run("for-each-ref", "--format=%(refname)", "refs/podvisor/keep")
    assert refs.decode().split() == [f"refs/podvisor/keep/{revisions[2]}"]


async def test_what_is_too_large_is_fetched_once_and_not_at_every_poll(
    upstream, tmp_path, monkeypatch
):
    small = LimitSettings(fetch_timeout=Seconds(60), fetch_size=Bytes(64 << 10))
    sources = GitSources(folder=tmp_path / "state", limits=small)
    one = upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    large = upstream.commit(upstream.files({"f": os.urandom(1 << 20)}), parent=one)
    for tries in range(3):
        calls = count_processes(monkeypatch) if tries else []
        with pytest.raises(Stalled, match="it brings more than 64K") as caught:
            await sources.fetch("s", at(upstream))
        assert "fetch_size" in caught.value.hint
        assert [argv for argv in calls if "fetch" in argv] == []
    assert await sources.stored("s") == first
    left = sum(one.stat().st_size for one in tmp_path.glob("state/s.git/objects/*/*"))
    assert left < 64 << 10
    mended = upstream.commit(upstream.files({"f": b"2"}), parent=large)
    upstream.git("update-ref", "refs/heads/main", one)
    assert (await sources.fetch("s", at(upstream))).revision == one
    upstream.git("update-ref", "refs/heads/main", mended)
    sources.configure(LIMITS)
    assert (await sources.fetch("s", at(upstream))).revision == mended


async def test_a_large_file_that_packs_well_is_refused_by_name(sources, upstream):
    zeros = bytes((16 << 20) + 1)
    upstream.commit(upstream.files({"a/x.container": b"[Container]", "a/zeros": zeros}))
    snapshot = await sources.fetch("s", at(upstream))
    assert [file.path for file in snapshot.files] == ["a/x.container"]
    (finding,) = snapshot.findings
    assert (finding.path, "limit 16M" in finding.message) == ("a/zeros", True)


async def test_a_damaged_store_is_made_anew(sources, upstream, tmp_path, caplog):
    upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    for damaged in tmp_path.glob("state/s.git/objects/*/*"):
        damaged.chmod(0o600)
        damaged.write_bytes(b"")
    later = GitSources(folder=tmp_path / "state", limits=LIMITS)
    with pytest.raises(Stalled, match="cannot read what is stored"):
        await later.read("s", [first.files[0].oid])  # nobody has said yet where it is read from
    with caplog.at_level(logging.WARNING):
        assert await later.fetch("s", at(upstream)) == first
    assert await later.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}
    upstream.commit(upstream.files({"f": b"2"}))
    (tmp_path / "state/s.git/config").write_text("[[[")
    with caplog.at_level(logging.WARNING):
        second = await sources.fetch("s", at(upstream))
    assert second.files[0].oid == blob_id(b"2")
    assert "made anew" in caplog.text
    assert [p.name for p in tmp_path.glob("state/*")] == ["s.git"]


async def test_a_store_that_turns_out_to_be_damaged_is_made_anew_by_whoever_reads(
    sources, upstream, tmp_path
):
    upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    for damaged in tmp_path.glob("state/s.git/objects/*/*"):
        damaged.chmod(0o600)
        damaged.write_bytes(b"")
    # While the repository is away, what there is stays: the rest may be whole.
    before = {path.name for path in tmp_path.glob("state/s.git/*")}
    upstream.path.rename(tmp_path / "away")
    with pytest.raises((Retry, Stalled)):
        await sources.read("s", [first.files[0].oid])
    assert {path.name for path in tmp_path.glob("state/s.git/*")} == before
    (tmp_path / "away").rename(upstream.path)
    upstream.commit(upstream.files({"f": b"1", "g": b"2"}))
    assert await sources.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}
    assert [p.name for p in tmp_path.glob("state/*")] == ["s.git"]


@pytest.mark.parametrize(
    "torn",
    [
        "objects/pack/*.pack",
        "objects/pack/*.idx",
        "objects/pack/*",
        "refs/podvisor/head",
        "HEAD",
        "config",
        "podvisor.json",
        "shallow",
        "*",
        # Git writes a pack of this name again, and takes what it finds of it for the same.
        "objects/pack/*.idx refs/podvisor/head",
        "objects/pack/*.rev refs/podvisor/head",
        "objects/pack/*.pack refs/podvisor/head",
    ],
)
@pytest.mark.parametrize("is_half", [False, True])
async def test_whatever_a_power_cut_tears_is_mended_by_the_next_fetch(
    upstream, tmp_path, torn, is_half
):
    upstream.commit(upstream.files({"f": b"1"}))
    state = tmp_path / "state"
    await GitSources(folder=state, limits=LIMITS).fetch("s", at(upstream))
    for path in (path for glob in torn.split() for path in state.glob(f"s.git/{glob}")):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if is_half else 0])
    for number, content in enumerate((b"1", b"1", b"2")):
        if number:
            upstream.commit(upstream.files({"f": content}))
        later = GitSources(folder=state, limits=LIMITS)
        await later.stored("s")
        snapshot = await later.fetch("s", at(upstream))
        assert [file.oid for file in snapshot.files] == [blob_id(content)]
        assert await later.read("s", [blob_id(content)]) == {blob_id(content): content}


async def test_a_collection_keeps_nobody_from_reading(sources, upstream):
    upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    store, at_work, go_on = sources._source("s").store, anyio.Event(), anyio.Event()

    async def collect():
        store.is_collecting = True
        at_work.set()
        await go_on.wait()
        store.is_collecting = False

    store.collect, store.is_crowded = collect, lambda: True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sources.keep, "s", [first.revision])
        await at_work.wait()
        with anyio.fail_after(60):
            assert await sources.read("s", [first.files[0].oid]) == {first.files[0].oid: b"1"}
        go_on.set()


async def test_a_blob_with_other_content_is_noticed(sources, upstream, tmp_path):
    upstream.commit(upstream.files({"f": b"1"}))
    first = await sources.fetch("s", at(upstream))
    oid, other = first.files[0].oid, blob_id(b"2")
    await sources._source("s").store.run("hash-object", "-w", "--stdin", stdin=b"2")
    objects = tmp_path / "state/s.git/objects"
    pack = next(objects.glob("pack/*.pack")).read_bytes()
    for packed in objects.glob("pack/*"):
        packed.unlink()
    await sources._source("s").store.run("unpack-objects", "-q", stdin=pack)
    target = objects / oid[:2] / oid[2:]
    target.unlink()
    target.write_bytes((objects / other[:2] / other[2:]).read_bytes())
    assert await sources.read("s", [oid]) == {oid: b"1"}


async def test_locks_of_a_killed_git_are_in_nobodys_way(sources, upstream, tmp_path):
    upstream.commit(upstream.files({"f": b"1"}))
    await sources.fetch("s", at(upstream))
    store = tmp_path / "state/s.git"
    for lock in ("shallow.lock", "refs/podvisor/head.lock", "packed-refs.lock", "config.lock"):
        (store / lock).touch()
    upstream.commit(upstream.files({"f": b"2"}))
    later = GitSources(folder=tmp_path / "state", limits=LIMITS)
    assert (await later.fetch("s", at(upstream))).files[0].oid == blob_id(b"2")


async def test_the_users_configuration_does_no_harm(upstream, tmp_path, monkeypatch):
    touched = tmp_path / "touched"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {touched}\n")
        (hooks / hook).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[core]\nhooksPath={hooks}\nfsmonitor=touch {touched}\nautocrlf=true\n"
        f'[filter "x"]\nsmudge=touch {touched}\nclean=touch {touched}\nrequired=true\n'
        "[protocol]\nallow=always\n[fetch]\nprune=true\nrecurseSubmodules=true\n"
        "[init]\ndefaultBranch=../../bad\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere"))
    upstream.commit(upstream.files({".gitattributes": b"* filter=x text\n", "f": b"a\r\n"}))
    sources = GitSources(folder=tmp_path / "state", limits=LIMITS)
    snapshot = await sources.fetch("s", at(upstream))
    contents = await sources.read("s", [f.oid for f in snapshot.files])
    assert sorted(contents.values()) == [b"* filter=x text\n", b"a\r\n"]
    with pytest.raises(Stalled):
        await sources.fetch("s", SourceSettings(git=GitUrl(f"ext::touch {touched}")))
    assert not touched.exists()


async def test_a_fetch_that_takes_too_long_is_ended(upstream, tmp_path, monkeypatch):
    upstream.commit(upstream.files({"f": b"1"}))
    slow = tmp_path / "ssh"
    slow.write_text("#!/bin/sh\nsleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(slow))
    sources = GitSources(
        folder=tmp_path / "state", limits=LimitSettings(fetch_timeout=Seconds(0.3))
    )
    with pytest.raises(Retry, match=r"no end after 0\.3 s"):
        await sources.fetch("s", SourceSettings(git=GitUrl("git@example.invalid:x.git")))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("git@example.invalid: Permission denied (publickey).", Stalled),
        ("Host key verification failed.", Stalled),
        ("ssh: Could not resolve hostname example.invalid: Name or service not known", Retry),
        ("ssh: connect to host example.invalid port 22: Connection refused", Retry),
        ("ERROR: Repository not found.", Stalled),
    ],
)
async def test_what_ssh_says_is_understood(sources, tmp_path, monkeypatch, words, expected):
    fake = tmp_path / "ssh"
    fake.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 255\n")
    fake.chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\nsshCommand={fake}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    with pytest.raises(expected) as caught:
        await sources.fetch("s", SourceSettings(git=GitUrl("ssh://git@example.invalid/x.git")))
    assert words.removeprefix("ERROR: ").removeprefix("git@") in str(caught.value).replace(
        "git@", ""
    )


async def test_ssh_is_told_to_ask_nothing(sources, tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/args\nexit 255\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    with pytest.raises(Retry):
        await sources.fetch("s", SourceSettings(git=GitUrl("git@example.invalid:x.git")))
    assert "BatchMode=yes" in (tmp_path / "args").read_text()


async def test_sources_are_fetched_side_by_side_and_each_one_after_the_other(sources, upstream):
    upstream.commit(upstream.files({"f": b"1"}))
    revisions = []

    async def one(name: str) -> None:
        revisions.append((await sources.fetch(name, at(upstream))).revision)

    async with anyio.create_task_group() as group:
        for name in ("a", "a", "b", "c", "a"):
            group.start_soon(one, name)
    assert len(set(revisions)) == 1
