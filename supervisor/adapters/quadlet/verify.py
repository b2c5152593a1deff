"""What systemd would pass over in silence: keys that it does not know, values that it cannot read.

Podman's generator hands `[Unit]`, `[Service]` and `[Install]` on as they are. So systemd itself is
asked (`systemd-analyze verify`) about the units that come of it. For `podvisor check`.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from supervisor.core.files.redact import without_value
from supervisor.core.files.unitfile import parse
from supervisor.kit.process import ProcessError, run
from supervisor.model.errors import Finding
from supervisor.model.unit_name import is_template

_SAID = re.compile(r"(/.+?):(\d+): (.*\b[Ii]gnoring\b.*)")
_IGNORING = re.compile(r"[,.] [Ii]gnoring\b.*")
"""What follows is the value, which is not repeated: it stands in the line that is named."""
_ANALYZE = ("--user", "verify", "--man=no", "--generators=no", "--recursive-errors=no")
_TIMEOUT_SECONDS = 60.0


async def passed_over(app: Path, plain: Sequence[str], *, generator: str) -> tuple[Finding, ...]:
    """Warn of it in one app: its folder, and the paths of its plain units below that.

    Finds nothing where systemd-analyze is not installed, or does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="podvisor-verify-") as scratch:
        units = Path(scratch)
        environment = {**os.environ, "QUADLET_UNIT_DIRS": str(app), "LC_ALL": "C.UTF-8"}
        environment.setdefault("XDG_RUNTIME_DIR", scratch)
        try:
            await run(
                [generator, "-user", scratch], env=environment, timeout_seconds=_TIMEOUT_SECONDS
            )
            origins = _gather(app, plain, units)
            argv = ["systemd-analyze", *_ANALYZE, *sorted(origins)]
            done = await run(argv, env=environment, timeout_seconds=_TIMEOUT_SECONDS)
        except (ProcessError, OSError):
            return ()
        return tuple(dict.fromkeys(_findings(done.errors, origins, app)))


def _gather(app: Path, plain: Sequence[str], units: Path) -> dict[str, Path]:
    """Put all units into one folder; gives their paths, each with the file that it came from."""
    origins: dict[str, Path] = {}
    for unit in sorted(units.iterdir()):
        if unit.is_file() and not unit.is_symlink():
            text = unit.read_text(errors="replace")
            origins[str(unit)] = Path(parse(text).last("Unit", "SourcePath") or unit)
    for path in plain:
        unit = units / Path(path).name
        shutil.copyfile(app / path, unit)
        origins[str(unit)] = app / path
    for path in [path for path in origins if is_template(Path(path).name)]:
        instance = path.replace("@.", "@x.")  # only an instance can be looked at
        Path(path).rename(instance)
        origins[instance] = origins.pop(path)
    return origins


def _findings(said: str, origins: Mapping[str, Path], app: Path) -> Iterator[Finding]:
    for complaint in said.splitlines():
        if (match := _SAID.fullmatch(complaint.strip())) and match[1] in origins:
            lines = Path(match[1]).read_text(errors="replace").split("\n")
            line = lines[int(match[2]) - 1]
            path, number = _where(line, origins[match[1]])
            words = without_value(_IGNORING.sub("", match[3]), line)
            yield Finding(
                message=f"systemd passes this over: {words}",
                path=os.path.relpath(path, app),
                line=number,
                fatal=False,
            )


def _where(text: str, origin: Path) -> tuple[Path, int]:
    """Find a line of a generated unit in the file that it came from, or in a drop-in of that."""
    wanted = "".join(text.split())
    for path in (origin, *sorted(origin.with_name(f"{origin.name}.d").glob("*.conf"))):
        for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1):
            if "".join(line.split()) == wanted:
                return path, number
    return origin, 0
