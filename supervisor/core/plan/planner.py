"""One pass as a value: the steps for a set of apps, in the order in which they are executed.

Before it: `controllers.apps.observer` and `controllers.desired.desired_state` have read the world.
After it: `controllers.apps.executor` carries the steps out, and has no choices left to make.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from supervisor.core.desired.unit_moves import owners_of
from supervisor.core.health import unstarted
from supervisor.core.plan.app import Given, left_alone, plan_app
from supervisor.core.plan.handover import make_room
from supervisor.core.plan.moves import AppPlan, plan_together
from supervisor.core.plan.networks import free_networks
from supervisor.kit.texts import count
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan, Reload, Step
from supervisor.model.settings import HealthSettings, RolloutSettings


def plan(
    deployments: Sequence[Deployment],
    observed: Observed,
    now: float,
    *,
    health: HealthSettings | None = None,
    rollout: RolloutSettings | None = None,
    offered: Mapping[str, str] | None = None,
    certificates: Mapping[str, str] | None = None,
    everyone: Mapping[str, Deployment] | None = None,
) -> Plan:
    """Plan one pass over these apps; a pure function of its arguments.

    `everyone` are all apps, of which one may start, need, give away or take units of another;
    these, if it is left out. `offered` maps secrets, and `certificates` these, to the apps that
    describe them.

    Steps are ordered by phase: images, stops, removals, files, one daemon-reload, starts.
    """
    health = health or HealthSettings()
    rollout = rollout or RolloutSettings()
    everyone = everyone or {one.name: one for one in deployments}
    owners = owners_of(everyone)
    own: frozenset[str] = frozenset()
    if observed.missing:
        apps = [app for one in everyone.values() for app in one.apps]
        own = frozenset(name for app in apps for name in app.runtime_units)
        # What is about to come is there.
        observed = msgspec.structs.replace(observed, missing=observed.missing - own)
    asked = {one.name for one in deployments}
    starters = _starters(everyone.values(), asked)
    coming = _units(one.wanted or one.last_good for one in starters)
    standing = _units(one.last_good or one.wanted for one in starters)
    idle = unstarted.unstarted(coming, observed.targets)
    idle_until = idle if standing == coming else unstarted.unstarted(standing, observed.targets)

    def planned(deployment: Deployment) -> AppPlan:
        given = Given(
            deployment=deployment,
            observed=observed,
            now=now,
            owners=owners,
            offered=offered or {},
            certificates=certificates or {},
            health=health,
            rollout=rollout,
        )
        steps, verdict = plan_app(given)
        verdict = msgspec.structs.replace(verdict, held=deployment.held)
        verdict = unstarted.told(
            deployment, verdict, observed, idle=idle, idle_until=idle_until, own=own
        )
        steps.extend(unstarted.forgotten(deployment, verdict, observed))
        return left_alone(steps, verdict, observed)

    plans = plan_together(deployments, everyone, observed, planned, owners=owners)
    steps = free_networks((step for some, _ in plans for step in some), observed)
    steps.extend(make_room(steps, observed))
    return Plan(steps=_ordered(steps), verdicts=tuple(verdict for _, verdict in plans))


def _starters(everyone: Collection[Deployment], asked: Collection[str]) -> list[Deployment]:
    """Those that are asked for, and all that may start a unit of theirs."""
    # What an `[Install]` names is a target, or any unit: whoever has it starts it.
    named = frozenset[str]().union(*(app.targets for one in everyone for app in one.apps))

    def may_start(app: DesiredApp) -> bool:
        return app.may_start_others or not named.isdisjoint(app.by_name)

    return [one for one in everyone if one.name in asked or any(map(may_start, one.apps))]


def _units(apps: Iterable[DesiredApp | None]) -> list[DesiredUnit]:
    return [unit for app in apps if app for unit in app.units]


def _ordered(steps: list[Step]) -> tuple[Step, ...]:
    """By phase, else as planned; all reloads as one."""
    reasons = dict.fromkeys(step.reason for step in steps if isinstance(step, Reload))
    merged: list[Step] = [step for step in steps if not isinstance(step, Reload)]
    if reasons:
        first, *rest = reasons
        more = f" (and {count(len(rest), 'more reason')})" if rest else ""
        merged.append(Reload(reason=first + more))
    return tuple(sorted(merged, key=lambda step: step.phase))
