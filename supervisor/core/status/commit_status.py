"""What a Git host is told of a source's newest revision, from how its apps stand.

Pure; `controllers.sources.commit_status` asks, and has it sent.
"""

from collections.abc import Sequence

import msgspec

from supervisor.kit.texts import count
from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.status import AppState, AppStatus, SourceStatus

_FAILED = frozenset({AppState.REFUSED, AppState.FAILING, AppState.REVERTED, AppState.KEPT})
_UNDECIDED = frozenset({AppState.CHANGING, AppState.UNKNOWN})
_WELL = frozenset({AppState.READY, AppState.INACTIVE})
_DONE = _FAILED | _WELL
_APART_SECONDS = 300.0
"""A verdict on the same revision is taken back no sooner: containers can crash every minute."""


def status_of(
    source: SourceStatus, apps: Sequence[AppStatus], *, busy: bool, said: CommitStatus | None
) -> CommitStatus | None:
    """Return what is to be said; None if it is too early to say anything else than before.

    `busy` is whether the source or one of its apps is yet to have its pass; `said` is what was
    told last. A verdict stays until the next one: passes of a revision that is there already are
    repairs, and no news.
    """
    if not source.revision:
        return None
    if busy or any(one.state in _UNDECIDED for one in apps):
        return _pending(source, apps, said)
    failed = [one for one in apps if one.state in _FAILED]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return _status(source, CommitState.FAILURE, f"{_reason(failed[0])}{more}")
    if any(one.state not in _WELL for one in apps):
        return _pending(source, apps, said)  # a person holds it back
    idle = [one.name for one in apps if one.state is AppState.INACTIVE]
    ready = f"{count(len(apps) - len(idle), 'app')} ready"
    return _status(source, CommitState.SUCCESS, ready + (f", {len(idle)} inactive" if idle else ""))


def hold_back(wanted: CommitStatus, said: CommitStatus | None, said_at: float, now: float) -> float:
    """Seconds for which a change of mind about the same revision is to wait."""
    if not said or said.revision != wanted.revision or said.state is CommitState.PENDING:
        return 0.0
    # A clock that was set back must not hold it for good.
    return min(max(0.0, said_at + _APART_SECONDS - now), _APART_SECONDS)


def _pending(
    source: SourceStatus, apps: Sequence[AppStatus], said: CommitStatus | None
) -> CommitStatus | None:
    if said and said.revision == source.revision:
        return None
    waiting = next((f", {one.name} is {one.state}" for one in apps if one.state not in _DONE), "")
    return _status(source, CommitState.PENDING, f"{count(len(apps), 'app')}{waiting}")


def _status(source: SourceStatus, state: CommitState, description: str) -> CommitStatus:
    return CommitStatus(revision=source.revision, state=state, description=description)


def _reason(app: AppStatus) -> str:
    """Say what is wrong with an app, for whoever can read the repository.

    What the app's programs wrote is left out (findings quote it after a colon): a health check or
    a job may have written anything.
    """
    findings = sorted(app.findings, key=lambda one: not one.fatal)
    public = (
        msgspec.structs.replace(one, message=_unquoted(one.message), hint="", command="")
        for one in findings
    )
    ended = (f"{unit.name} is down ({unit.ended})" for unit in app.units if unit.ended)
    needs = (need.text for need in app.waiting)
    down = (f"{unit.name} does not run" for unit in app.units if unit.is_down)
    why = next(iter([*map(str, public), *ended, *needs, *down]), "")
    return f"{app.name} is {app.state}{': ' if why else ''}{why}"


def _unquoted(text: str) -> str:
    return text.partition(": ")[0]
