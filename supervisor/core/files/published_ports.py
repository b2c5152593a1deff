"""Ports of the host that units publish, and who publishes the same one.

`PublishPort=` is podman-run(1)'s --publish: `[[ip:][hostPort]:]containerPort[/protocol]`, with
ranges; without a host port Podman chooses one.
"""

import re
from collections.abc import Mapping

import msgspec

from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.published_port import PublishedPort

_PUBLISH = re.compile(
    r"(?:(?:\[(?P<ip6>[^\]]*)\]|(?P<ip>[^:\[\]]*)):)?"
    r"(?P<first>\d+)(?:-(?P<last>\d+))?:\d+(?:-\d+)?(?:/(?P<protocol>\w+))?"
)
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_ALL = "*"
"""Key of the furthest port of any address."""
_LARGEST = 65_535


class _Taken(msgspec.Struct, frozen=True, kw_only=True):
    app: DesiredApp
    unit: DesiredUnit
    port: PublishedPort


def parse_publish(text: str, *, path: str, line: int = 0) -> PublishedPort | None:
    """Read a value of PublishPort=; None if it takes no fixed port of the host, or makes no sense.

    `path` and `line` say where it stands.
    """
    found = _PUBLISH.fullmatch(text.strip())
    if found is None:
        return None
    address = found["ip6"] or found["ip"] or ""
    first = int(found["first"])
    last = int(found["last"] or first)
    if not 0 < first <= last <= _LARGEST:
        return None
    return PublishedPort(
        address="" if address in _EVERY_ADDRESS else address,
        first=first,
        last=last,
        protocol=(found["protocol"] or "tcp").lower(),
        path=path,
        line=line,
    )


def port_findings(apps: Mapping[str, DesiredApp]) -> dict[str, tuple[Finding, ...]]:
    """App to warnings of ports that another unit publishes too: only one of them can have it.

    Of two, the later in the order of names is told of the earlier.
    """
    findings: dict[str, list[Finding]] = {}
    published = [
        _Taken(app=app, unit=unit, port=port)
        for app in apps.values()
        for unit in app.units
        for port in unit.publishes
    ]
    furthest: dict[tuple[str, str], _Taken] = {}
    for one in sorted(published, key=lambda one: (one.port.first, one.app.name, one.unit.name)):
        protocol, address = one.port.protocol, one.port.address
        # Every address meets all others; one address meets itself, and every address.
        for other in (furthest.get((protocol, a)) for a in (address or _ALL, "")):
            if other and other.port.last >= one.port.first and other.unit.name != one.unit.name:
                first, second = sorted((other, one), key=lambda two: (two.app.name, two.unit.name))
                findings.setdefault(second.app.name, []).append(_finding(second, first))
                break
        for key in {(protocol, address), (protocol, _ALL)}:
            before = furthest.get(key)
            if before is None or before.port.last <= one.port.last:
                furthest[key] = one
    return {name: tuple(found) for name, found in findings.items()}


def _finding(one: _Taken, other: _Taken) -> Finding:
    number = max(one.port.first, other.port.first)
    name, place = other.unit.name, other.port.path
    whose = name if other.app.name == one.app.name else f"{name} of {other.app.name}"
    if other.port.line:
        place += f":{other.port.line}"
    return one.app.finding(
        f"{one.unit.name} publishes port {number}/{one.port.protocol}, and so does {whose}"
        f" ({place})",
        one.app.source_path(one.port.path),
        "only one of them can have it: change one PublishPort=",
        line=one.port.line,
        fatal=False,
    )
