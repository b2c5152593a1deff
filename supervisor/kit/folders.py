"""What the daemon would need shutil for; what that costs is in docs/explanation/memory.md."""

from contextlib import suppress
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, as far as that can be done; follow no links."""
    with suppress(OSError):
        for entry in [] if folder.is_symlink() else [*folder.iterdir()]:
            with suppress(OSError):
                if entry.is_dir() and not entry.is_symlink():
                    remove_tree(entry)
                else:
                    entry.unlink(missing_ok=True)
        folder.rmdir()
