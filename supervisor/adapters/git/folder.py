"""A folder as a source: survey it, read what changed, put it into the store as a tree.

A file whose stat is that of the last time is not read again. What changes while it is read is
read again, and the whole is only taken when a second survey equals the first.
"""

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

import anyio
import msgspec

from supervisor.adapters.git.pack import Pack, trees
from supervisor.adapters.git.store import Store
from supervisor.adapters.git.tree_policy import refused, screen, target_problem, unread
from supervisor.adapters.git.walk import Seen, Survey, Torn, read_file, survey
from supervisor.kit.stamps import Stamp, blob_id
from supervisor.kit.threads import in_thread
from supervisor.model.errors import Finding, Retry
from supervisor.model.settings import LimitSettings
from supervisor.model.source import FileKind, Snapshot, TreeFile

_TRIES = 4
_PAUSE_SECONDS = 0.1
_BATCH_BYTES = 8 << 20

Known = dict[str, tuple[Stamp, TreeFile]]


class _Batch(NamedTuple):
    """Files that were read, with their contents packed."""

    files: list[TreeFile]
    findings: list[Finding]
    pack: Pack


class FolderReader(msgspec.Struct):
    """Reads one folder source; remembers the stat of what it has read."""

    source: str
    store: Store
    limits: LimitSettings
    _known: Known = {}
    _last: tuple[str, Survey, Snapshot] | None = None

    async def fetch(self, folder: str) -> Snapshot:
        """Read the folder into the store. Raises Stalled, or Retry if it does not keep still."""
        path = os.path.expanduser(folder)  # noqa: ASYNC240, PTH111  # asks only the environment
        torn = ""
        for attempt in range(_TRIES):
            if attempt:
                await anyio.sleep(_PAUSE_SECONDS * attempt)
            try:
                seen = await in_thread(lambda: survey(self.source, path, self.limits))
                if self._last and self._last[:2] == (path, seen) and self._all_known(seen):
                    return self._last[2]
                snapshot = await self._take(path, seen)
            except Torn as error:
                torn = str(error)
                continue
            self._last = (path, seen, snapshot)
            return snapshot
        raise Retry(f"cannot read folder {path}: {torn or 'it'} is being changed")

    def _all_known(self, seen: Survey) -> bool:
        return all(file.path in self._known for file in seen.files)

    async def _take(self, path: str, seen: Survey) -> Snapshot:
        links = {file.path: file.target for file in seen.files if file.kind is FileKind.SYMLINK}
        files: list[TreeFile] = []
        findings = list(seen.findings)
        fresh: list[Seen] = []
        for file in seen.files:
            known = self._known.get(file.path)
            if known and known[0] == file.stamp:
                files.append(known[1])
            else:
                fresh.append(file)
        started = time.time_ns()
        pack = Pack()
        for batch in _batches(fresh):
            await self._unpack(pack)
            read = await in_thread(lambda batch=batch: self._read(path, batch))  # type: ignore[misc]
            files += read.files
            findings += read.findings
            pack = read.pack
        if fresh:
            again = await in_thread(lambda: survey(self.source, path, self.limits))
            if again != seen:
                raise Torn(_difference(seen, again))
        kept, problems = screen(self.source, files, links, file_size=self.limits.file_size)
        revision, made = trees(kept)
        for tree in made:
            pack.add("tree", tree)
        await self._unpack(pack)
        await self.store.point(revision)
        self._remember(seen, files, started)
        told = (*findings, *problems)
        return Snapshot(
            source=self.source,
            revision=revision,
            files=kept,
            findings=told,
            empty=tuple(seen.empty),
        )

    async def _unpack(self, pack: Pack) -> None:
        if data := pack.finish():
            await self.store.run("unpack-objects", "-q", stdin=data)

    def _read(self, path: str, batch: Sequence[Seen]) -> _Batch:
        read = _Batch([], [], Pack())
        for file in batch:
            if file.kind is FileKind.SYMLINK:
                if problem := target_problem(file.target):
                    read.findings.append(refused(self.source, file.path.encode(), problem))
                    continue
                content = file.target.encode()
            else:
                try:
                    content = read_file(path, file)
                except OSError as error:
                    read.findings.append(unread(self.source, file.path.encode(), error))
                    continue
            read.pack.add("blob", content)
            read.files.append(TreeFile(file.path, blob_id(content), file.kind, len(content)))
        return read

    def _remember(self, seen: Survey, files: Sequence[TreeFile], started: int) -> None:
        by_path = {file.path: file for file in files}
        self._known = {
            file.path: (file.stamp, by_path[file.path])
            for file in seen.files
            if file.path in by_path and file.stamp.is_settled(started)
        }


def _batches(files: Sequence[Seen]) -> list[list[Seen]]:
    batches: list[list[Seen]] = []
    room = 0
    for file in files:
        if not batches or file.stamp.size > room:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(file)
        room -= file.stamp.size
    return batches


def _difference(before: Survey, after: Survey) -> str:
    changed = set(before.files) ^ set(after.files)
    return min((file.path for file in changed), default="it")
