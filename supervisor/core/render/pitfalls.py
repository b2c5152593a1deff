"""What Podman's generator lets pass, and Podman or its owner would be surprised by."""

import posixpath
import re
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from supervisor.core.files.unitfile import Entry, split_words
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.quadlet import QUADLETS, UnitKind

_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAMING = {row.kind: f"{row.section}Name" for row in QUADLETS.values() if row.named}


def report_pitfalls(reading: Reading) -> None:
    """Refuse names and images that cannot be; warn of one-shots that run more than their timer."""
    timed = {name for unit in reading.units if unit.name.endswith(".timer") for name in unit.starts}
    for unit in reading.units:
        _look_at_name(unit, reading)
        _look_at_image(unit, reading)
        _look_at_log(unit, reading)
        _look_at_dependencies(unit, reading)
        if unit.name in timed and unit.oneshot and unit.installs and not unit.before_deploy:
            stem = posixpath.splitext(unit.name)[0]
            message = f"{unit.name} runs at every boot and deploy as well, besides {stem}.timer"
            hint = "leave out its [Install], unless that is meant"
            at = _entry(reading, unit, unit.installs[-1].key)
            reading.report(message, at=at, path=unit.path, hint=hint, fatal=False)
    _look_at_order(reading)


def _look_at_order(reading: Reading) -> None:
    """Warn of a circle of After= and Before=: systemd says no more of it than that there is one."""
    units = {unit.name: unit for unit in reading.units}
    after = {name: sorted(units.keys() & reading.after.get(name, ())) for name in units}
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        said = ", ".join(f"{one} after {other}" for one, other in pairwise(circle))
        reading.report(
            f"a circle of After= and Before= ({said}): systemd refuses to start them together",
            path=units[circle[0]].path,
            hint="leave one of them out",
            fatal=False,
        )


def _look_at_name(unit: DesiredUnit, reading: Reading) -> None:
    key, name = _NAMING.get(unit.kind, ""), unit.object_name
    if key and name and not set("%$") & set(name) and not _OBJECT_NAME.fullmatch(name):
        hint = f"set {key}= to letters, digits, '.', '_' and '-', a letter or digit first"
        message = f"{name!r} cannot name a {unit.kind}"
        reading.report(message, at=_entry(reading, unit, key), path=unit.path, hint=hint)


def _look_at_image(unit: DesiredUnit, reading: Reading) -> None:
    at = _entry(reading, unit, "Image")
    if unit.kind is not UnitKind.PLAIN and at and at.value.startswith("-"):
        message = "Image= begins with -, which Podman would take for an option"
        reading.report(message, at=at, hint="write the image's name")


def _look_at_log(unit: DesiredUnit, reading: Reading) -> None:
    # What Podman is attached to goes to the journal all the same.
    if unit.log_driver == "none" and not unit.oneshot:
        message = "LogDriver=none: nobody keeps what it writes, so nobody can say why it fails"
        hint = "leave it out, and the journal keeps it"
        at = _entry(reading, unit, "LogDriver")
        reading.report(message, at=at, path=unit.path, hint=hint, fatal=False)


def _look_at_dependencies(unit: DesiredUnit, reading: Reading) -> None:
    """Warn of Quadlet files in place of units, of which older Podmans do not make these."""
    made = {posixpath.basename(one.path): one.name for one in reading.units}
    for word in sorted({*unit.requires, *reading.after.get(unit.name, ())}):
        stem, suffix = posixpath.splitext(word)
        if suffix in QUADLETS:
            at = reading.files.find_entry(unit.path, partial(_names, word))
            message = f"systemd knows no unit {word}, and passes it over"
            hint = f"write {made.get(word, f'{stem}{QUADLETS[suffix].service}.service')}"
            reading.report(message, at=at, path=unit.path, hint=hint, fatal=False)


def _names(word: str, entry: Entry) -> bool:
    return entry.section == "Unit" and word in split_words(entry.value)


def _entry(reading: Reading, unit: DesiredUnit, key: str) -> Entry | None:
    return reading.files.find_entry(unit.path, lambda entry: entry.key == key)
