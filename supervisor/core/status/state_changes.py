"""What of how an app stands is news for the event log."""

from collections.abc import Iterator

import msgspec

from supervisor.core.status.in_words import without_log
from supervisor.kit.texts import count, relative
from supervisor.model.errors import Finding
from supervisor.model.events import Event, EventKind
from supervisor.model.health import Health
from supervisor.model.incident import IncidentCode
from supervisor.model.status import AppState, AppStatus, UnitStatus

_KINDS = {IncidentCode.APP_REVERTED: EventKind.REVERTED}
"""Entries for findings that say by themselves what they are; else the app's state says it."""
_WELL = (AppState.READY, AppState.INACTIVE)


def changes_of_state(old: AppStatus | None, new: AppStatus, *, now: float) -> Iterator[Event]:
    """Entries for the event log: what was refused, waits, or is well again."""
    known = {_said(finding) for finding in old.findings} if old else set()
    refusal = EventKind.REFUSED if new.state is AppState.REFUSED else EventKind.ERROR
    for finding in new.findings:
        if finding.fatal and _said(finding) not in known:
            yield Event(
                kind=_KINDS.get(finding.code, refusal) if finding.code else refusal,
                ok=False,
                app=new.name,
                source=new.source,
                revision=new.wanted_revision,
                author=new.wanted_author,
                subject=f"{finding.path}:{finding.line}" if finding.line else finding.path,
                reason=finding.message,
                detail=finding.hint,
            )
    before = {unit.name: unit for unit in old.units} if old else {}
    for unit in new.units:
        was = before.get(unit.name)
        if unit.failures > 1 and unit.next_try_at and (not was or was.failures != unit.failures):
            yield Event(
                kind=EventKind.WAITING,
                ok=False,
                app=new.name,
                unit=unit.name,
                reason=f"{_down_in_words(unit)} again after"
                f" {count(unit.failures, 'try', 'tries')} in a row",
                detail=f"next try {relative(max(unit.next_try_at, now), now=now)}",
            )
        if event := _change_of_health(was, unit, new):
            yield event
    bad = {AppState.REFUSED, AppState.FAILING, AppState.REVERTED}
    has_failed = any(one.failed for one in new.updates)
    if old and old.state in bad and new.state in _WELL and not has_failed:
        yield Event(
            kind=EventKind.RECOVERED,
            app=new.name,
            source=new.source,
            revision=new.revision,
            reason=f"was {old.state}",
        )


def _down_in_words(unit: UnitStatus) -> str:
    """Say how a unit that was brought back in vain ended, whatever systemd does with it now."""
    if unit.active in ("failed", "inactive"):
        return f"{unit.active} ({unit.ended})" if unit.ended else unit.active
    return f"down ({unit.ended})" if unit.ended else "down"


def _said(one: Finding) -> str:
    """Return what a finding is told from others by: where and what, without its log."""
    return without_log(str(msgspec.structs.replace(one, hint="", command="")), one.log)


def _change_of_health(was: UnitStatus | None, unit: UnitStatus, app: AppStatus) -> Event | None:
    """Return the entry for a unit that became unhealthy, or healthy after that."""
    before = was.health if was else Health.NONE
    if unit.health is before or Health.UNHEALTHY not in {unit.health, before}:
        return None
    ok = unit.health is not Health.UNHEALTHY
    streak = unit.health_streak
    failed = f" after {count(streak, 'failed check')} in a row" if streak else ""
    return Event(
        kind=EventKind.HEALTH,
        ok=ok,
        app=app.name,
        unit=unit.name,
        revision=app.revision,
        reason=(f"{unit.health}, was {before}" if unit.health else f"no longer {before}")
        if ok
        else f"unhealthy{failed}",
        detail="" if ok else unit.health_output,
    )
