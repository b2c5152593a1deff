"""Checks of the user's systemd: its version, its journal, and what failed or is masked there."""

import re
import shlex
from collections.abc import Iterator

from supervisor.adapters.host.doctor.host import Host, objects
from supervisor.adapters.host.doctor.quadlets import quadlets
from supervisor.core.files.names import PLAIN_SUFFIXES
from supervisor.core.status.examination import (
    Answer,
    Check,
    error,
    info,
    ok,
    unknown,
    warning,
)
from supervisor.model.doctor import Group

_OLDEST, _BETTER = 247, 254
_HEALTH_RUN = re.compile(r"[0-9a-f]{64}-[0-9a-f]+\.(?:service|timer)")
_OWN = ("podvisor.service", "podvisor-web.service", "podvisor-web.socket")
_NEEDED = ("podman.socket", "podman.service", "dbus.socket", "dbus.service", "podvisor.service")
_PERSISTENT = (
    "sudo mkdir -p /etc/systemd/journald.conf.d",
    (
        r"printf '[Journal]\nStorage=persistent\n' | "
        "sudo tee /etc/systemd/journald.conf.d/50-persistent.conf"
    ),
    "sudo systemctl restart systemd-journald",
    "sudo journalctl --flush",
)


def _version(host: Host) -> Answer:
    found = host.machine.systemd_version()
    if not found:
        return unknown("systemctl does not say its version")
    if found < _OLDEST:
        return error(f"systemd {found} is too old", f"podvisor needs {_OLDEST} or newer")
    if found < _BETTER:
        return info(
            f"systemd {found} starts what crashes again at a steady pace",
            f"from {_BETTER} on, its pauses grow",
        )
    return ok(f"systemd {found}")


def _journal_readable(host: Host) -> Answer:
    said = host.asked("journalctl", "--user", "--lines=1", "--quiet", "--no-pager")
    if not said.code and "insufficient permissions" not in said.err:
        return ok(f"{host.user} may read the journal of its own units")
    if "ermission" not in said.err and "No journal files" not in said.err:
        return unknown(f"journalctl does not say whether it can be read: {said.last_words}")
    return warning(
        f"{host.user} may not read the journal of its own units",
        "the second command restarts all services of this user; or keep the journal on disk, where "
        "each user has a part of it",
        f"sudo usermod -aG systemd-journal {host.user}",
        f"sudo systemctl restart user@{host.user_id}.service",
    )


def _journal_storage(host: Host) -> Answer:
    if host.files("/var/log/journal", "*/*.journal"):
        return ok("the journal is kept on disk")
    if not host.at("/run/log/journal").exists():
        return unknown("there is no journal in /var/log/journal, nor in /run/log/journal")
    return info(
        "the journal is kept in memory: at each boot it begins anew",
        "that keeps it; it writes to the disk or card (SystemMaxUse= limits how much)",
        *_PERSISTENT,
    )


def _deployed(host: Host) -> set[str]:
    """Return the units of apps: what Quadlet makes of their files, and the plain ones."""
    folder = host.config / "containers/systemd/podvisor"
    plain = {one.name for one in host.files(folder, "**/*.*") if one.suffix in PLAIN_SUFFIXES}
    return plain | {one.service for one in quadlets(host) if one.managed}


def _is_of(unit: str, deployed: set[str]) -> bool:
    """Whether it is one of these, or an instance of a template among them."""
    name, at, instance = unit.partition("@")
    return unit in deployed or f"{name}{at}.{instance.rpartition('.')[2]}" in deployed


def _failed_units(host: Host) -> Iterator[Answer]:
    command = ("systemctl", "--user", "list-units", "--failed", "--all", "--output=json")
    said = host.asked(*command, "--no-pager")
    rows = objects(said.out)
    if rows is None:
        yield unknown(f"systemd does not say which units failed: {said.last_words}")
        return
    failed = {str(row.get("unit")): str(row.get("load")) for row in rows}
    deployed = _deployed(host)
    mine = [one for one in failed if not (_HEALTH_RUN.fullmatch(one) or one in _OWN)]
    gone = [one for one in mine if failed[one] == "not-found"]
    others = [one for one in mine if one not in gone and not _is_of(one, deployed)]
    if gone:
        yield warning(
            f"failed, and their files are gone: {', '.join(gone)}",
            "",
            f"systemctl --user reset-failed -- {shlex.join(gone)}",
            fixable=True,
        )
    for unit in others:
        yield warning(
            f"{unit} failed; podvisor did not deploy it",
            "",
            f"journalctl --user --unit={shlex.quote(unit)} --lines=20",
        )
    if not gone and not others:
        yield ok("no unit besides those of apps has failed")


def _masked_units(host: Host) -> Iterator[Answer]:
    command = ("systemctl", "--user", "list-unit-files", "--state=masked", "--output=json")
    said = host.asked(*command, "--no-pager")
    rows = objects(said.out)
    if rows is None:
        yield unknown(f"systemd does not say which units are masked: {said.last_words}")
        return
    masked = [str(row.get("unit_file")) for row in rows]
    wanted = {*_NEEDED, *_deployed(host)}
    hit = [one for one in masked if one in wanted]
    for unit in hit:
        yield error(
            f"{unit} is masked",
            "",
            f"systemctl --user unmask {shlex.quote(unit)}",
            fixable=unit in _NEEDED,
        )
    if not hit:
        yield ok("nothing that is needed is masked")


CHECKS = (
    Check(
        "systemd-version", Group.SYSTEMD, "podvisor's service asks for what came by then", _version
    ),
    Check(
        "journal-readable",
        Group.SYSTEMD,
        "podvisor logs and the reasons of failures come from there, and what Podman tells of its "
        "containers",
        _journal_readable,
    ),
    Check(
        "journal-storage",
        Group.SYSTEMD,
        "why something failed before a boot is lost with it",
        _journal_storage,
    ),
    Check("failed-units", Group.SYSTEMD, "something of this user does not run", _failed_units),
    Check("masked-units", Group.SYSTEMD, "systemd refuses to start them", _masked_units),
)
