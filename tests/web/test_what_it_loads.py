"""What the page's process loads: who looks waits for it, each time that it was asleep."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys
import supervisor.web.application, supervisor.web.process
print(json.dumps([*sys.modules]))
"""


def test_nothing_of_the_daemon() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ,
    )
    loaded = set(json.loads(done.stdout))
    rooms = ("supervisor.adapters", "supervisor.controllers", "supervisor.wiring")
    assert not {name for name in loaded if name.startswith(rooms)}
    assert not loaded & {"dbus_fast", "prometheus_client", "sqlite3"}
