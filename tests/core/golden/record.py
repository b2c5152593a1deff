"""Record what a generator makes of the apps: `record.py /usr/libexec/podman/quadlet`.

Writes VERSION.out and VERSION.err beside this file, as if the apps were staged in STAGE.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STAGE = "/run/user/1000/podvisor/stage/1-1"
HERE = Path(__file__).parent


def main(binary: str) -> None:
    version = subprocess.run([binary, "-version"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(HERE / "apps", root + STAGE, symlinks=True)
        done = subprocess.run(
            [binary, "-dryrun", "-user"],
            env=os.environ | {"QUADLET_UNIT_DIRS": root + STAGE},
            capture_output=True,
            text=True,
            check=False,
        )
        for suffix, text in (("out", done.stdout), ("err", done.stderr)):
            plain = re.sub(r"generator\[\d+\]", "generator[1]", text.replace(root, ""))
            (HERE / f"{version.stdout.strip()}.{suffix}").write_text(plain)


if __name__ == "__main__":
    main(sys.argv[1])
