"""The stage: a fresh folder in memory where candidates stand as they would be installed.

Only what the generator looks at is written: Quadlet files, drop-ins, and links that stay inside
their app. The user's own Quadlet files stand beside them as links, for those who refer to them.
"""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from supervisor.core.files.linked import links_of, shaping_by_link
from supervisor.core.render.generator_errors import is_staged
from supervisor.kit.folders import remove_tree
from supervisor.kit.links import resolve
from supervisor.model.app import Candidate
from supervisor.model.source import FileKind, TreeFile

# Sorts behind every app's name: of two files of one name the generator takes the first.
_USERS_OWN = "~own"
_numbers = count(1)


@contextlib.contextmanager
def staged(
    base: Path,
    apps: Sequence[Candidate],
    *,
    contents: Mapping[str, bytes],
    own_folders: Sequence[Path],
    live: Path,
    leave_out: Collection[object] = (),
) -> Iterator[Path]:
    """Stand the apps below a new folder, which is given and then removed. Raises OSError.

    Of the user's own files and folders, those in `leave_out` do not stand there.
    """
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = base / f"{os.getpid()}-{next(_numbers)}"
    run.mkdir(mode=0o700)
    try:
        taken: set[str] = set()
        for app in apps:
            taken |= _stand(run / app.name, app, contents)
        for number, folder in enumerate(own_folders):
            own = [one for one in own_files(folder, live) if one not in leave_out]
            _link_own(run / f"{_USERS_OWN}{number}", own, taken=taken)
        yield run
    finally:
        remove_tree(run)


def remove_abandoned(base: Path) -> None:
    """Remove the stages of processes that are gone (killed before they could)."""
    with contextlib.suppress(OSError):
        for run in list(base.iterdir()):
            pid = run.name.partition("-")[0]
            if pid.isdecimal() and not Path("/proc", pid).exists():
                remove_tree(run)


def _stand(folder: Path, app: Candidate, contents: Mapping[str, bytes]) -> set[str]:
    """Write one app; return the names of its files."""
    names: set[str] = set()
    links: dict[str, str] = {}
    folder.mkdir(mode=0o700)
    for file in staged_files(app, contents):
        if file.kind is FileKind.SYMLINK:
            links[file.path] = os.fsdecode(contents.get(file.oid, b""))
            continue
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[file.oid])
        names.add(path.name)
    # Links last, each made only where no file was: nothing is ever written through one.
    for name, target in links.items():
        if target and resolve(name, links) is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                path.symlink_to(target)
                names.add(path.name)
    return names


def staged_files(app: Candidate, contents: Mapping[str, bytes]) -> list[TreeFile]:
    """Return those of an app's files at which the generator looks, links followed."""
    linked = {file for _, file in shaping_by_link(app, links_of(app, contents))}
    return [one for one in app.files if is_staged(one.path, one.kind) or one in linked]


def own_files(own: Path, live: Path) -> list[Path]:
    """What stands in one of the user's own Quadlet folders, podvisor's folder aside."""
    try:
        return sorted(entry for entry in own.iterdir() if not _is_not_own(entry, live))
    except OSError:
        return []  # not there, or not readable: the generator would not read it either


def _link_own(folder: Path, own: Sequence[Path], *, taken: set[str]) -> None:
    """Link the user's own files, but for those whose name an app has."""
    folder.mkdir(mode=0o700)
    for entry in own:
        if entry.name not in taken:
            (folder / entry.name).symlink_to(entry)


def _is_not_own(entry: Path, live: Path) -> bool:
    """Whether it is podvisor's folder, or another user's (the administrator names these by uid)."""
    # os.path, not pathlib: these say no of a link that leads round and round, and raise nothing.
    return os.path.isdir(entry) and (  # noqa: PTH112
        entry.name.isdecimal() or os.path.realpath(entry) == os.fspath(live)
    )


def signature(own_folders: Sequence[Path], live: Path) -> tuple[tuple[str, int, int], ...]:
    """State of the user's own Quadlet files: changes when one of them does."""
    found: list[tuple[str, int, int]] = []
    seen: set[str] = set()
    for own in own_folders:
        for folder, folders, names in os.walk(own, followlinks=True):
            if (real := os.path.realpath(folder)) in seen:  # a link that leads back
                folders.clear()
                continue
            seen.add(real)
            folders[:] = [name for name in folders if not _is_not_own(Path(folder, name), live)]
            for name in names:  # beside them there may be a database's thousand files
                # With its folder's name, without which a drop-in is not known for one.
                if not is_staged(f"{os.path.basename(folder)}/{name}", FileKind.FILE):  # noqa: PTH119
                    continue
                with contextlib.suppress(OSError):
                    state = Path(folder, name).stat()
                    found.append((f"{folder}/{name}", state.st_mtime_ns, state.st_size))
    return tuple(sorted(found))
