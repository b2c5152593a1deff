"""Has a person edit a text that must not reach a disk."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from supervisor.cli.daemon.client import Refused

_EDITORS = ("sensible-editor", "nano", "vi")


def edited(clear: bytes, *, name: str) -> bytes:
    """Return the text as the editor left it. Raises Refused if that failed.

    It stands in a folder of the user's own in memory, and is overwritten before it is removed.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not Path(runtime).is_dir() or not runtime:
        hint = "log in anew (not with su), or: export XDG_RUNTIME_DIR=/run/user/$(id -u)"
        raise Refused("cannot edit: XDG_RUNTIME_DIR is not set, so there is no place", hint=hint)
    command = _editor()
    folder = Path(tempfile.mkdtemp(prefix="podvisor-edit-", dir=runtime))
    path = folder / name
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(clear)
        code = subprocess.run([*command, str(path)], check=False).returncode
        if code:
            hint = "nothing was changed"
            raise Refused(f"the editor {command[0]} ended with exit code {code}", hint=hint)
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"cannot edit with {command[0]}: {error.strerror}") from error
    finally:
        _shred(folder)


def _editor() -> list[str]:
    for variable in ("VISUAL", "EDITOR"):
        if words := shlex.split(os.environ.get(variable, "")):
            return words
    for program in _EDITORS:
        if found := shutil.which(program):
            return [found]
    raise Refused("no editor is known", hint="set $EDITOR, such as EDITOR=nano")


def _shred(folder: Path) -> None:
    """Overwrite and remove what is in a folder, an editor's own copies too."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            size = path.stat().st_size
            with path.open("r+b") as file:
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
    shutil.rmtree(folder)
