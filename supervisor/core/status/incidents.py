"""What of a status is wrong: for the page, the command line and notifications alike.

Takes the plain JSON of `model.status.Status`, as `core.status.in_words` does.
"""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from supervisor.core.images.words import update_in_words
from supervisor.core.status.in_words import (
    certificate_in_words,
    go_on_command,
    health_in_words,
    need_in_words,
    own_problems,
    trouble_in_words,
    without_log,
)
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.need import NeedKind
from supervisor.model.unit_name import pattern_of

REGISTRIES = "images/"
"""What the names of registries whose webhooks are heard begin with, beside those of sources."""
BAD = ("refused", "failing", "reverted")
"""States of an app in which something is wrong with it."""
CHANGING = "changing"
"""The state of an app that is not at rest."""
SUSPENDED = "suspended"
"""The state of an app that says nothing of what is wrong."""
_SEEN_ANYWAY = (IncidentCode.UPDATE_FAILED, IncidentCode.CERTIFICATE_FAILING)
"""Of these an app's state says nothing, nor do its passes."""

_RUNS = ("activating", "deactivating")
"""States of a job that is being done."""
_OF_FINDINGS = {
    "refused": IncidentCode.APP_REFUSED,
    "reverted": IncidentCode.APP_REVERTED,
    "failing": IncidentCode.APP_FAILING,
}
_OWN = (
    IncidentCode.SETTINGS_REFUSED,
    IncidentCode.SETTINGS_DOUBTFUL,
    IncidentCode.HOST_UNFIT,
    IncidentCode.DISK_NEARLY_FULL,
    IncidentCode.LEDGER_UNWRITABLE,
    IncidentCode.LEDGER_LOST,
    IncidentCode.SUPERVISOR_FAILING,
)
"""Of podvisor itself, or its host."""
_OF_PASSES = (
    IncidentCode.COMMIT_STATUS_UNSENT,
    IncidentCode.WRITEBACK_FAILING,
    IncidentCode.PULL_REQUEST_FAILING,
    IncidentCode.WEBHOOKS_FAILING,
    IncidentCode.NOTIFIER_FAILING,
    IncidentCode.DISK_NEARLY_FULL,
    IncidentCode.SUPERVISOR_FAILING,
)
"""Of what podvisor does by itself: nobody knows before it was done."""
OF_NEEDS = {
    NeedKind.IMAGE: IncidentCode.IMAGE_UNAVAILABLE,
    NeedKind.SECRET: IncidentCode.SECRET_MISSING,
    NeedKind.CERTIFICATE: IncidentCode.CERTIFICATE_FAILING,
    NeedKind.JOB: IncidentCode.JOB_FAILED,
    NeedKind.APP: IncidentCode.DEPENDENCY_FAILING,
    NeedKind.MOVE: IncidentCode.DEPENDENCY_FAILING,
    NeedKind.UNIT: IncidentCode.UNIT_DOWN,
    NeedKind.FILE: IncidentCode.FILES_CHANGED,
    NeedKind.VOLUMES: IncidentCode.VOLUMES_FAILING,
    NeedKind.STEP: IncidentCode.APP_FAILING,
}
"""What it is that could not be had."""
_COMMANDS = {
    NeedKind.CERTIFICATE: "podvisor certs show {subject}",
    NeedKind.APP: "podvisor status {app}",
    NeedKind.MOVE: "podvisor status {app}",
    NeedKind.UNIT: "podvisor logs {subject} -n 30",
}
"""What to type next; else to have it tried again."""


def incidents(
    status: dict[str, Any], now: float, *, known: Mapping[str, Incident] | None = None
) -> dict[str, Incident]:
    """Return all that is wrong, by its key; of several things with one key the first.

    What is `known` of an app goes on until it is looked at after a start, and while a pass changes
    it: only one at rest tells what is over. So it does of one that is suspended, until it is seen
    to be over; what a person does to it meanwhile is nobody's news.
    """
    known = known or {}
    found: dict[str, Incident] = {}
    unseen = (one for one in known.values() if not one.app and _is_unseen(one, status))
    for one in (*_of_podvisor(status), *_of_sources(status), *unseen):
        found.setdefault(one.key, one)
    before = by_app(known)
    for app in status.get("apps", ()):
        stale = app.get("stale", False)
        for one in () if stale else _of_app(app, now):
            found.setdefault(one.key, one)
        for one in before.get(app["name"], ()):
            if stale or _goes_on(one, app):
                found.setdefault(one.key, replace(one, meanwhile=_meanwhile(one, app)))
    return found


def _meanwhile(one: Incident, app: dict[str, Any]) -> str:
    """Return what an app is at that tells whether it is over; empty where nothing does now."""
    if app.get("stale") or app["state"] != CHANGING or one.code is IncidentCode.UNIT_FAILED:
        return ""
    return "on trial now" if app.get("gate") else "a pass is under way"


def by_app(incidents: Mapping[str, Incident]) -> dict[str, list[Incident]]:
    """Return those of apps, by the name of the app."""
    found: dict[str, list[Incident]] = {}
    for one in incidents.values():
        if one.app:
            found.setdefault(one.app, []).append(one)
    return found


def _is_unseen(one: Incident, status: dict[str, Any]) -> bool:
    """Whether what was wrong with a source, or with what passes do, was not looked at yet."""
    if one.code in _OF_PASSES:
        return bool(status.get("starting"))
    if one.code not in (IncidentCode.SOURCE_UNREADABLE, IncidentCode.SOURCE_REFUSED):
        return False
    name = one.subject.partition(":")[0]
    mine = [source for source in status.get("sources", ()) if source["name"] == name]
    was_read = any(source.get("read_at") or source.get("error") for source in mine)
    return not was_read and bool(mine or status.get("starting"))


def _goes_on(one: Incident, app: dict[str, Any]) -> bool:
    """Whether what is known to be wrong with an app still is, though it is not seen just now.

    Passes find out most of it: that stays until one has ended. A job that runs again has not failed
    and is not well yet.
    """
    if one.code is IncidentCode.UNIT_FAILED:
        states = {unit["name"]: unit["active"] for unit in app.get("units", ())}
        if one.subject in states:
            return states[one.subject] in (*_RUNS, "failed")
    if one.code in _SEEN_ANYWAY or app["state"] not in (SUSPENDED, CHANGING):
        return False
    if app["state"] == SUSPENDED and one.code in (
        IncidentCode.UNIT_DOWN,
        IncidentCode.UNIT_PAUSED,
        IncidentCode.UNIT_UNHEALTHY,
    ):
        needs = (need["subject"] for need in app.get("waiting", ()) if need.get("failing"))
        bad = (unit["name"] for unit in app.get("units", ()) if _is_bad(unit))
        return one.subject in (*needs, *bad)
    if app["state"] == SUSPENDED and one.code is IncidentCode.APP_REFUSED and one.subject:
        return one.subject in (finding.get("path") for finding in app.get("findings", ()))
    return True


def _of_podvisor(status: dict[str, Any]) -> Iterator[Incident]:
    for one in own_problems(status):
        yield _finding(IncidentCode.SUPERVISOR_FAILING, one, subject=one["message"])
    for one in status.get("registry_webhooks", ()):
        if one.get("problem"):
            yield _deaf(f"{REGISTRIES}{one['name']}", one["problem"])


def _of_sources(status: dict[str, Any]) -> Iterator[Incident]:
    for source in status.get("sources", ()):
        name = source["name"]
        if source.get("error"):
            yield Incident(
                code=IncidentCode.SOURCE_UNREADABLE,
                subject=name,
                text=f"source {name} cannot be read: {source['error']}",
                hint="what runs goes on running",
                command="podvisor sync",
            )
        if why := (source.get("webhook") or {}).get("problem"):
            yield _deaf(name, why)
        for one in source.get("findings", ()):
            if one.get("fatal", True):
                subject = ":".join(filter(None, (name, one.get("path", ""))))
                yield _finding(IncidentCode.SOURCE_REFUSED, one, subject=subject)


def _deaf(name: str, why: str) -> Incident:
    return Incident(
        code=IncidentCode.WEBHOOKS_FAILING,
        subject=name,
        text=f"webhooks of {name} cannot be heard: {why}",
        hint="it is polled as if there were none",
        command=f"podvisor webhook test {name.removeprefix(REGISTRIES)}",
    )


def _of_app(app: dict[str, Any], now: float) -> Iterator[Incident]:
    name, state = app["name"], app["state"]
    if state in BAD:
        code = _OF_FINDINGS[state]
        units = [*_bad_units(app, now)]
        logs = {one["name"]: tuple(one.get("log", ())) for one in app.get("units", ())}
        lines = [*_findings(app, code), *_failing_needs(app, logs), *units]
        bare = Incident(code=code, app=name, text=state, command=f"podvisor status {name}")
        yield from lines or [bare]
    if state != SUSPENDED:
        yield from _failed_jobs(app, now)
    for one in app.get("updates", ()):
        if one.get("failed"):
            yield Incident(
                code=IncidentCode.UPDATE_FAILED,
                app=name,
                subject=one["image"],
                text=update_in_words(one["image"], one, now=now),
                hint="push a better one, or have it tried again",
                command=f"podvisor retry {name}",
            )
    for one in app.get("certificates", ()):
        yield Incident(
            code=IncidentCode.CERTIFICATE_FAILING,
            app=name,
            subject=one["name"],
            text=f"certificate {one['name']}: {certificate_in_words(one, now, is_kept=True)}",
            hint=one.get("hint", ""),
            command=one.get("at_once", ""),
        )


def _findings(app: dict[str, Any], code: IncidentCode) -> Iterator[Incident]:
    for one in app.get("findings", ()):
        if one.get("fatal", True):
            yield _finding(code, {**one, "app": app["name"]}, subject=one.get("path", ""))


def _finding(code: IncidentCode, one: dict[str, Any], *, subject: str) -> Incident:
    place = f"{one['path']}:{one['line']}" if one.get("line") else one.get("path", "")
    if own := one.get("code"):
        code, subject = IncidentCode(own), one.get("subject", "")
    log = tuple(one.get("log", ()))
    in_its_file = "mend it in the source" if place and code is IncidentCode.APP_REFUSED else ""
    return Incident(
        code=code,
        app=one.get("app", ""),
        subject=subject,
        text=": ".join(filter(None, (place, without_log(one["message"], log)))),
        hint=one.get("hint") or in_its_file,
        command=one.get("command") or _command_after(code, one.get("app", "")),
        log=log,
    )


def _command_after(code: IncidentCode, app: str) -> str:
    """Return what to type next where a finding does not say it."""
    if not app:
        return "podvisor doctor" if code in _OWN else "podvisor sync"
    return f"podvisor sync {app}" if code is IncidentCode.APP_REFUSED else f"podvisor retry {app}"


def _failing_needs(app: dict[str, Any], logs: Mapping[str, tuple[str, ...]]) -> Iterator[Incident]:
    for one in app.get("waiting", ()):
        if one.get("failing"):
            # A unit that crashes again and again is one incident, whether it is up just now or not.
            kind = NeedKind(one["kind"])
            command = _COMMANDS.get(kind, f"podvisor retry {app['name']}")
            log = logs.get(one["subject"], ()) if kind is NeedKind.UNIT else ()
            yield Incident(
                code=OF_NEEDS[kind],
                app=app["name"],
                subject=one["subject"],
                text=without_log(need_in_words(one), log),
                command=command.format(subject=one["subject"], app=one.get("app") or app["name"]),
                log=log,
            )


def _is_down(unit: dict[str, Any]) -> bool:
    """As `UnitStatus.is_down`."""
    is_as_it_may = any(map(unit.get, ("up", "ended_well", "unmet")))
    return bool(unit.get("wanted")) and not is_as_it_may


def _is_bad(unit: dict[str, Any]) -> bool:
    return _is_down(unit) or unit.get("health") == "unhealthy"


def _failed_jobs(app: dict[str, Any], now: float) -> Iterator[Incident]:
    for unit in app.get("units", ()):
        if unit["active"] == "failed" and not unit.get("wanted"):
            name = unit["name"]
            how = unit.get("ended") or unit.get("result")
            which = unit.get("instance") or name
            said = f"{which} failed ({how})" if how else f"{which} failed"
            ends = f"it is over when it has run well: systemctl --user start {name}"
            if number := unit.get("failed_instances"):
                if number > 1:
                    said = f"{number} instances of {name} failed, last {said}"
                pattern = shlex.quote(pattern_of(name))
                ends = f"it is over when none is left: systemctl --user reset-failed {pattern}"
            trouble = trouble_in_words(unit, now, is_kept=True)
            yield Incident(
                code=IncidentCode.UNIT_FAILED,
                app=app["name"],
                subject=name,
                text=", ".join(filter(None, (said, trouble))),
                hint="; ".join(filter(None, (unit.get("more"), ends))),
                command=f"podvisor logs {name} -n 30",
                log=tuple(unit.get("log", ())),
            )


def _bad_units(app: dict[str, Any], now: float) -> Iterator[Incident]:
    for unit in app.get("units", ()):
        if not _is_bad(unit):
            continue
        name, down = unit["name"], _is_down(unit)
        if unit.get("paused"):
            frozen = bool(unit.get("frozen"))
            whom = "it, with all of its processes" if frozen else "its container"
            yield Incident(
                code=IncidentCode.UNIT_PAUSED,
                app=app["name"],
                subject=name,
                text=f"{name} is {'frozen' if frozen else 'paused'}",
                hint=f"somebody {'froze' if frozen else 'paused'} {whom}, and it is left so",
                command=go_on_command(name, unit.get("container", ""), frozen=frozen),
            )
            continue
        unhealthy = unit.get("health") == "unhealthy"
        how = unit.get("ended") or unit.get("result") or unit["active"] or "unknown"
        is_up = unhealthy and not down
        health = health_in_words(unit, now, is_kept=True)
        said = [f"{name} is {health}"] if is_up else [f"{name} is down ({how})", health]
        text = ", ".join(filter(None, (*said, trouble_in_words(unit, now, is_kept=True))))
        yield Incident(
            code=IncidentCode.UNIT_UNHEALTHY if is_up else IncidentCode.UNIT_DOWN,
            app=app["name"],
            subject=name,
            text=text,
            hint=unit.get("more", ""),
            command=f"podvisor logs {name} -n 30",
            log=tuple(unit.get("log", ())),
        )
