"""What the daemon would need shutil for, which loads three compressors that stay: 0.7 MB."""

import os
from contextlib import suppress
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, as far as that can be done; follow no links."""
    with suppress(OSError):
        for entry in [] if folder.is_symlink() else [*folder.iterdir()]:
            if entry.is_dir() and not entry.is_symlink():
                remove_tree(entry)
            else:
                entry.unlink(missing_ok=True)
        folder.rmdir()


def is_installed(program: str, path: str | None = None) -> bool:
    """Whether a program is in one of the folders of a search path; without one, of $PATH."""
    folders = os.get_exec_path() if path is None else path.split(os.pathsep)
    places = [Path(folder, program) for folder in folders]
    return any(place.is_file() and os.access(place, os.X_OK) for place in places)
