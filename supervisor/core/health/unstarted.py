"""What nothing starts of an app: neither a target by its `[Install]` nor another unit.

systemd says nothing of a unit that nothing starts, be it for a target that the user's systemd does
not have (root's `multi-user.target`), a typing error or no `[Install]`. It is told of here, the
same for `podvisor check`, plans and the status.
"""

import math
from collections.abc import Collection, Iterable, Iterator

import msgspec

from supervisor.core.health.gate import is_installed, is_on, rollout_of, stands
from supervisor.kit.graph import reachable
from supervisor.kit.texts import nearest
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed
from supervisor.model.plan import ResetFailed, Verdict
from supervisor.model.quadlet import LEADING, UnitKind
from supervisor.model.unit_name import DEFAULT_TARGET, is_template, template_of

USER_TARGETS = frozenset(
    f"{name}.target"
    for name in (
        *("basic", "bluetooth", "default", "exit", "graphical-session", "graphical-session-pre"),
        *("paths", "printer", "shutdown", "smartcard", "sockets", "sound", "timers"),
        "xdg-desktop-autostart",
    )
)
"""Targets that come with systemd for a user."""
_TARGET = ".target"


def unstarted(units: Iterable[DesiredUnit], targets: Collection[str]) -> frozenset[str]:
    """Return those of all apps' units, by name, that nothing starts while `targets` are wanted."""
    units = [unit for unit in units if not unit.before_deploy]
    leads: dict[str, list[str]] = {}
    by_target: dict[str, list[str]] = {}
    for unit in units:
        if unit.requires or unit.starts:
            leads.setdefault(unit.name, []).extend((*unit.requires, *unit.starts))
        # systemd has an `[Install]` start instances only; no replicas are as many as are wanted.
        has_some = unit.instances or unit.has_replicas or not is_template(unit.name)
        if unit.wanted_by and has_some:
            for target in unit.wanted_by:
                by_target.setdefault(target, []).append(unit.name)
    reached = reachable(
        (name for target in targets for name in by_target.get(target, ())),
        lambda name: (*leads.get(name, ()), *by_target.get(name, ()), template_of(name)),
    )
    return frozenset(
        unit.name for unit in units if unit.kind in LEADING and unit.name not in reached
    )


def told(
    deployment: Deployment,
    verdict: Verdict,
    observed: Observed,
    *,
    idle: Collection[str],
    idle_until: Collection[str],
    own: Collection[str],
) -> Verdict:
    """Complete a verdict by what nothing starts of the app; `idle` and `own` are as in `findings`.

    `idle_until` is `idle` as long as everything is at its last good revision. What runs all the
    same is told of too: it was started by a person, or before its file became what it is, and will
    not be there after the next boot.
    """
    wanted = deployment.wanted
    stands = wanted if verdict.complete else deployment.way_back
    idle_now = frozenset(stands.by_name if stands else ()).intersection(
        idle if verdict.complete else idle_until
    )
    states = map(observed.unit, idle_now)
    down = [one.name for one in states if not (one.is_up or one.active == "activating")]
    missing = observed.missing
    more = findings(wanted, idle, missing=missing, own=own) if wanted else ()
    waiting = waits(stands, down, missing=missing) if stands else ()
    return msgspec.structs.replace(
        verdict,
        findings=(*verdict.findings, *more),
        waiting=(*verdict.waiting, *waiting),
        unstarted=idle_now,
    )


def forgotten(
    deployment: Deployment, verdict: Verdict, observed: Observed
) -> Iterator[ResetFailed]:
    """Have systemd forget failures of what nothing starts that are of another revision.

    That which stands, by a verdict that `told` has completed, has not run it since.
    """
    complete = verdict.complete
    app = deployment.wanted if complete else deployment.way_back
    # What is lost of the last good revision makes no other revision of the rest.
    revision = deployment.wanted if complete else deployment.last_good
    since = _here_since(revision, observed) if revision else 0.0
    for unit in app.units if app else ():
        for name in unit.runtime_names if unit.name in verdict.unstarted else ():
            state = observed.unit(name)
            if state.active == "failed" and state.failed_at <= since:
                reason = "it failed before, and nothing starts it any more"
                yield ResetFailed(app=deployment.name, unit=name, reason=reason)


def _here_since(app: DesiredApp, observed: Observed) -> float:
    """When it took the place of another release; infinite if it is about to."""
    if not stands(app, observed.applied):
        tried = rollout_of(app, observed)
        if is_installed(app, observed) or (tried and is_on(tried)):
            return tried.began_at if tried else 0.0
        return math.inf
    others = (one for one in observed.rollouts.get(app.name, ()) if one.content != app.content)
    return max((one.ended_at or math.inf for one in others), default=0.0)


def found_without_systemd(app: DesiredApp, units: Collection[DesiredUnit]) -> Iterator[Finding]:
    """Yield what `findings` would, where no user's systemd can be asked; `units` are all apps'."""
    own = {unit.name for unit in units}
    named = {target for unit in units for target in unit.wanted_by}
    # What is no target may well be a unit of the user's own.
    missing = {one for one in named - USER_TARGETS if one.endswith(_TARGET) and "%" not in one}
    idle = unstarted(units, named - missing - own)
    yield from findings(app, idle, missing=missing, own=own)


def findings(
    app: DesiredApp, idle: Collection[str], *, missing: Collection[str], own: Collection[str]
) -> Iterator[Finding]:
    """Say of an app's units what starts them not, and of what nothing starts.

    `idle` is what `unstarted` returned, `missing` are targets that the user's systemd does not
    have, `own` are the units of all apps.
    """
    pods = {unit.name for unit in app.units if unit.kind is UnitKind.POD}
    starters: dict[str, list[str]] = {}
    for unit in app.units:
        for name in (*unit.requires, *unit.starts) if unit.name in idle else ():
            starters.setdefault(name, []).append(unit.name)
    for unit in app.units:
        lost = [one for one in unit.installs if one.target in missing and one.target not in own]
        for one in lost:
            better = _better(one.target, own)
            yield app.finding(
                f"{one.key}={one.target}: a user's systemd has no such {_type_of(one.target)}"
                + (f", so nothing starts {unit.name}" if unit.name in idle else ""),
                app.source_path(one.path),
                f"write {one.key}={better}",
                line=one.line,
                fatal=False,
            )
        # What another one, that nothing starts either, would start is told of with that one.
        others = {*starters.get(unit.name, ())} - {unit.name, *unit.requires}
        if not lost and unit.name in idle and not others and pods.isdisjoint(unit.requires):
            yield from _nothing_starts(unit, app)


def waits(app: DesiredApp, idle: Collection[str], *, missing: Collection[str]) -> Iterator[Need]:
    """Say for which targets units wait that are there and are not on the way."""
    for unit in app.units:
        there = [one for one in unit.wanted_by if one not in missing]
        if unit.name in idle and there and not is_template(unit.name):
            text = f"{unit.name} waits for {' or '.join(there)}, which nothing has started"
            yield Need(kind=NeedKind.UNIT, subject=unit.name, text=text)


def _nothing_starts(unit: DesiredUnit, app: DesiredApp) -> Iterator[Finding]:
    if is_template(unit.name) and not unit.instances:
        instances = [file.path for file in app.files if _base(file.path) != unit.name]
        links = [path for path in instances if template_of(_base(path)) == unit.name]
        link = f" (systemd does not see {links[0]})" if links else ""
        yield app.finding(
            f"nothing starts an instance of {unit.name}{link}",
            app.source_path(unit.path),
            "name one with DefaultInstance= in its [Install], or have another unit need one",
            fatal=False,
        )
    elif not unit.wanted_by:
        yield app.finding(
            f"nothing starts {unit.name}: it has no [Install], and no other unit starts it",
            app.source_path(unit.path),
            f"add an [Install] with WantedBy={_usual(unit.name)}",
            fatal=False,
        )


def _better(target: str, own: Collection[str]) -> str:
    targets = {one for one in (*USER_TARGETS, *own) if one.endswith(_TARGET)}
    # What all names end with would make any of them near.
    meant = nearest(target.removesuffix(_TARGET), {one.removesuffix(_TARGET) for one in targets})
    return f"{meant}{_TARGET}" if meant else DEFAULT_TARGET


def _usual(unit: str) -> str:
    return {"timer": "timers.target", "socket": "sockets.target", "path": "paths.target"}.get(
        unit.rpartition(".")[2], DEFAULT_TARGET
    )


def _type_of(unit: str) -> str:
    return unit.rpartition(".")[2] if "." in unit else "unit"


def _base(path: str) -> str:
    return path.rpartition("/")[2]
