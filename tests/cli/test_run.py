"""How the daemon begins."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor.cli.fast.run_daemon import quick

START = """
import sys
from supervisor.__main__ import main
sys.argv = ["podvisor", "run"]
code = main()
print(*sorted(sys.modules))
sys.exit(code)
"""
DEAR = {
    *("click", "rich", "aiohttp", "email", "http.client", "yaml", "multiprocessing", "unittest"),
    *("shutil", "tempfile", "bz2", "lzma", "calendar", "compileall"),
    *("supervisor.cli.guard", "supervisor.client.exchange"),
}


def test_the_daemon_carries_nothing_dear(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78, done.stderr
    assert "there are no settings" in done.stderr
    loaded = set(done.stdout.split())
    assert "supervisor.wiring.daemon" in loaded
    assert not loaded & DEAR


def test_what_is_not_plain_is_for_click(podvisor: Callable[..., Any]) -> None:
    assert quick(["--nonsense"]) is None
    assert podvisor("run", "--nonsense").code == 64
