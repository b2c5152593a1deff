"""Which files Podman's generator crashes at, or never ends: one, and it says nothing of any other.

Used by `generator` after a run that came to no good end. The files are tried in the order in which
they refer to each other, so that the one with which it begins to crash is the one to blame.
"""

import posixpath
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from supervisor.adapters.quadlet.runner import Crashed, Runner
from supervisor.adapters.quadlet.stage import staged_files
from supervisor.core.files.names import is_drop_in
from supervisor.kit.process import Completed
from supervisor.model.app import Candidate
from supervisor.model.errors import Finding, Retry
from supervisor.model.quadlet import QUADLETS
from supervisor.model.source import FileKind, TreeFile

_T = TypeVar("_T")
_File = tuple[Candidate, TreeFile]
_KINDS = tuple(QUADLETS)
_ASSIGNMENT = re.compile(r"\s*[A-Za-z]\w*\s*=")
_MOST_LINES = 200
"""Of a file with more lines that assign something, the one to blame is not looked for."""


async def find_culprits(
    runner: Runner, apps: Sequence[Candidate], contents: Mapping[str, bytes], crash: Crashed
) -> dict[str, tuple[Finding, ...]]:
    """Return the apps at which it crashed, with their files and lines.

    Raises Retry if it is none of theirs, but one of the user's own.
    """
    trial = _Trial(runner, contents)
    await _blame_own(runner, trial, crash)
    files = [(app, file) for app in apps for file in staged_files(app, contents)]
    files.sort(key=lambda one: (_order(one[1].path), one[0].name))
    found: dict[str, tuple[Finding, ...]] = {}
    if not await trial.crashes(files):
        raise Retry(f"cannot run Podman's generator: {crash}; it did so once")
    for app, file in await first_to_crash(files, trial.crashes):
        line = 0 if crash.hangs else await trial.line(app, file, files)
        finding = app.finding(
            f"Podman's generator cannot read it: {crash}",
            app.source_path(file.path),
            "write it another way: were it installed, no app would have units any more",
            line=line,
        )
        found[app.name] = (*found.get(app.name, ()), finding)
    return found


async def first_to_crash(
    files: Sequence[_T], crashes: Callable[[Sequence[_T]], Awaitable[bool]]
) -> list[_T]:
    """Return the files without which the generator goes through; it crashes at all together.

    Takes about log2(len(files)) runs for each.
    """
    left, found = list(files), []
    while left:
        well, crashed = 0, len(left)
        while crashed - well > 1:
            middle = (well + crashed) // 2
            if await crashes(left[:middle]):
                crashed = middle
            else:
                well = middle
        found.append(left.pop(crashed - 1))
        if not await crashes(left):
            break
    return found


async def _blame_own(runner: Runner, trial: "_Trial", crash: Crashed) -> None:
    """Raise Retry if it crashes without any app, at the user's or the administrator's files."""
    if not await trial.crashes([]):
        return
    own = runner.own_files()

    async def crashes(some: Sequence[object]) -> bool:
        return await trial.crashes([], leave_out=set(own).difference(some))

    names = ", ".join(str(path) for path in await first_to_crash(own, crashes))
    raise Retry(f"cannot run Podman's generator: {crash}, at {names or 'no file at all'}")


def _order(path: str) -> tuple[bool, int, str]:
    """Sort key: what is referred to comes before what refers to it, links and drop-ins last."""
    kind = next((at for at, suffix in enumerate(_KINDS) if path.endswith(suffix)), len(_KINDS))
    return is_drop_in(path), kind, path


class _Trial(NamedTuple):
    """Runs the generator on some of the files, to see whether it crashes at them."""

    runner: Runner
    contents: Mapping[str, bytes]

    async def crashes(self, files: Sequence[_File], *, leave_out: Collection[object] = ()) -> bool:
        """Whether it crashes at these files, without those of the user's own in `leave_out`."""
        try:
            await self._run(files, self.contents, leave_out=leave_out)
        except Crashed:
            return True
        return False

    async def line(self, app: Candidate, file: TreeFile, files: Sequence[_File]) -> int:
        """Return the line, counted from 1, without which the file is well; 0 if not just one is."""
        if file.kind is FileKind.SYMLINK:
            return 0
        before = [one for one in files[: files.index((app, file))] if one[0].name == app.name]
        lines = self.contents.get(file.oid, b"").split(b"\n")
        text = [line.decode(errors="replace") for line in lines]
        assigning = [at for at, line in enumerate(text) if _ASSIGNMENT.match(line)]
        for at in assigning if len(assigning) <= _MOST_LINES else ():
            contents = {**self.contents, "": b"\n".join([*lines[:at], b"", *lines[at + 1 :]])}
            try:
                done = await self._run([*before, (app, replace(file, oid=""))], contents)
            except Crashed:
                continue
            if f'"{posixpath.basename(file.path)}"' not in done.errors:  # nor is it refused
                return at + 1
        return 0

    async def _run(
        self,
        files: Sequence[_File],
        contents: Mapping[str, bytes],
        *,
        leave_out: Collection[object] = (),
    ) -> Completed:
        apps = {app.name: app for app, _ in files}
        some = [
            replace(app, files=tuple(file for of, file in files if of.name == name))
            for name, app in apps.items()
        ]
        async with self.runner.staged(some, contents, leave_out=leave_out) as folder:
            return await self.runner.dry_run(folder, is_probe=True)
