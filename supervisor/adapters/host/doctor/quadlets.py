"""Checks of the Quadlet files of this user: ports, names that meet."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.host.doctor.host import NO_PODMAN, Host
from supervisor.core.files import unitfile
from supervisor.core.files.names import unit_kind
from supervisor.core.files.published_ports import parse_publish
from supervisor.core.status.examination import Answer, Check, error, ok, unknown, warning
from supervisor.model.doctor import Group
from supervisor.model.quadlet import QUADLETS, UnitKind

_UNPRIVILEGED = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_USUAL_START = 1024


class QuadletFile(NamedTuple):
    """A Quadlet file, and the service that it makes."""

    path: Path
    service: str
    text: unitfile.UnitFile
    """With its drop-ins."""
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
        drop_ins = host.files(path.with_name(f"{path.name}.d"), "*.conf")
        text = unitfile.merge(unitfile.parse(host.read(one) or "") for one in (path, *drop_ins))
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
    named = {_container(one): one for one in found if one.managed and _container(one)}
    for one in found:
        other = named.get(_container(one))
        if not one.managed and other and other.service != one.service:
            seen = True
            yield error(
                f"{host.shown(one.path)} and {host.shown(other.path)} both make the container "
                f"{_container(one)}",
                "each start of one removes that of the other: give one another ContainerName=",
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


def _secrets(host: Host) -> Iterator[Answer]:
    """Look for the secrets of files that are not podvisor's; of its own, the daemon tells."""
    wanted = {
        value.partition(",")[0]: one
        for one in quadlets(host)
        for value in one.text.values("Container", "Secret")
        if not one.managed
    }
    if not wanted:
        return
    said = host.asked("podman", "secret", "ls", "--format={{.Name}}")
    if said.code:
        yield unknown(NO_PODMAN)
        return
    there = set(said.out.split())
    for name, one in wanted.items():
        if name not in there:
            yield error(
                f"{host.shown(one.path)} uses the secret {name}, and Podman has none of that name",
                "type what is in it, then Ctrl-D",
                f"podman secret create {shlex.quote(name)} -",
            )
    if there.issuperset(wanted):
        yield ok("Podman has the secrets that your own files use")


def _container(one: QuadletFile) -> str:
    """Return the name of the container that a file makes; empty if it makes none of that kind."""
    if one.path.suffix != ".container":
        return ""
    return one.text.last("Container", "ContainerName") or f"systemd-{one.path.stem}"


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
        "systemd knows one unit of a name, and Podman one container: the other is not there",
        _conflicts,
    ),
    Check("podman-secrets", Group.APPS, "the container does not start", _secrets),
    Check("foreign-files", Group.APPS, "a mistake in a file that nobody checks", _unread),
)
