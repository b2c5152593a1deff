"""An app's plain unit files (`.service`, `.timer`, `.socket`, `.path`, `.target`) as desired units.

What systemd would only log at their start, such as a line that is no assignment, is told of here.
"""

import posixpath
from collections.abc import Iterator, Mapping

from supervisor.core.files.digest import digest
from supervisor.core.files.file_references import Place, Reads
from supervisor.core.files.install import aliases, socket_service
from supervisor.core.files.unitfile import UnitFile, boolean, expand, merge, specifiers
from supervisor.core.render.reading import Reading, instance_specifiers, instances
from supervisor.core.render.x_podvisor import read_own_section
from supervisor.model.quadlet import UnitKind
from supervisor.model.unit_name import instance_of, is_template

_FOLDERS = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}
_LISTENS = {"ListenStream": "tcp", "ListenDatagram": "udp", "ListenSequentialPacket": ""}
_STARTED_BY = {".timer": "Timer", ".socket": "Socket", ".path": "Path", ".service": "Service"}
"""Suffix to the section without which systemd refuses the unit."""


def read_plain_units(reading: Reading, place: Place) -> None:
    """Add the app's plain units to its reading."""
    for path in reading.files.plain_units():
        _read(path, reading, place)


def _read(path: str, reading: Reading, place: Place) -> None:
    files = reading.files
    name = posixpath.basename(path)
    unit = merge(files.shaping(path))
    for problem in unit.problems:
        message = f"systemd passes this line over: {problem.message}"
        reading.report(message, path=problem.path, line=problem.line, fatal=False)
    section = _STARTED_BY.get(posixpath.splitext(name)[1], "")
    if section and section not in unit.sections:
        reading.report(f"systemd refuses it: it has no [{section}] section", path=path)
    known = specifiers(name, home=place.home)
    reads = Reads(files, place, path, plain=True)
    reads.look_at(unit, known, instances=instance_specifiers(name, unit, None, place.home))
    own = read_own_section(unit, path, files, known=known, runs=name.endswith(".service"))
    reading.add(
        name,
        path,
        own,
        reads,
        installed=unit,
        loaded=unit,
        known=known,
        kind=UnitKind.PLAIN,
        digest=digest(unit),
        drop_ins=tuple(files.drop_ins(path)),
        listens=tuple(_listens(unit, known)),
        links=tuple(sorted(_links(name, unit))),
        activates=_activates(name, unit, known),
    )


def _listens(unit: UnitFile, known: Mapping[str, str]) -> Iterator[str]:
    """Yield what a socket opens."""
    for key, protocol in _LISTENS.items():
        for value in unit.values("Socket", key):
            place = expand(value, known)
            port = place.rpartition(":")[2]
            yield f"port {port}/{protocol}" if port.isdigit() else f"socket {place}"


def _links(name: str, unit: UnitFile) -> Iterator[str]:
    """Yield what systemd links when it enables a unit; of a template that is its instances."""
    yield name
    mine = [instance_of(name, one) for one in instances(name, unit)]
    for one in mine if is_template(name) else [name]:
        for key, suffix in _FOLDERS.items():
            for target in unit.words("Install", key):
                yield f"{expand(target, specifiers(one))}.{suffix}/{one}"
    yield from aliases(name, unit)


def _activates(name: str, unit: UnitFile, known: Mapping[str, str]) -> str:
    """Return the service that a socket hands its connections to, all of them to one."""
    if not name.endswith(".socket") or boolean(unit.last("Socket", "Accept")):
        return ""
    return expand(socket_service(name, unit), known)
