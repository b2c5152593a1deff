"""What a store's HEAD holds, after a fetch: its files, and what is refused of them."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from supervisor.adapters.git.errors import StoreBroken
from supervisor.adapters.git.store import HEAD, Entry, Store, read_entry
from supervisor.adapters.git.tree_policy import name_problem, refused, screen, too_large
from supervisor.kit.plain_text import plain_line
from supervisor.kit.stamps import object_id
from supervisor.model.errors import Finding, Stalled
from supervisor.model.source import Commit, FileKind, Snapshot, TreeFile

_KINDS = {
    "100644": FileKind.FILE,
    "100664": FileKind.FILE,
    "100755": FileKind.EXECUTABLE,
    "120000": FileKind.SYMLINK,
}
_MODES = {kind: mode for mode, kind in reversed(_KINDS.items())}
_SUBMODULE = "160000"
_MAX_TARGET = 4_096
_LONGEST_SUBJECT, _LONGEST_NAME = 500, 100
"""Characters that are kept of what a commit says of itself."""
_MOST_COMMITS, _MOST_PATHS, _MOST_BYTES = 100, 5_000, 4 << 20
"""Of more that come at once, it is not looked for which changed what."""


async def snapshot_of_head(
    store: Store, *, source: str, before: Snapshot | None, file_size: int, shown: str
) -> Snapshot:
    """Make the snapshot of what was fetched: one process lists, one reads the link targets.

    What is as it was `before` is not made anew; `shown` is where it was fetched from. Raises
    Stalled if it is no commit, StoreBroken if it is not all there.
    """
    try:
        lines = await store.tree(HEAD)
    except StoreBroken as error:
        if "not a tree" not in str(error):
            raise
        lines = []
    known = {_line(file): file for file in before.files} if before else {}
    files = [file for line in lines if (file := known.get(line))]
    findings: list[Finding] = []
    for entry in map(read_entry, (line for line in lines if line not in known)):
        problem = name_problem(entry.path)
        file = None if problem else _file(entry)
        if problem:
            findings.append(refused(source, entry.path, problem, "rename or remove it"))
        elif entry.mode == _SUBMODULE:
            message = "is a submodule: its content is not fetched"
            finding = refused(source, entry.path, message, "copy what is needed into the source")
            findings.append(replace(finding, fatal=False))
        elif file is None:
            findings.append(refused(source, entry.path, f"is of an unknown kind ({entry.mode})"))
        elif file.kind is FileKind.SYMLINK and file.size > _MAX_TARGET:
            findings.append(too_large(source, entry.path, file.size, _MAX_TARGET))
        else:
            files.append(file)
    linked = [file for file in files if file.kind is FileKind.SYMLINK]
    head, *targets = await store.objects([f"{HEAD}^{{commit}}", *(file.oid for file in linked)])
    if head is None:
        tip = store.head()
        if tip not in await store.has([tip] if tip else []):
            raise StoreBroken(f"its tip ({tip or 'unnamed'}) is missing")
        raise Stalled(
            f"cannot fetch {shown}: what `ref` names is not a commit",
            hint="set `ref` to a branch, a tag of a commit, or a commit's full id",
        )
    links = {
        file.path: target.decode(errors="surrogateescape")
        for file, target in zip(linked, targets, strict=True)
        if target is not None
    }
    kept, problems = screen(source, files, links, file_size=file_size)
    revision = object_id("commit", head)
    former = before.revision if before else revision
    came_alone = former in (revision, *_parents(head)[:1])
    return Snapshot(
        source=source,
        revision=revision,
        subject=_subject(head),
        author=_author(head),
        files=kept,
        findings=(*findings, *problems),
        commits=() if came_alone else await _commits_since(store, former),
    )


def _parents(commit: bytes) -> list[str]:
    lines = commit.partition(b"\n\n")[0].split(b"\n")
    words = (line.split() for line in lines if line.startswith(b"parent "))
    return [word.decode() for _, word in words]


async def _commits_since(store: Store, before: str) -> tuple[Commit, ...]:
    try:
        words = await store.commits(before, most=_MOST_COMMITS, output_limit=_MOST_BYTES)
    except Stalled:  # it says too much
        return ()
    commits = tuple(_commits(words))
    many = sum(len(one.paths) for one in commits) > _MOST_PATHS
    return () if many else commits


def _commits(words: Sequence[bytes]) -> Iterator[Commit]:
    """Read what `Store.commits` returns."""
    at = 0
    while at < len(words):
        revision, author, subject = words[at + 1 : at + 4]
        begin = at = at + 4
        while at < len(words) and words[at]:
            at += 1
        paths = b"\0".join(words[begin:at]).removeprefix(b"\n").decode(errors="replace")
        yield Commit(
            revision=revision.decode(),
            subject=plain_line(subject.decode(errors="replace"), _LONGEST_SUBJECT),
            author=plain_line(author.decode(errors="replace"), _LONGEST_NAME),
            paths=tuple(paths.split("\0")) if paths else (),
        )


def _subject(commit: bytes) -> str:
    message = commit.partition(b"\n\n")[2].decode(errors="replace").strip()
    return plain_line(message.partition("\n")[0], _LONGEST_SUBJECT)


def _author(commit: bytes) -> str:
    """Return the author's name as the commit has it, without the address."""
    head = commit.partition(b"\n\n")[0]
    line = next((one for one in head.split(b"\n") if one.startswith(b"author ")), b"")
    name = line.removeprefix(b"author ").rpartition(b" <")[0]
    return plain_line(name.decode(errors="replace"), _LONGEST_NAME)


def _line(file: TreeFile) -> bytes:
    """Return how `Store.tree` lists a file that is as it was."""
    return f"{_MODES[file.kind]} blob {file.oid} {file.size:>7}\t{file.path}".encode()


def _file(entry: Entry) -> TreeFile | None:
    kind = _KINDS.get(entry.mode)
    return TreeFile(entry.path.decode(), entry.oid, kind, entry.size) if kind else None
