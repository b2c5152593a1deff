"""A stand-in for Podman's Quadlet generator: a small program that answers as the real one does."""

import sys
from pathlib import Path

STAND_IN = """#!{python} -SE
import os, sys, time
from pathlib import Path
if sys.argv[1:] == ["-version"]:
    print("5.4.2")
    sys.exit()
assert sys.argv[1:] == ["-dryrun", "-user"]
with open("{log}", "a") as log:
    log.write("run\\n")
code = 0
files = {{}}
for folder, _, names in sorted(os.walk(os.environ["QUADLET_UNIT_DIRS"], followlinks=True)):
    for name in sorted(names):
        files.setdefault(name, Path(folder, name))
for name, path in files.items():
    stem, _, suffix = name.rpartition(".")
    if suffix in ("container", "network"):
        text = path.read_text()
        if "DIE" in text:
            sys.exit(2)
        if "HANG" in text:
            time.sleep(60)
        if "PANIC" in text and "[Container]" in text:
            print("panic: runtime error: index out of range\\n\\ngoroutine 1:", file=sys.stderr)
            sys.exit(2)
        needs = [w for w in text.split() if w.startswith("Network=")]
        missing = [n for n in needs if n[8:] not in files]
        if "Bogus" in text or missing:
            words = f"requested Quadlet unit {{missing[0][8:]}} was not found" if missing else \\
                f"unsupported key 'Bogus' in group 'Container' in {{path}}"
            print(f'quadlet-generator[7]: converting "{{name}}": {{words}}', file=sys.stderr)
            code = 1
            continue
        service = stem + ("-network" if suffix == "network" else "")
        print(f"---{{service}}.service---")
        print(text.replace("[Container]", "[X-Container]").replace("[Network]", "[X-Network]"))
        name = "systemd-" + stem.replace("@", "_")
        image = next((word for word in text.split() if word.startswith("Image=")), "")
        command = f"podman run --name {{name}} {{image}}"
        print(f"[Unit]\\nSourcePath={{path}}\\n[Service]\\nExecStart={{command}}\\n")
sys.exit(code)
"""


def write_stand_in(binary: Path, *, log: Path) -> None:
    """Make the program; it adds a line to `log` for each run."""
    binary.write_text(STAND_IN.format(python=sys.executable, log=log))
    binary.chmod(0o755)
