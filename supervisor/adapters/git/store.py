"""One bare repository per source: the object store of what it held.

The `reader` never lets two calls work on one store at once. `podvisor.json` in the repository is
the last snapshot.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from supervisor.adapters.git.command import git
from supervisor.adapters.git.errors import StoreBroken, is_damage, last_words, local_failure
from supervisor.kit.files import write_whole
from supervisor.kit.folders import remove_tree
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Retry, Stalled
from supervisor.model.source import Snapshot

HEAD = "refs/podvisor/head"
"""The newest revision: a commit (or an annotated tag of one), or a tree."""
_GOOD = "refs/podvisor/good"
"""The newest revision that was verified, while HEAD is one that was not."""
_KEEP = "refs/podvisor/keep/"
_RECORD = "podvisor.json"
_ASIDE = ".damaged-"
_READ_LIMIT = 512 << 20
_PRUNE_SECONDS = 3_600
_GC_TIMEOUT_SECONDS = 900.0
_CROWDED_LOOSE = 8
"""Of objects in one of 256 folders, as `git gc --auto` guesses: about 2,000 in all."""
_CROWDED_PACKS = 30
_LONGEST_HEAD = 4_096
_FSCK_OF_CONTENT = 1
"""Bit of git-fsck's exit code that a commit which is merely written oddly sets as well."""


class Entry(NamedTuple):
    """One line of a Git tree."""

    path: bytes
    mode: str
    oid: str
    size: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The last snapshot, and what it rests on."""

    file_size: int
    """The limit by which it was made."""
    snapshot: Snapshot
    head: str = ""
    """What HEAD was, for a Git source."""
    verified: str = ""
    """By which signers; empty if nobody asked."""


class Store:
    """The repository of one source."""

    def __init__(self, path: Path, *, source: str) -> None:
        self._path = path
        self._source = source
        self._cleaned = False
        self._kept: frozenset[str] | None = None
        self.is_collecting = False

    @property
    def path(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        return (self._path / "HEAD").exists()

    async def prepare(self) -> None:
        """Make the repository if there is none; take away what a killed git left behind."""
        if not self.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_tree(self._path)
            done = await git(
                *("init", "--quiet", "--bare", "--template=", "--object-format=sha1"),
                *("--initial-branch=none", self.path),
                doing=self._doing(),
            )
            if done.code:
                error = local_failure(self._doing(), done.errors)
                raise Retry(str(error)) if isinstance(error, StoreBroken) else error
            self._cleaned = True
            self._kept = None
        elif not self._cleaned:
            self.clean()

    def clean(self) -> None:
        """Remove locks and half-written packs of a git that was killed. No git may be running."""
        if self.is_collecting:
            return
        for left in (
            *self._path.glob("*.lock"),
            *self._path.glob("refs/podvisor/**/*.lock"),
            *self._path.glob("objects/pack/tmp_*"),
            *self._path.glob("objects/pack/*.keep"),
            *self._path.glob("gc.pid"),
        ):
            with contextlib.suppress(OSError):
                left.unlink()
        self._cleaned = True

    def half_written(self) -> int:
        """Return the size of what a fetch that was ended had written of its pack."""
        sizes = [0]
        for left in self._path.glob("objects/pack/tmp_pack_*"):
            with contextlib.suppress(OSError):
                sizes.append(left.stat().st_size)
        return max(sizes)

    def set_aside(self) -> Path | None:
        """Move the repository away, to make it anew; None if there was none. Raises Stalled."""
        from tempfile import mkdtemp  # noqa: PLC0415  # happens hardly ever

        self._kept = None
        for left in self._path.parent.glob(f"{_ASIDE}*"):
            remove_tree(left)
        try:
            place = Path(mkdtemp(prefix=_ASIDE, dir=self._path.parent))
            self._path.rename(place / "store")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Stalled(
                f"cannot {self._doing()}: {error.strerror}", hint=f"remove {self._path}"
            ) from error
        return place

    def take_back(self, place: Path) -> None:
        """Put back what was moved away: half of it is better than nothing."""
        remove_tree(self._path)
        with contextlib.suppress(OSError):
            (place / "store").rename(self._path)
            place.rmdir()

    async def run(
        self,
        *args: str,
        stdin: bytes | Path = b"",
        output_limit: int = 64 << 20,
        hear: Callable[[bytes], None] | None = None,
        timeout_seconds: float = 120.0,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run a command on the store alone; any failure that is not the disk's is damage.

        With `hear`, the output goes there as it comes, and is not returned.
        """
        done = await git(
            *args,
            repository=self.path,
            doing=self._doing(),
            stdin=stdin,
            output_limit=output_limit,
            hear=hear,
            timeout_seconds=timeout_seconds,
            env=env,
        )
        if done.code:
            self.clean()
            raise local_failure(self._doing(), done.errors)
        return done.output

    async def tree(self, treeish: str) -> list[bytes]:
        """List all files below a commit or tree, as lines for `read_entry`."""
        output = await self.run("ls-tree", "-r", "-z", "-l", "--full-tree", treeish)
        return output.split(b"\0")[:-1]

    async def commits(self, since: str, *, most: int, output_limit: int) -> list[bytes]:
        """List commits of HEAD's own line that `since` does not lead to, the newest first.

        Each is an empty word, its id, its author, its subject, and then the paths that it changes,
        with a line end before the first of them.
        """
        output = await self.run(
            *("log", "--first-parent", "-m", "--name-only", "--no-renames", "-z"),
            *("--ignore-missing", f"--max-count={most}", "--format=%x00%H%x00%an%x00%s"),
            *(HEAD, f"^{since}", "--"),
            output_limit=output_limit,
        )
        return output.split(b"\0")[:-1]

    async def objects(self, names: Sequence[str]) -> list[bytes | None]:
        """Return contents by object names, in their order; None for one that is not there."""
        if not names:
            return []
        contents = _Contents()
        await self.run(
            *("cat-file", "--batch", "--buffer"),
            stdin=_lines(names),
            output_limit=_READ_LIMIT,
            hear=contents.take,
        )
        if len(contents.found) < len(names):
            raise StoreBroken("cat-file ended early")
        return contents.found

    async def has(self, revisions: Collection[str]) -> frozenset[str]:
        """Return those revisions that the store holds."""
        if not revisions:
            return frozenset()
        output = await self.run(
            "cat-file", "--batch-check=%(objectname)", stdin=_lines(sorted(revisions))
        )
        return frozenset(output.decode().split("\n")) & frozenset(revisions)

    def head(self) -> str:
        """Id of what HEAD names (a commit or a tag object); empty before the first fetch."""
        with contextlib.suppress(OSError):
            return (self._path / HEAD).read_text().strip()
        with contextlib.suppress(OSError):
            for line in (self._path / "packed-refs").read_text().splitlines():
                if line.endswith(f" {HEAD}"):
                    return line.partition(" ")[0]
        return ""

    async def point(self, oid: str, *, name: str = "") -> None:
        """Make an object the newest; under a `name` of its own, it is held until `keep`."""
        if name:
            await self.run("update-ref", f"{_KEEP}{name}", oid)
            self._kept = None
        await self.run("update-ref", HEAD, oid)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """Yield how paths may begin that are gone afterwards, at the latest when it is cleaned."""
        place = self._path / "objects" / "pack" / "tmp_artifact_"
        place.parent.mkdir(exist_ok=True)
        try:
            yield str(place)
        finally:
            for left in place.parent.glob(f"{place.name}*"):
                left.unlink(missing_ok=True)

    async def hold(self, revision: str) -> None:
        """Hold on to a revision although HEAD is another one."""
        await self.run("update-ref", _GOOD, revision)

    async def keep(self, revisions: Collection[str]) -> None:
        """Hold on to `revisions` (those that are there) and to no others."""
        if frozenset(revisions) == self._kept or not self.exists():
            return
        output = await self.run("for-each-ref", "--format=%(refname) %(objectname)", _KEEP)
        refs = (line.removeprefix(_KEEP).split(" ") for line in output.decode().splitlines())
        objects = {name: oid for name, oid in refs}  # noqa: C416  # pairs, not lists
        # How an object is called beside its id is known from here alone: the newest may be wanted.
        newest = {name for name, oid in objects.items() if name != oid == self.head()}
        held = objects.keys()
        wanted = await self.has(frozenset(revisions) - held) | (held & frozenset(revisions))
        commands = [f"create {_KEEP}{oid} {oid}" for oid in sorted(wanted - held)]
        commands += [f"delete {_KEEP}{name}" for name in sorted(held - wanted - newest)]
        if commands:
            await self.run("update-ref", "--stdin", stdin=_lines(commands))
        self._kept = frozenset(revisions)

    async def collect(self) -> None:
        """Pack what is held, drop the rest older than an hour; reading goes on meanwhile."""
        expiry = f"--prune={int(time.time()) - _PRUNE_SECONDS}"
        self.is_collecting = True
        try:
            await self.run("gc", "--quiet", expiry, timeout_seconds=_GC_TIMEOUT_SECONDS)
        finally:
            self.is_collecting = False
            self.clean()

    async def check(self) -> None:
        """Read all of it; raises StoreBroken if something is missing or torn."""
        done = await git(
            *("fsck", "--no-dangling", "--no-progress"),
            repository=self.path,
            doing=self._doing(),
            timeout_seconds=_GC_TIMEOUT_SECONDS,
        )
        if done.code & ~_FSCK_OF_CONTENT or is_damage(done.errors):
            raise StoreBroken(last_words(done.errors))

    def load(self) -> Record | None:
        """Return the last snapshot, None if there is none (or none that can be read)."""
        try:
            text = (self._path / _RECORD).read_bytes()
            return msgspec.json.decode(text, type=Record) if self.exists() else None
        except (OSError, ValueError):
            return None

    async def save(self, record: Record) -> None:
        """Write the last snapshot atomically."""
        path = self._path / _RECORD
        try:
            await in_thread(lambda: write_whole(path, msgspec.json.encode(record)))
        except OSError as error:
            raise Retry(f"cannot {self._doing()}: {error.strerror}") from error

    def is_crowded(self) -> bool:
        """Whether so much has come together that it should be packed."""

        def count(pattern: str) -> int:
            return sum(1 for _ in (self._path / "objects").glob(pattern))

        return count("17/*") >= _CROWDED_LOOSE or count("pack/*.pack") >= _CROWDED_PACKS

    def _doing(self) -> str:
        return f"keep source {self._source} in {self._path}"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def read_entry(line: bytes) -> Entry:
    """Read a line of `Store.tree`. Raises StoreBroken for an object that is not there."""
    head, _, path = line.partition(b"\t")
    mode, _, oid, size = head.decode().split()
    if size == "BAD":
        raise StoreBroken(f"object {oid} is missing")
    return Entry(path, mode, oid, 0 if size == "-" else int(size))


class _Contents(msgspec.Struct):
    """Objects out of what `cat-file --batch` writes, in memory no more than once."""

    found: list[bytes | None] = []
    _head: bytearray = msgspec.field(default_factory=bytearray)
    _object: bytearray = msgspec.field(default_factory=bytearray)
    _left: int = 0
    """Bytes of the object that are still to come, with the line end after it."""

    def take(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[self._take_object(view) if self._left else self._take_head(view) :]

    def _take_object(self, view: memoryview) -> int:
        """Take what is of the object; returns how much that was."""
        some = view[: self._left]
        self._object += some[: self._left - 1]
        self._left -= len(some)
        if not self._left:
            self.found.append(bytes(self._object))
            self._object = bytearray()
        return len(some)

    def _take_head(self, view: memoryview) -> int:
        line, end, _ = bytes(view[:_LONGEST_HEAD]).partition(b"\n")
        self._head += line
        if not end:
            return len(line)
        head, self._head = bytes(self._head), bytearray()
        if head.endswith((b" missing", b" ambiguous")):
            self.found.append(None)
        else:
            self._left = int(head.rpartition(b" ")[2]) + 1
        return len(line) + 1
