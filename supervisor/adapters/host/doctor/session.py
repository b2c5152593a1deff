"""Checks of the user's systemd: its version, its journal, and what failed or is masked there."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

from supervisor.adapters.host.doctor.host import Host, json_lines, objects
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
_NAMED = 3
_HEALTH_RUN = re.compile(r"[0-9a-f]{64}-[0-9a-f]+\.(?:service|timer)")
_OWN = ("podvisor.service", "podvisor-web.service", "podvisor-web.socket")
_NEEDED = ("podman.socket", "podman.service", "dbus.socket", "dbus.service", "podvisor.service")
_DROPPED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
FAILED, EXITED = "d9b373ed55a64feb8242e02dbe79a49c", "98e322203f7a4ed290d09fe03c09fe15"
"""Messages of journald and of systemd (`sd-messages.h`)."""
_BY_PROCESS = ("exit-code", "signal", "core-dump")
_READ = 1_000
_DAY = ("--quiet", "--no-pager", "--since=-1d", "--output=json", f"--lines={_READ}")
JOURNAL_DROPS = ("journalctl", *_DAY, "--output-fields=MESSAGE,N_DROPPED", _DROPPED)
JOURNAL_ENDS = (
    *("journalctl", "--user", *_DAY),
    "--output-fields=MESSAGE_ID,UNIT_RESULT,USER_UNIT,USER_INVOCATION_ID",
    *(f"MESSAGE_ID={FAILED}", f"MESSAGE_ID={EXITED}"),
)
_LARGER_BURST = (
    "sudo mkdir -p /etc/systemd/journald.conf.d",
    (
        r"printf '[Journal]\nRateLimitBurst=100000\n' | "
        "sudo tee /etc/systemd/journald.conf.d/50-burst.conf"
    ),
    "sudo systemctl restart systemd-journald",
)
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


def _journal_limit(host: Host) -> Answer | None:
    """Look for what journald says of it, which not every user may read, and for what it has not."""
    whose = f"from user@{host.user_id}.service"
    dropped = json_lines(host.asked(*JOURNAL_DROPS).out)
    told = [one for one in dropped if str(one.get("MESSAGE")).endswith(whose)]
    lines = sum(int(one["N_DROPPED"]) for one in told if str(one.get("N_DROPPED")).isdecimal())
    said = host.asked(*JOURNAL_ENDS)
    if not told and "ermission" in said.err:
        return None
    ends = json_lines(said.out)
    units = _without_an_exit(ends[1:] if len(ends) == _READ else ends)
    if not told and not units:
        return ok("no sign that journald has passed over lines of this user in the last day")
    seen = f"journald has passed over {lines or 'some'} lines of {host.user} in the last day"
    if units:
        seen += f", also of how {', '.join(sorted(units)[:_NAMED])} ended"
    return warning(
        seen,
        "its limit (10,000 lines in 30 s, more on a large disk) is one for all units of a user; "
        "LogRateLimitIntervalSec= in a unit of theirs does nothing. Have what writes so much write "
        "less, or LogDriver=k8s-file keep its lines from the journal",
        *_LARGER_BURST,
    )


def _without_an_exit(ends: list[dict[str, Any]]) -> set[str]:
    """Return the units that a process failed of which systemd's word is not there."""
    exited = {one.get("USER_INVOCATION_ID") for one in ends if one.get("MESSAGE_ID") == EXITED}
    return {
        str(one.get("USER_UNIT"))
        for one in ends
        if one.get("MESSAGE_ID") == FAILED
        and one.get("UNIT_RESULT") in _BY_PROCESS
        and one.get("USER_INVOCATION_ID") not in exited
    }


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
    Check(
        "journal-limit",
        Group.SYSTEMD,
        "one app that writes very much takes the last words of all others",
        _journal_limit,
    ),
    Check("failed-units", Group.SYSTEMD, "something of this user does not run", _failed_units),
    Check("masked-units", Group.SYSTEMD, "systemd refuses to start them", _masked_units),
)
