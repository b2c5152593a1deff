"""Python's bytecode as the service's unit asks for it: small, and in a folder of its own.

No installer compiles it so. The first start does, and after an upgrade the next one.
"""

import os
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

_FOLDER = "PYTHONPYCACHEPREFIX"
_OF_THE_UNIT = ("PYTHONOPTIMIZE", _FOLDER, "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def prepare(module: str, *others: str) -> None:
    """Have these compiled, by `compile_all`, unless the first is; then start Python anew.

    What compiling takes, 4 MB, would stay until this process ends. Where the folder cannot be
    written, Python runs as it is installed: it would compile at every start. The variables of the
    unit are for this process: its children do not inherit them.
    """
    compiles = bool(os.environ.get(_FOLDER)) and not _is_compiled(module)
    if compiles:
        code = f"from {__name__}_compiler import compile_all; compile_all{(module, *others)}"
        subprocess.run([sys.executable, "-X", "no_debug_ranges", "-c", code], check=False)
    if not compiles or not _is_compiled(module):
        for name in _OF_THE_UNIT:
            os.environ.pop(name, None)
    if compiles:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def _is_compiled(module: str) -> bool:
    """Whether that of this source is there; as Python tells, by the time and size at its head."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or spec.cached is None:
        return False
    source = Path(spec.origin).stat()
    try:
        with Path(spec.cached).open("rb") as kept:
            head = kept.read(16)
    except OSError:
        return False
    return head[8:] == struct.pack("<II", int(source.st_mtime), source.st_size)
