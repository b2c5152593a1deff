"""Why a unit failed, in a few lines: from its journal where that can be read, else from systemd."""

import re
from typing import NamedTuple

import anyio

from supervisor.core.health import endings
from supervisor.core.status.journal_entries import (
    FIELDS,
    RUNS,
    Asides,
    is_podmans,
    read_entry,
    run_of,
)
from supervisor.kit.plain_text import plain_line
from supervisor.kit.process import ProcessError, run
from supervisor.model.ending import Ending

_READ = 50
_LINES = 3
_CHARACTERS = 1_000
_LINE_CHARACTERS = 500
_TIMEOUT_SECONDS = 5.0
_ROUTINE = re.compile(
    r"^(Starting|Started|Stopping|Stopped|Dependency failed for) |^Failed to start "
    r"|: (Failed with result|Scheduled restart|Start request repeated|Consumed |Deactivated"
    r"|Killing process|Unit process \d+ .* remains running|Found left-over process)"
    r"|, ignoring: |^This usually indicates unclean termination "
)
"""What systemd says of every unit that starts, runs or fails, and of what it does without."""
_LITTLE = re.compile(r": (Job .* failed with result|Failed to spawn|Failed to run)")
"""What it says of each that could not be begun, mostly beside the reason."""
_WARNING = re.compile(r'time="[^"]*" level=(warning|info|debug|trace) msg=')
"""What Podman says that is no reason for an end."""
_WELL = ": Deactivated successfully"
"""What systemd says of a run that did not fail."""
_BUILDING = re.compile(r"Error: building at STEP .*: exit status \d+$")
_STEP = re.compile(r"(\[\d+/\d+\] )?(STEP \d+(/\d+)?: |--> )")
_DUMP = re.compile(r"\{(?:[^{}]|\{[^{}]*\}){80,}\}")
"""A structure of Go's, as Podman's errors about COPY and ADD hold it: nothing for people."""
_EXITED = re.compile(r": Main process exited, code=(\w+), status=(\d+)(?:/(\w+))?")
_ANY_EXIT = re.compile(r" process exited, code=")
_ENDED_BY_PROCESS = re.compile(r": Failed with result '(exit-code|signal|core-dump)'")
"""What systemd says after it has said how the process exited. That is less urgent: where journald
takes too much in too little time, it passes over that, and with it over what programs write."""
_CUT_OFF = (
    (re.compile(r"killed by the OOM killer|result 'oom-kill'"), endings.OUT_OF_MEMORY),
    (re.compile(r": start\S* operation timed out|: Start.* timed out"), endings.START_TIMEOUT),
    (re.compile(r": Watchdog timeout"), endings.WATCHDOG),
    (re.compile(r": (State 'stop|State 'final|Stopping).* timed out"), endings.STOP_TIMEOUT),
)
"""What systemd, or the kernel, ended a run for; how it ended then says less."""
_LAGS_SECONDS = (0.0, 0.15, 0.6)
"""What a process wrote just before it died may still be on its way to the journal."""


class _Line(NamedTuple):
    by: str
    text: str
    run: str = ""
    """systemd's id of the run that it is of; empty if it is of none."""


async def last_lines(
    unit: str, *, since: float, patient: bool = True, ended: bool = False
) -> Ending:
    """Return what says best why the unit failed; nothing if the journal cannot be read.

    `patient` waits a moment for what may still be on its way. With `ended` it is about the last run
    that has: the unit may run again.
    """
    lines: list[_Line] = []
    for lag in _LAGS_SECONDS if patient else _LAGS_SECONDS[:1]:
        await anyio.sleep(lag)
        try:
            done = await run(
                [
                    *("journalctl", "--user", "--quiet", "--no-pager", "--output=json"),
                    f"--output-fields={','.join({*FIELDS, *RUNS})}",
                    *(f"--unit={unit}", f"--lines={_READ}", f"--since=@{since:.3f}"),
                ],
                timeout_seconds=_TIMEOUT_SECONDS,
                output_limit=1 << 20,
            )
        except (ProcessError, OSError):
            return Ending()
        lines = _read(done.output)
        if any(line.by != "systemd" for line in lines):
            break
    return _telling(_of_the_last_run(lines, ended=ended))


def _of_the_last_run(lines: list[_Line], *, ended: bool) -> list[_Line]:
    """Leave out what was said in runs before the last one that came to something, or has ended."""
    for run_id in dict.fromkeys(line.run for line in reversed(lines) if line.run):
        first = next(at for at, line in enumerate(lines) if line.run == run_id)
        mine = [line for line in lines[first:] if line.run in (run_id, "")]
        if any(_has_ended(line) or (line.by != "systemd" and not ended) for line in mine):
            return mine
    return [] if ended else lines


def _telling(lines: list[_Line]) -> Ending:
    """Choose a few: systemd only says that it failed, podman says why after `Error:`."""
    own = [line for line in lines if line.by != "systemd"]
    texts = [
        line.text
        for line in own
        # The name of what Podman has made or removed is one word.
        if not (line.by == "podman" and (" " not in line.text or _WARNING.match(line.text)))
    ]
    said = [line.text for line in lines if line.by == "systemd"]
    is_bare = not texts
    cut_off, exited = _cut_off(said), next(filter(None, map(_exited, reversed(said))), "")
    if cut_off is endings.OUT_OF_MEMORY and exited and "SIGKILL" not in exited:
        cut_off = f"{exited}, {cut_off}"  # another process of it was killed
    how = cut_off or exited
    if not texts and not (own and how):
        # Of systemd's lines, those of its routine say the least; what a run ended by says more.
        telling = [text for text in said if not _ROUTINE.search(text) and not _says_how(text)]
        texts = [text for text in telling if not _LITTLE.search(text)] or ([] if how else telling)
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
    # Podman's own exit status says nothing that its error does not.
    return Ending(
        how=cut_off if errors else how,
        lines=_few([*newest_first][:_LINES]),
        has_gap=_has_gap(said),
        is_bare=is_bare,
    )


def _few(newest_first: list[str]) -> tuple[str, ...]:
    """Return as many as there is room for; of one that is too long, its end."""
    told: list[str] = []
    left = _CHARACTERS
    for text in newest_first:
        if left <= 0:
            break
        told.append(text if len(text) <= left else f"…{text[1 - left :]}")
        left -= len(text)
    return tuple(reversed(told))


def _has_ended(line: _Line) -> bool:
    """Whether systemd tells of the end of a run."""
    return ": Failed with result" in line.text or _WELL in line.text


def _has_gap(said: list[str]) -> bool:
    """Whether the journal has that a process failed its unit, and not that it exited."""
    failed = any(_ENDED_BY_PROCESS.search(text) for text in said)
    return failed and not any(_ANY_EXIT.search(text) for text in said)


def _cut_off(said: list[str]) -> str:
    """Return for what a run was ended from outside, as systemd tells; empty if it was not."""
    return next((how for sign, how in _CUT_OFF for text in said if sign.search(text)), "")


def _exited(text: str) -> str:
    """Return the exit status or signal that systemd tells of, empty if the line tells of none."""
    found = _EXITED.search(text)
    if found is None:
        return ""
    code, number, word = found.groups()
    if code == "exited":
        return endings.status_in_words(int(number), word or "")
    return endings.signal_in_words(int(number), dumped=code == "dumped")


def _says_how(text: str) -> bool:
    return bool(_EXITED.search(text)) or any(sign.search(text) for sign, _ in _CUT_OFF)


def _read(output: bytes) -> list[_Line]:
    """Part the entries into lines, without what is none of the unit's."""
    entries = [read_entry(entry) for entry in output.splitlines()]
    asides = Asides()
    taken: dict[tuple[int, int], _Line] = {}
    # A container's own lines go first: what Podman hands on of them is not Podman's word.
    for at, (fields, texts) in sorted(
        enumerate(entries), key=lambda one: "CONTAINER_NAME" not in one[1][0]
    ):
        by = "podman" if is_podmans(fields) else str(fields.get("SYSLOG_IDENTIFIER"))
        for number, text in enumerate(texts):
            plain = plain_line(text, _LINE_CHARACTERS)
            if plain and not asides(fields, text):
                taken[at, number] = _Line(by, plain, run_of(fields))
    return [taken[place] for place in sorted(taken)]
