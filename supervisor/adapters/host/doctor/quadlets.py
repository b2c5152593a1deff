"""Checks of the Quadlet files of this user: ports, names that meet."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.host.doctor.host import Host
from supervisor.core.files import unitfile
from supervisor.core.files.names import unit_kind
from supervisor.core.files.published_ports import parse_publish
from supervisor.core.status.examination import Answer, Check, error, ok, warning
from supervisor.model.doctor import Group
from supervisor.model.quadlet import QUADLETS, UnitKind

_UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_USUAL_START = 1024


class QuadletFile(NamedTuple):
    """A Quadlet file, and the service that it makes."""

    path: Path
    service: str
    text: unitfile.UnitFile
    managed: bool
    """Whether podvisor deployed it."""


def quadlets(host: Host) -> list[QuadletFile]:
    """Return all that Podman's generator reads for this user."""
    return host.once("quadlets", lambda: list(_quadlets(host)))


def _quadlets(host: Host) -> Iterator[QuadletFile]:
    own = host.config / "containers/systemd"
    places = (own, Path(f"/etc/containers/systemd/users/{host.user_id}"))
    shared = host.files("/etc/containers/systemd/users", "*.*")
    for path in [*(file for place in places for file in host.files(place, "**/*.*")), *shared]:
        kind = unit_kind(path.name)
        if kind is None or kind is UnitKind.PLAIN:
            continue
        text = unitfile.parse(host.read(path) or "")
        quadlet = QUADLETS[path.suffix]
        named = text.last(quadlet.section, "ServiceName")
        service = f"{named or path.stem + quadlet.service}.service"
        yield QuadletFile(path, service, text, managed=own / "podvisor" in path.parents)


def _ports(host: Host) -> Iterator[Answer]:
    start = host.number(_UNPRIVILEGED)
    first = _USUAL_START if start is None else start
    low = []
    for one in quadlets(host):
        for section in ("Container", "Pod", "Kube"):
            for value in one.text.values(section, "PublishPort"):
                port = parse_publish(value, path=one.path.name)
                if port and port.first < first:
                    low.append((port.first, one))
    if not low:
        yield ok(f"no app publishes a port below {first}")
        return
    least = min(number for number, _ in low)
    what = ", ".join(sorted({f"{number} ({one.path.name})" for number, one in low}))
    yield error(
        f"ports below {first} are root's, and are published: {what}",
        "",
        f"echo net.ipv4.ip_unprivileged_port_start={least} | "
        "sudo tee /etc/sysctl.d/50-unprivileged-ports.conf",
        "sudo sysctl --system",
    )


def _conflicts(host: Host) -> Iterator[Answer]:
    found = quadlets(host)
    deployed = {one.service: one for one in found if one.managed}
    seen = False
    for one in found:
        if not one.managed and one.service in deployed:
            seen = True
            yield error(
                f"{host.shown(one.path)} makes {one.service}, and so does "
                f"{host.shown(deployed[one.service].path)}",
                "keep one of both; the first is not podvisor's, and is not touched",
            )
    folder = host.config / "systemd/user"
    for service, mine in sorted(deployed.items()):
        plain = host.at(folder / service)
        if plain.exists() and not plain.is_symlink():
            seen = True
            yield error(
                f"{host.shown(folder / service)} hides what Quadlet makes of "
                f"{host.shown(mine.path)}",
                "move it away, then: systemctl --user daemon-reload",
            )
    if not seen:
        yield ok("no other unit has the name of one that podvisor deployed")


def _unread(host: Host) -> Iterator[Answer]:
    for one in quadlets(host):
        if not one.managed and one.text.problems:
            problem = one.text.problems[0]
            yield warning(
                f"{host.shown(one.path)}:{problem.line}: {problem.message}",
                "systemd passes over the line",
            )


CHECKS = (
    Check(
        "privileged-ports",
        Group.APPS,
        "the containers do not start: “permission denied”",
        _ports,
    ),
    Check(
        "unit-conflicts",
        Group.APPS,
        "systemd knows one unit of a name: the other file has no effect",
        _conflicts,
    ),
    Check("foreign-files", Group.APPS, "a mistake in a file that nobody checks", _unread),
)
