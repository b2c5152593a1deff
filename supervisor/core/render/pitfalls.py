"""What Podman's generator lets pass, and Podman or its owner would be surprised by."""

import posixpath
import re

from supervisor.core.files.unitfile import Entry
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.quadlet import QUADLETS, UnitKind

_OBJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAMING = {row.kind: f"{row.section}Name" for row in QUADLETS.values() if row.named}


def report_pitfalls(reading: Reading) -> None:
    """Refuse names and images that cannot be; warn of one-shots that run more than their timer."""
    timed = {name for unit in reading.units if unit.name.endswith(".timer") for name in unit.starts}
    for unit in reading.units:
        reading.findings.extend(
            found
            for found in (
                _bad_name(unit, reading),
                _bad_image(unit, reading),
                _beside_its_timer(unit, reading) if unit.name in timed else None,
            )
            if found
        )


def _bad_name(unit: DesiredUnit, reading: Reading) -> Finding | None:
    key, name = _NAMING.get(unit.kind, ""), unit.object_name
    if not key or not name or set("%$") & set(name) or _OBJECT_NAME.fullmatch(name):
        return None
    hint = f"set {key}= to letters, digits, '.', '_' and '-', a letter or digit first"
    return _finding(reading, unit, key, f"{name!r} cannot name a {unit.kind}", hint)


def _bad_image(unit: DesiredUnit, reading: Reading) -> Finding | None:
    entry = _entry(reading, unit, "Image")
    if unit.kind is UnitKind.PLAIN or entry is None or not entry.value.startswith("-"):
        return None
    message = "Image= begins with -, which Podman would take for an option"
    return _finding(reading, unit, "Image", message, "write the image's name")


def _beside_its_timer(unit: DesiredUnit, reading: Reading) -> Finding | None:
    if not unit.oneshot or unit.before_deploy or not unit.installs:
        return None
    stem = posixpath.splitext(unit.name)[0]
    message = f"{unit.name} runs at every boot and deploy as well, besides {stem}.timer"
    hint = "leave out its [Install], unless that is meant"
    return _finding(reading, unit, unit.installs[-1].key, message, hint, fatal=False)


def _entry(reading: Reading, unit: DesiredUnit, key: str) -> Entry | None:
    return reading.files.find_entry(unit.path, lambda entry: entry.key == key)


def _finding(
    reading: Reading,
    unit: DesiredUnit,
    key: str,
    message: str,
    hint: str,
    *,
    fatal: bool = True,
) -> Finding:
    entry = _entry(reading, unit, key)
    return reading.files.finding(message, at=entry, path=unit.path, hint=hint, fatal=fatal)
