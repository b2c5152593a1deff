"""A store that begins with what another one holds, and leaves that one as it is.

Used where a command works something out while the store may be the daemon's.
"""

from contextlib import suppress
from pathlib import Path

_FILES = ("HEAD", "config", "packed-refs", "shallow", "podvisor.json")


def borrow(path: Path, base: Path) -> None:
    """Make the repository `path`, which finds in `base`, if that is one, what it lacks.

    Raises OSError.
    """
    if path.exists() or not (base / "HEAD").exists():
        return
    import shutil  # noqa: PLC0415  # a daemon never borrows

    (path / "objects" / "info").mkdir(mode=0o700, parents=True)
    (path / "refs").mkdir(exist_ok=True)
    (path / "objects" / "info" / "alternates").write_text(f"{base.resolve() / 'objects'}\n")
    for name in _FILES:
        with suppress(FileNotFoundError):
            shutil.copyfile(base / name, path / name)
    shutil.copytree(
        base / "refs", path / "refs", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock")
    )
