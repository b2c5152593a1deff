"""Why a unit failed, in a few lines: from its journal where that can be read, else from systemd."""

import re
from typing import NamedTuple

import anyio

from supervisor.core.status.journal_entries import ASIDE, ID, read_entry
from supervisor.kit.process import ProcessError, run

_READ = 50
_LINES = 3
_CHARACTERS = 1_000
_TIMEOUT_SECONDS = 5.0
_ROUTINE = re.compile(
    r"^(Starting|Started|Stopping|Stopped|Dependency failed for) |^Failed to start "
    r"|: (Failed with result|Scheduled restart|Start request repeated"
    r"|Job .* failed with result|Consumed |Deactivated|Failed to spawn|Failed to run)"
    r"|, ignoring: "
)
"""What systemd says of every unit that fails, and of what it does without."""
_WELL = ": Deactivated successfully"
"""What systemd says of a run that did not fail."""
_BUILDING = re.compile(r"Error: building at STEP .*: exit status \d+$")
_STEP = re.compile(r"(\[\d+/\d+\] )?(STEP \d+(/\d+)?: |--> )")
_DUMP = re.compile(r"\{(?:[^{}]|\{[^{}]*\}){80,}\}")
"""A structure of Go's, as Podman's errors about COPY and ADD hold it: nothing for people."""
_EXITED = re.compile(r": Main process exited, code=(\w+), status=(\d+)(?:/(\w+))?")
_RUNS = ("_SYSTEMD_INVOCATION_ID", "USER_INVOCATION_ID")
"""Where it stands of which run of a unit a line is: what its processes wrote, what systemd did."""
_LAGS_SECONDS = (0.0, 0.15, 0.6)
"""What a process wrote just before it died may still be on its way to the journal."""


class _Line(NamedTuple):
    by: str
    text: str
    run: str = ""
    """systemd's id of the run that it is of; empty if it is of none."""


async def last_lines(unit: str, *, since: float, patient: bool = True) -> str:
    """Return the lines that say best why the unit failed; empty if the journal cannot be read.

    `patient` waits a moment for what may still be on its way.
    """
    lines: list[_Line] = []
    for lag in _LAGS_SECONDS if patient else _LAGS_SECONDS[:1]:
        await anyio.sleep(lag)
        try:
            done = await run(
                [
                    *("journalctl", "--user", "--quiet", "--no-pager", "--output=json"),
                    f"--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM,PODMAN_EVENT,{','.join(_RUNS)}",
                    *(f"--unit={unit}", f"--lines={_READ}", f"--since=@{since:.3f}"),
                ],
                timeout_seconds=_TIMEOUT_SECONDS,
                output_limit=1 << 20,
            )
        except (ProcessError, OSError):
            return ""
        lines = [line for entry in done.output.splitlines() for line in _read(entry)]
        if any(line.by != "systemd" for line in lines):
            break
    return _telling(_of_the_last_run(lines))


def _of_the_last_run(lines: list[_Line]) -> list[_Line]:
    """Leave out what was said in runs before the last one that came to something."""
    for run_id in dict.fromkeys(line.run for line in reversed(lines) if line.run):
        first = next(at for at, line in enumerate(lines) if line.run == run_id)
        mine = [line for line in lines[first:] if line.run in (run_id, "")]
        if any(line.by != "systemd" or _has_ended(line) for line in mine):
            return mine
    return lines


def _telling(lines: list[_Line]) -> str:
    """Choose a few: systemd only says that it failed, podman says why after `Error:`."""
    own = [line for line in lines if line.by != "systemd"]
    texts = [
        line.text
        for line in lines
        if line.by != "systemd"
        and not ASIDE.match(line.text)
        # The id or name of a container, which Podman prints when it has made or removed it.
        and not (line.by == "podman" and len(line.text.split()) == 1)
        and not ID.fullmatch(line.text)
    ]
    ended = next((end for line in reversed(lines) if (end := _ended_by(line))), "")
    if own and not texts and ended:
        return ended
    said = [line.text for line in lines if line.by == "systemd"]
    # Of systemd's lines, those of its routine say the least; what a run ended by says more.
    texts = texts or [text for text in said if not _ROUTINE.search(text)]
    if not texts and not any(_WELL in text for text in said):
        texts = said
    errors = [
        _DUMP.sub("{…}", text)
        for before, text, after in zip(("", *texts), texts, (*texts[1:], ""), strict=False)
        if text.startswith("Error:")
        # What Podman hands on of a helper follows in a line of its own.
        or (before.startswith("Error:") and before.endswith(":"))
        # Of a program that fails in a build, Podman knows the exit status only.
        or (_BUILDING.match(after) and not _STEP.match(text))
    ]
    newest_first = dict.fromkeys(reversed(errors or texts))
    told = "\n".join(reversed([*newest_first][:_LINES]))
    if len(told) > _CHARACTERS:
        told = f"…{told[1 - _CHARACTERS :]}"
    # Podman's own exit status says nothing that its error does not.
    return f"{ended}: {told}" if ended and own and not errors else told


def _has_ended(line: _Line) -> bool:
    """Whether systemd tells of the end of a run."""
    return ": Failed with result" in line.text or _WELL in line.text


def _ended_by(line: _Line) -> str:
    """Return the exit status or signal that systemd tells of, empty if the line tells of none."""
    if line.by != "systemd":
        return ""
    if "killed by the OOM killer" in line.text or "result 'oom-kill'" in line.text:
        return "OOMKilled"
    found = _EXITED.search(line.text)
    if found is None:
        return ""
    code, number, word = found.groups()
    return f"exit status {number}" if code == "exited" else f"signal {word or number}"


def _read(entry: bytes) -> list[_Line]:
    """Part an entry into lines."""
    fields, texts = read_entry(entry)
    # Quadlet has Podman write under the unit's name, too.
    is_podman = fields.get("_COMM") == "podman"
    by = "podman" if is_podman else str(fields.get("SYSLOG_IDENTIFIER"))
    of = next((str(fields[name]) for name in _RUNS if name in fields), "")
    return [_Line(by, stripped, of) for text in texts if (stripped := text.strip())]
