"""Restart one by one what is not to be down at once: replicas, and apps that ask for it.

Each has to be well before the next is restarted. Nothing is remembered of it: who still runs as
before is seen from what each was started with, so it goes on after whatever cut it short.
"""

from collections.abc import Container, Iterator

import msgspec

from supervisor.core.health.gate import Lack, Terms, lacks, settle_of, trial_of
from supervisor.core.health.wanted_units import should_run
from supervisor.core.plan.draft import Draft
from supervisor.kit.graph import needed_first
from supervisor.kit.texts import count
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.need import unit_need
from supervisor.model.observed import Observed
from supervisor.model.plan import RemoveContainer, RestartUnit, Step, StopUnit, TryRevision
from supervisor.model.quadlet import RUNNING, UnitKind
from supervisor.model.settings import RolloutSettings


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    """Units of which only some may be down at once."""

    units: dict[str, DesiredUnit]
    """By runtime name, in the order in which they are restarted."""
    max_unavailable: int


def in_turns(
    app: DesiredApp, attempt: Draft, observed: Observed, now: float, settings: RolloutSettings
) -> tuple[Draft, tuple[str, ...]]:
    """Return what can be done now of the way to an app's state, and whose turn comes later.

    What is not well anyway loses nothing by a restart: it is not waited for others.
    """
    restarts = {
        step.unit for step in attempt.steps if isinstance(step, RestartUnit) and step.repair is None
    }
    begins = (step.trial for step in attempt.steps if isinstance(step, TryRevision))
    trial, settle = trial_of(app, observed) or next(begins, None), settle_of(app, settings)
    # What was down before, and is left as it is, is no reason to wait.
    counts = set(should_run(app.runtime_units, observed.targets, observed.needed_by))
    counts.difference_update(trial.down_before if trial else ())

    def lacking(name: str, unit: DesiredUnit) -> Lack | None:
        """Say what one lacks: of those that are still to move, only whether they are unwell."""
        state, moves = observed.unit(name), name in restarts
        since = trial.began_at if trial and not moves else None
        began = trial.began_at if trial else state.active_since
        terms = Terms(now=now, began=began, since=since, settle=0.0 if moves else settle)
        lack = lacks(app, name, unit, observed, terms)
        is_unwell = lack and (lack.failed or state.paused or state.ending or not state.is_up)
        return lack if is_unwell or not moves else None

    later: set[str] = set()
    for group in _groups(app):
        mine = [name for name in group.units if name in restarts]
        lacks_of = {
            name: lack
            for name, unit in group.units.items()
            if mine and name in counts | restarts and (lack := lacking(name, unit))
        }
        room = max(0, group.max_unavailable - len(lacks_of))
        well = [name for name in mine if name not in lacks_of]
        if not well[room:]:
            continue
        later.update(well[room:])
        first, *more = well[room:]
        also = f" (and {count(len(more), 'more')})" if more else ""
        why = next((one.reason for one in lacks_of.values()), f"{well[0]} comes first")
        attempt.waiting.append(unit_need(first, f"restarted{also} once the others are well: {why}"))
        for lack in lacks_of.values():
            if lack.look_at:
                attempt.look_again(lack.look_at)
    left = {one.name for one in observed.inventory.containers or () if one.unit in later}
    steps = [step for step in attempt.steps if not _is_of(step, later, left)]
    return msgspec.structs.replace(attempt, steps=steps), tuple(sorted(later))


def _is_of(step: Step, units: Container[str], containers: Container[str]) -> bool:
    """Whether a step ends or restarts one of these units, or takes away a container of theirs."""
    if isinstance(step, RemoveContainer):
        return step.container in containers
    return isinstance(step, RestartUnit | StopUnit) and step.unit in units


def _groups(app: DesiredApp) -> Iterator[_Group]:
    if app.options.one_by_one:
        # The containers of a pod end with it, and what a .kube played by what it was.
        pods = {unit.name for unit in app.units if unit.kind is UnitKind.POD}
        units = {
            name: unit
            for name, unit in app.runtime_units.items()
            if unit.kind in RUNNING - {UnitKind.KUBE, UnitKind.POD}
            and pods.isdisjoint(unit.requires)
            and not (unit.before_deploy or unit.oneshot)
        }
        order = needed_first(units, lambda name: units[name].requires)
        yield _Group(units={name: units[name] for name in order}, max_unavailable=1)
        return
    for unit in app.units:
        if unit.has_replicas:
            named = dict.fromkeys(unit.runtime_names, unit)
            yield _Group(units=named, max_unavailable=unit.max_unavailable)
