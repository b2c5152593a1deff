"""Podman's generator prints options in another order each time; run inside a host as a user.

The test puts the apps' files, by app and path, in the place of APPS.
"""
# A plain program, without pytest's help:
# ruff: noqa: T201

import os
import subprocess
import tempfile
from pathlib import Path

from supervisor.adapters.quadlet.runner import BINARIES
from supervisor.core.files.digest import digest
from supervisor.core.files.unitfile import parse
from supervisor.core.render.quadlet_output import divide

APPS: dict[str, dict[str, str]] = {}
RUNS = 200

binary = next(path for path in BINARIES if Path(path).exists())
digests: dict[str, set[str]] = {}
texts: dict[str, set[str]] = {}
with tempfile.TemporaryDirectory() as stage:
    for app, files in APPS.items():
        for name, text in files.items():
            path = Path(stage, app, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    env = os.environ | {"QUADLET_UNIT_DIRS": stage}
    for _ in range(RUNS):
        done = subprocess.run(
            [binary, "-dryrun", "-user"], env=env, capture_output=True, text=True, check=False
        )
        for name, text in divide(done.stdout):
            digests.setdefault(name, set()).add(digest(parse(text), stage=stage, live="/live"))
            texts.setdefault(name, set()).add(text)
flaky = {name: len(found) for name, found in digests.items() if len(found) != 1}
assert not flaky, f"digests that a run of the generator changed: {flaky}"
assert any(len(found) > 1 for found in texts.values()), "the generator's order is settled now"
print(f"{RUNS} runs, one digest each;", {name: len(ways) for name, ways in sorted(texts.items())})
