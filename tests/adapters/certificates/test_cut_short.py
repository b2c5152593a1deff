"""Certificates are kept and installed whole, or not at all, whatever moment ends it."""

import subprocess
import sys
from pathlib import Path

import tests

PROGRAM = Path(__file__).parent / "cut_short.py"


def test_what_is_cut_short_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(tests.__file__).parent.parent)},
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    words = [word for word, _ in lines]
    both = ["installed", "full"]
    assert words == [*both, *both, "removed", "kept", "kept", "full"]
    assert all(int(count) > 10 for _, count in lines), "as many calls, and bytes, as it has"
