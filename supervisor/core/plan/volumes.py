"""Volumes that are exported before another release of their app comes, or put back to a snapshot.

Either takes a pass of its own, before that in which the release is installed: what uses the volumes
is stopped, and all else is as it was. When it has ended well, the next pass does the rest, and
starts what was stopped. So neither a failure nor a kill leaves anything of the new release behind.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

import msgspec

from supervisor.core.health import gate
from supervisor.core.health.release import in_words
from supervisor.core.images.pulling import FLOOR_BYTES
from supervisor.core.plan.draft import Draft
from supervisor.core.plan.unit_inputs import inputs_of
from supervisor.kit.texts import rough_size, short_id
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Stalled
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed, UnitState
from supervisor.model.plan import (
    BuildImage,
    RestartUnit,
    RestoreVolumes,
    SnapshotVolumes,
    StartUnit,
    Step,
    StopUnit,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Rollout
from supervisor.model.volumes import (
    AppVolumes,
    ArchiveRoom,
    RestoreOrder,
    VolumeFailure,
    VolumeSnapshot,
)

_FRESH_SECONDS = 3_600.0
"""What was exported counts for so long where what uses the volumes was not left stopped."""


def plan_volumes(
    deployment: Deployment,
    attempt: Draft,
    observed: Observed,
    now: float,
    draft: Draft,
    *,
    jobs: Collection[str],
) -> bool:
    """Add the steps for the app's volumes that come before `attempt`, the way to what is wanted.

    And before the `jobs` that are to run first. Returns whether all of that has to wait for them;
    if it has, and there are no steps, the app stays as it is.
    """
    wanted = deployment.wanted
    if wanted is None:
        return False
    known = observed.known_volumes(wanted.name)
    order = known.restore
    names = _volumes(deployment, observed, ordered=order)
    snapshot: SnapshotVolumes | None = None
    is_due = is_another(known) if order else _is_due(deployment, wanted, attempt, jobs, observed)
    if (names or order) and is_due and not _is_made(deployment, wanted, names, observed, now):
        snapshot = _snapshot(deployment, wanted, names, attempt, observed)
    if snapshot is None and order is None:
        return False
    failure = known.failure
    about = order.snapshot.id if order else wanted.content
    if failure and failure.before == about and failure.next_at > now:
        draft.look_again(failure.next_at)
        keep_down(deployment, observed, draft)
        about_volumes = tuple(order.snapshot.volumes) if order else names
        draft.waiting.append(_failed(wanted.name, about_volumes, known, failure))
        return True
    if snapshot and snapshot.names:
        draft.steps.append(snapshot)
        draft.waiting.append(_need(snapshot.names, "are exported first"))
    if order:
        names = tuple(order.snapshot.volumes)
        draft.steps.append(
            RestoreVolumes(
                app=wanted.name,
                order=order,
                users=_users(deployment, names),
                reason=f"a person had them put back to release {short_id(order.snapshot.release)}",
            )
        )
        draft.waiting.append(_need(names, "are put back"))
    return True


def is_another(known: AppVolumes) -> bool:
    """Whether a restore is ordered that empties more than is half put back already."""
    return bool(known.restore and known.restore.snapshot.volumes.keys() - set(known.half))


def left_half(known: AppVolumes, snapshot: VolumeSnapshot) -> tuple[str, ...]:
    """Return the volumes that would be left half put back by this snapshot."""
    return tuple(sorted(set(known.half) - snapshot.volumes.keys()))


def keep_down(deployment: Deployment, observed: Observed, draft: Draft) -> None:
    """Stop what uses volumes that are half put back: a boot, or a person, may have started it."""
    half = observed.known_volumes(deployment.name).half
    reason = f"volumes {', '.join(half)} are half put back"
    for unit in _running(_users(deployment, half), observed):
        draft.steps.append(StopUnit(app=deployment.name, unit=unit, reason=reason))


def start_again(app: DesiredApp, observed: Observed, now: float, attempt: Draft) -> None:
    """Have what was stopped for a snapshot started with the release that comes: no repair of it."""
    last = next(reversed(observed.known_volumes(app.name).snapshots), None)
    if last is None or last.before != app.content or gate.stands(app, observed.applied):
        return
    stopped = last.stopped
    if _has_begun_since(last, app.name, observed, now):
        if gate.trial_of(app, observed) is None:
            return
        # Its pass may have been cut short before it came to them.
        stopped = tuple(name for name in stopped if _is_untouched(observed.unit(name), last))
    reason = "it was stopped while its volumes were exported"
    activated = {unit.activates for unit in app.units}
    planned = {one.unit for one in attempt.steps if isinstance(one, StartUnit | RestartUnit)}
    steps: list[Step] = []
    for step in attempt.steps:
        if isinstance(step, StartUnit) and step.repair and step.unit in stopped:
            steps.append(msgspec.structs.replace(step, repair=None, reason=reason))
        else:
            steps.append(step)
    for name in stopped:
        unit = app.runtime_units.get(name)
        if unit and name not in planned | activated and observed.unit(name).has_ended:
            inputs = inputs_of(app, unit, observed)
            steps.append(StartUnit(app=app.name, unit=name, inputs=inputs, reason=reason))
    attempt.steps = steps


def snapshot_meant(
    wish: str, known: AppVolumes, rollouts: Sequence[Rollout], *, app: str
) -> VolumeSnapshot:
    """Return the snapshot of a release, the newest of several; or the one of that id.

    `wish` is the beginning of an id, of a release or of its revision. Raises Stalled if there is
    none, or if it may be of more than one release.
    """
    found = [one for one in known.snapshots if one.id.startswith(wish)]
    if len({one.id for one in found}) != 1:
        found = [one for one in known.snapshots if one.release.startswith(wish)]
    if not found:
        found = [one for one in known.snapshots if one.revision.startswith(wish)]
    if len({one.release for one in found}) == 1:
        return found[-1]
    hint = f"podvisor history {app} shows of which releases the volumes were exported"
    if found:
        raise Stalled(f"cannot restore: more than one release begins with {wish}", hint=hint)
    if any(
        wish and wish in (one.release[: len(wish)], one.revision[: len(wish)]) for one in rollouts
    ):
        raise Stalled(f"cannot restore: no volumes were exported of {wish}", hint=hint)
    raise Stalled(f"cannot restore: no release that was tried here begins with {wish}", hint=hint)


def kept_snapshots(known: AppVolumes, keep: int) -> tuple[VolumeSnapshot, ...]:
    """Return the snapshots that stay: the newest, and one that is to be put back.

    Also the first of the release that was left last: in those that were made of it since may be
    what releases that failed have written.
    """
    newest = known.snapshots[-max(1, keep) :]
    left = known.snapshots[-1].release if known.snapshots else ""
    since = tuple(takewhile(lambda one: one.release == left, reversed(known.snapshots)))
    ordered = known.restore.snapshot.id if known.restore else ""
    return tuple(
        one for one in known.snapshots if one in (*newest, *since[-1:]) or one.id == ordered
    )


def lacks_room(room: ArchiveRoom) -> str:
    """Say why an export does not fit; empty if it does. How far it can be packed, nobody knows."""
    needed = room.needed + FLOOR_BYTES
    if room.free >= needed:
        return ""
    return (
        f"they hold {rough_size(room.needed)}, {rough_size(room.free)} are free in {room.folder},"
        f" and {rough_size(FLOOR_BYTES)} are to stay free there"
    )


def _is_due(
    deployment: Deployment,
    wanted: DesiredApp,
    attempt: Draft,
    jobs: Collection[str],
    observed: Observed,
) -> bool:
    """Whether another release comes, of an app that asks for snapshots, and changes what runs."""
    here = deployment.way_back
    if here is None or here.content == wanted.content:
        return False
    asks = wanted.options.snapshot or here.options.snapshot
    if not asks or gate.stands(wanted, observed.applied) or gate.trial_of(wanted, observed):
        return False
    run = observed.jobs.get(wanted.name)
    if run and run.content == wanted.content and run.done:
        return False  # its jobs may have changed what the volumes hold
    return bool(jobs) or any(
        isinstance(step, StopUnit)
        or (isinstance(step, StartUnit | RestartUnit) and step.repair is None)
        for step in attempt.steps
    )


def _is_made(
    deployment: Deployment,
    wanted: DesiredApp,
    names: Sequence[str],
    observed: Observed,
    now: float,
) -> bool:
    """Whether a snapshot was made for what comes now, and nothing was written since."""
    known = observed.known_volumes(wanted.name)
    if not known.snapshots:
        return False
    last = known.snapshots[-1]
    if known.restore:
        users = [observed.unit(name) for name in _users(deployment, names)]
        is_used = any(not one.has_ended or last.at < one.active_since <= now for one in users)
        return last.at >= known.restore.at and not is_used
    if last.before != wanted.content or _has_begun_since(last, wanted.name, observed, now):
        return False
    if last.stopped:
        return all(observed.unit(name).has_ended for name in last.stopped)
    return 0 <= now - last.at < _FRESH_SECONDS


def _has_begun_since(last: VolumeSnapshot, app: str, observed: Observed, now: float) -> bool:
    # What began later than now did so before the clock was set back.
    return any(last.at <= one.began_at <= now for one in observed.rollouts.get(app, ()))


def _is_untouched(state: UnitState, last: VolumeSnapshot) -> bool:
    return state.active == "inactive" and state.active_since < last.at


def _has_jobs(app: DesiredApp) -> bool:
    return any(unit.before_deploy for unit in app.units)


def _snapshot(
    deployment: Deployment,
    wanted: DesiredApp,
    names: tuple[str, ...],
    attempt: Draft,
    observed: Observed,
) -> SnapshotVolumes:
    here = _installed(wanted.name, observed)
    known = observed.known_volumes(wanted.name)
    builds = any(isinstance(step, BuildImage) for step in attempt.steps)
    return SnapshotVolumes(
        app=wanted.name,
        names=names,
        stops=_running(_users(deployment, names), observed),
        release=here.release if here else "",
        revision=here.revision if here else "",
        before=wanted.content,
        taken=_before_half(known, here),
        resumes=known.restore is None and (_has_jobs(wanted) or builds),
        reason=f"before {in_words(wanted, deployment.last_good)} comes",
    )


def _before_half(known: AppVolumes, here: Rollout | None) -> VolumeSnapshot | None:
    """Return the newest snapshot of a release with the volumes that are half put back, only these.

    It was made before they were; they are no state to come back to.
    """
    for one in reversed(known.snapshots):
        volumes = {name: size for name, size in one.volumes.items() if name in known.half}
        if here and one.release == here.release and volumes:
            return msgspec.structs.replace(one, volumes=volumes)
    return None


def _installed(app: str, observed: Observed) -> Rollout | None:
    """Return the release that is installed; of one that never was on trial, nobody knows."""
    manifest, applied = observed.app(app).manifest, observed.applied.get(app)
    rollouts = observed.rollouts.get(app, ())
    contents = [manifest.content if manifest else "", applied.content if applied else ""]
    for content in contents:
        if found := [one for one in rollouts if one.content == content]:
            return found[-1]
    return None


def _volumes(
    deployment: Deployment, observed: Observed, *, ordered: RestoreOrder | None
) -> tuple[str, ...]:
    """Return the volumes that are made, mounted or to be put back, and that are there.

    None that is half put back: what it holds is nothing to come back to.
    """
    there = observed.inventory.volumes
    if there is None:  # not asked for: what the app is now asks for no snapshots
        return ()
    units = deployment.units
    makers = [unit for unit in units if unit.kind is UnitKind.VOLUME]
    named = {unit.object_name for unit in makers}.union(*(unit.volumes for unit in units))
    # What is made of an image holds nothing of its own.
    named.difference_update(unit.object_name for unit in makers if unit.images)
    if ordered:
        named.update(ordered.snapshot.volumes)
    known = observed.volumes.get(deployment.name)
    return tuple(sorted(named & there - set(known.half if known else ())))


def _users(deployment: Deployment, names: Sequence[str]) -> tuple[str, ...]:
    """Return the units that use these volumes, and what goes down, or wakes, with them."""
    units: dict[str, DesiredUnit] = {}
    for app in deployment.apps:
        units.update(app.runtime_units)
    found = {name for name, unit in units.items() if not set(names).isdisjoint(unit.volumes)}
    while more := set(_along(units, found)) - found:
        found |= more
    return tuple(sorted(found))


def _running(units: Iterable[str], observed: Observed) -> tuple[str, ...]:
    return tuple(name for name in units if not observed.unit(name).has_ended)


def _along(units: Mapping[str, DesiredUnit], found: set[str]) -> Iterator[str]:
    """Yield what needs these, what starts them at a connection, and the pods that end with them."""
    for name, unit in units.items():
        if not found.isdisjoint(unit.requires) or unit.activates in found:
            yield name
        if unit.kind is UnitKind.POD:
            members = {one for one, other in units.items() if name in other.requires}
            if members and members <= found:
                yield name


def _failed(app: str, names: Sequence[str], known: AppVolumes, failure: VolumeFailure) -> Need:
    """Return the need for what failed and is tried again, with what a person can do."""
    why = f"are not exported: {failure.why}"
    if known.restore:
        why = f"are not put back: {failure.why}"
        if known.half:
            why = f"{why}; nothing of the app runs before they are"
            if other := _other_way_out(known):
                why = f"{why}, or `podvisor restore {app} {other.id}`"
    return _need(names, why, failing=True)


def _other_way_out(known: AppVolumes) -> VolumeSnapshot | None:
    """Return the newest snapshot that can take the place of what is half put back."""
    ordered = known.restore.snapshot.id if known.restore else ""
    found = [one for one in known.snapshots if one.id != ordered and not left_half(known, one)]
    return found[-1] if found else None


def _need(names: Sequence[str], detail: str, *, failing: bool = False) -> Need:
    return Need(
        kind=NeedKind.VOLUMES,
        subject=", ".join(names),
        text=f"volumes {', '.join(names)}",
        detail=detail,
        failing=failing,
    )
