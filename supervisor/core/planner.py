"""One pass as a value: the steps for a set of apps, in the order in which they are executed.

Before it: `controllers.observe` and `controllers.desire` have read the world. After it:
`controllers.execute` carries the steps out, and has no choices left to make.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from supervisor.core.app_plan import left_alone, plan_app
from supervisor.core.moves import (
    holds_of_giver,
    holds_of_taker,
    keeping,
    kept_units,
    lost_for_good,
)
from supervisor.kit.texts import count
from supervisor.model.app import Deployment
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan, Reload, Step, Verdict
from supervisor.model.settings import HealthSettings, RolloutSettings


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
    offered: Mapping[str, str] | None = None,
) -> Plan:
    """Plan one pass over these apps; a pure function of its arguments.

    `owners` maps units to the apps that want them, `offered` secrets to the apps that describe
    them, others than these apps too; `taken` are the units that their owners have already,
    `elsewhere` those that apps of other passes have and are to give away, with these.

    Steps are ordered by phase: images, stops, removals, files, one daemon-reload, starts.
    """
    health = health or HealthSettings()
    rollout = rollout or RolloutSettings()
    steps: list[Step] = []
    verdicts: list[Verdict] = []
    if owners is None:
        owners = {u.name: one.name for one in deployments if one.wanted for u in one.wanted.units}

    def planned(deployment: Deployment) -> tuple[list[Step], Verdict]:
        steps, verdict = plan_app(
            deployment,
            observed,
            now,
            foreign=foreign or {},
            owners=owners,
            health=health,
            rollout=rollout,
            offered=offered or {},
        )
        verdict = msgspec.structs.replace(verdict, held=deployment.held)
        return left_alone(steps, verdict, observed)

    jobs = {
        unit.name: one.name
        for one in deployments
        if one.wanted
        for unit in one.wanted.units
        if unit.before_deploy
    }
    everything = {one.name: one for one in deployments}
    plans = {name: planned(one) for name, one in everything.items()}

    def complete() -> set[str]:
        return {name for name, (_, verdict) in plans.items() if verdict.complete}

    held: set[str] = set()
    while True:
        # Whoever has to wait with what it gives away takes nothing either, and the other way round.
        now_complete = complete()
        now_taken = set(taken)
        now_taken.update(
            unit.name
            for name in now_complete
            if (wanted := everything[name].wanted)
            for unit in wanted.units
        )
        kept = {**(elsewhere or {}), **kept_units(observed, now_complete)}
        late = {}
        for name in now_complete:  # the others keep what they have, and take nothing, anyway
            one = everything[name]
            holds = (
                *holds_of_giver(one, observed, owners=owners, taken=now_taken),
                *holds_of_taker(one, kept, observed.suspended),
            )
            if holds and name not in held:
                others = {job for job, owner in jobs.items() if owner != name}
                late[name] = keeping(one, holds, others)
        if not late:
            break
        held.update(late)
        everything.update(late)
        plans.update({name: planned(one) for name, one in late.items()})
    now_complete = complete()
    for name in everything.keys() - now_complete:
        one = everything[name]
        lost = tuple(lost_for_good(one, everything, observed, owners=owners, complete=now_complete))
        if lost:
            plans[name] = planned(keeping(one, (), lost))
    for more, verdict in plans.values():
        steps.extend(more)
        verdicts.append(verdict)
    return Plan(steps=_ordered(steps), verdicts=tuple(verdicts))


def _ordered(steps: list[Step]) -> tuple[Step, ...]:
    """By phase, else as planned; all reloads as one."""
    reasons = dict.fromkeys(step.reason for step in steps if isinstance(step, Reload))
    merged: list[Step] = [step for step in steps if not isinstance(step, Reload)]
    if reasons:
        first, *rest = reasons
        more = f" (and {count(len(rest), 'more reason')})" if rest else ""
        merged.append(Reload(reason=first + more))
    return tuple(sorted(merged, key=lambda step: step.phase))
