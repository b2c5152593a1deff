"""What of a status is wrong: for the page, the command line and notifications alike.

Takes the plain JSON of `model.status.Status`, as `core.status.in_words` does.
"""

from collections.abc import Iterator
from typing import Any

from supervisor.core.status.in_words import (
    certificate_in_words,
    health_in_words,
    need_in_words,
    own_problems,
    trouble_in_words,
)
from supervisor.model.incident import Incident, IncidentCode

BAD = ("refused", "failing", "reverted")
"""States of an app in which something is wrong with it."""

_OF_FINDINGS = {
    "refused": IncidentCode.APP_REFUSED,
    "reverted": IncidentCode.APP_REVERTED,
    "failing": IncidentCode.APP_FAILING,
}


def incidents(status: dict[str, Any], now: float) -> dict[str, Incident]:
    """Return all that is wrong, by its key; of several things with one key the first."""
    found: dict[str, Incident] = {}
    for one in (*_of_podvisor(status), *_of_sources(status)):
        found.setdefault(one.key, one)
    for app in status.get("apps", ()):
        for one in _of_app(app, now):
            found.setdefault(one.key, one)
    return found


def _of_podvisor(status: dict[str, Any]) -> Iterator[Incident]:
    for one in own_problems(status):
        yield _finding(IncidentCode.SUPERVISOR, one, subject=one["message"])


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
        for one in source.get("findings", ()):
            if one.get("fatal", True):
                subject = ":".join(filter(None, (name, one.get("path", ""))))
                yield _finding(IncidentCode.SOURCE_REFUSED, one, subject=subject)


def _of_app(app: dict[str, Any], now: float) -> Iterator[Incident]:
    name, state = app["name"], app["state"]
    if state in BAD:
        code = _OF_FINDINGS[state]
        lines = [*_findings(app, code), *_failing_needs(app), *_bad_units(app, now)]
        bare = Incident(code=code, app=name, text=state, command=f"podvisor status {name}")
        yield from lines or [bare]
    for one in app.get("certificates", ()):
        yield Incident(
            code=IncidentCode.CERTIFICATE,
            app=name,
            subject=one["name"],
            text=f"certificate {one['name']}: {certificate_in_words(one, now)}",
            hint=one.get("hint", ""),
            command=one.get("at_once", ""),
        )


def _findings(app: dict[str, Any], code: IncidentCode) -> Iterator[Incident]:
    for one in app.get("findings", ()):
        if one.get("fatal", True):
            yield _finding(code, {**one, "app": app["name"]}, subject=one.get("path", ""))


def _finding(code: IncidentCode, one: dict[str, Any], *, subject: str) -> Incident:
    place = f"{one['path']}:{one['line']}" if one.get("line") else one.get("path", "")
    text = ": ".join(filter(None, (place, one["message"])))
    app, hint = one.get("app", ""), one.get("hint", "")
    return Incident(code=code, app=app, subject=subject, text=text, hint=hint)


def _failing_needs(app: dict[str, Any]) -> Iterator[Incident]:
    for one in app.get("waiting", ()):
        if one.get("failing"):
            # A unit that crashes again and again is one incident, whether it is up just now or not.
            is_unit = one["kind"] == "unit"
            retry, logs = f"podvisor retry {app['name']}", f"podvisor logs {one['subject']} -n 30"
            yield Incident(
                code=IncidentCode.UNIT_DOWN if is_unit else IncidentCode.NEED_FAILING,
                app=app["name"],
                subject=one["subject"],
                text=need_in_words(one),
                command=logs if is_unit else retry,
            )


def _bad_units(app: dict[str, Any], now: float) -> Iterator[Incident]:
    for unit in app.get("units", ()):
        name = unit["name"]
        down = unit.get("wanted") and not (unit.get("up") or unit.get("ended_well"))
        unhealthy = unit.get("health") == "unhealthy"
        if not down and not unhealthy and unit["active"] != "failed":
            continue
        how = unit.get("result") or unit["active"] or "unknown"
        parts = (health_in_words(unit, now), trouble_in_words(unit, now))
        text = ", ".join(filter(None, (f"{name} is down ({how})" if down else "", *parts)))
        is_up = unhealthy and not down
        yield Incident(
            code=IncidentCode.UNIT_UNHEALTHY if is_up else IncidentCode.UNIT_DOWN,
            app=app["name"],
            subject=name,
            text=text or f"{name}: {how}",
            command=f"podvisor logs {name} -n 30",
        )
