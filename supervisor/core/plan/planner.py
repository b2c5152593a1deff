"""One pass as a value: the steps for a set of apps, in the order in which they are executed.

Before it: `controllers.apps.observer` and `controllers.desired.desired_state` have read the world.
After it: `controllers.apps.executor` carries the steps out, and has no choices left to make.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from supervisor.core.desired.unit_moves import (
    holds_of_giver,
    holds_of_needed,
    holds_of_taker,
    keeping,
    kept_units,
    lost_for_good,
    owners_of,
)
from supervisor.core.health import unstarted
from supervisor.core.plan.app import Given, left_alone, plan_app
from supervisor.core.plan.handover import make_room
from supervisor.core.plan.networks import free_networks
from supervisor.kit.texts import count
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan, Reload, Step, Verdict
from supervisor.model.settings import HealthSettings, RolloutSettings

AppPlan = tuple[list[Step], Verdict]


def plan(
    deployments: Sequence[Deployment],
    observed: Observed,
    now: float,
    *,
    foreign: Mapping[str, str] | None = None,
    health: HealthSettings | None = None,
    rollout: RolloutSettings | None = None,
    owners: Mapping[str, str] | None = None,
    taken: Collection[str] = (),
    elsewhere: Mapping[str, str] | None = None,
    changing: Collection[Deployment] = (),
    offered: Mapping[str, str] | None = None,
    everyone: Collection[Deployment] = (),
) -> Plan:
    """Plan one pass over these apps; a pure function of its arguments.

    `owners` maps units to the apps that want them, `offered` secrets to the apps that describe
    them, others than these apps too; `taken` are the units that their owners have already,
    `elsewhere` those that apps of other passes have and are to give away, with these; `changing`
    are such apps that may still run as what they were. `everyone` are all apps, of which one may
    start units of another.

    Steps are ordered by phase: images, stops, removals, files, one daemon-reload, starts.
    """
    health = health or HealthSettings()
    rollout = rollout or RolloutSettings()
    if owners is None:
        owners = owners_of({one.name: one for one in deployments})

    everyone = everyone or deployments
    coming = _units(one.wanted or one.last_good for one in everyone)
    standing = _units(one.last_good or one.wanted for one in everyone)
    own: frozenset[str] = frozenset()
    if observed.missing:
        own = frozenset(name for one in (*coming, *standing) for name in one.runtime_names)
        # What is about to come is there.
        observed = msgspec.structs.replace(observed, missing=observed.missing - own)
    idle = unstarted.unstarted(coming, observed.targets)
    idle_until = idle if standing == coming else unstarted.unstarted(standing, observed.targets)

    def planned(deployment: Deployment) -> AppPlan:
        given = Given(
            deployment=deployment,
            observed=observed,
            now=now,
            foreign=foreign or {},
            owners=owners,
            offered=offered or {},
            health=health,
            rollout=rollout,
        )
        steps, verdict = plan_app(given)
        verdict = msgspec.structs.replace(verdict, held=deployment.held)
        if verdict.complete:
            steps.extend(unstarted.forgotten(deployment, observed, idle))
        verdict = unstarted.told(
            deployment, verdict, observed, idle=idle, idle_until=idle_until, own=own
        )
        return left_alone(steps, verdict, observed)

    plans = _with_moves(
        deployments,
        observed,
        planned,
        owners=owners,
        taken=taken,
        elsewhere=elsewhere or {},
        changing=changing,
    )
    steps = free_networks((step for some, _ in plans for step in some), observed)
    steps.extend(make_room(steps, observed))
    return Plan(steps=_ordered(steps), verdicts=tuple(verdict for _, verdict in plans))


def _with_moves(
    deployments: Sequence[Deployment],
    observed: Observed,
    planned: Callable[[Deployment], AppPlan],
    *,
    owners: Mapping[str, str],
    taken: Collection[str],
    elsewhere: Mapping[str, str],
    changing: Collection[Deployment],
) -> list[AppPlan]:
    """Plan apps so that a unit which goes from one to another is always had by one, never by two.

    And none goes that another app still needs.

    Whoever has to wait with what it gives away takes nothing either, and the other way round: so
    it is asked again until nobody more has to wait.
    """
    everything = {one.name: one for one in deployments}
    plans = {one.name: planned(one) for one in deployments}
    held: set[str] = set()
    while True:
        # Those that are not complete keep what they have, and take nothing, anyway.
        complete = {name for name, (_, verdict) in plans.items() if verdict.complete}
        now_taken = {*taken, *owners_of({name: everything[name] for name in complete})}
        kept = {**elsewhere, **kept_units(observed, complete)}
        users = [*changing, *(one for name, one in everything.items() if name not in complete)]
        late = {}
        for name in complete - held:
            one = everything[name]
            holds = (
                *holds_of_needed(one, observed, users, owners=owners),
                *holds_of_giver(one, observed, owners=owners, taken=now_taken),
                *holds_of_taker(one, kept, observed.suspended),
            )
            if holds:
                late[name] = keeping(one, holds, _jobs_of_others(name, deployments))
        if not late:
            break
        held.update(late)
        everything.update(late)
        plans.update({name: planned(one) for name, one in late.items()})
    for name in everything.keys() - complete:
        one = everything[name]
        lost = tuple(lost_for_good(one, everything, observed, owners=owners, complete=complete))
        if lost:
            plans[name] = planned(keeping(one, (), lost))
    return list(plans.values())


def _units(apps: Iterable[DesiredApp | None]) -> list[DesiredUnit]:
    return [unit for app in apps if app for unit in app.units]


def _jobs_of_others(app: str, deployments: Sequence[Deployment]) -> set[str]:
    return {
        unit.name
        for one in deployments
        if one.wanted and one.name != app
        for unit in one.wanted.units
        if unit.before_deploy
    }


def _ordered(steps: list[Step]) -> tuple[Step, ...]:
    """By phase, else as planned; all reloads as one."""
    reasons = dict.fromkeys(step.reason for step in steps if isinstance(step, Reload))
    merged: list[Step] = [step for step in steps if not isinstance(step, Reload)]
    if reasons:
        first, *rest = reasons
        more = f" (and {count(len(rest), 'more reason')})" if rest else ""
        merged.append(Reload(reason=first + more))
    return tuple(sorted(merged, key=lambda step: step.phase))
