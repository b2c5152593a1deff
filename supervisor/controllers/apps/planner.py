"""Plan a pass over apps: look at the world, and work out what to do; nothing is done.

Serves `controllers.apps.reconciler`, and whoever asks what would be done. An app that cannot be
observed, or that the planner has a defect with, is left out of the pass; for the others it counts
as one of another pass.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from supervisor.controllers.apps.observer import Observer
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import each_now, failure_of
from supervisor.controllers.ports import Aside
from supervisor.core.desired.dependencies import waits_for
from supervisor.core.desired.unit_moves import along
from supervisor.core.plan import planner
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan
from supervisor.model.status import AppStatus
from supervisor.model.unit_name import template_of


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass begins with."""

    observed: Observed
    plan: Plan
    """Has a verdict on each app that is not among the `failures`."""
    failures: dict[str, Failure] = {}
    """App to why there is no plan for it."""


class AppPlanner(msgspec.Struct, kw_only=True):
    """Observes and plans."""

    desired_state: DesiredState
    observer: Observer
    standing: Mapping[str, AppStatus]
    """How apps were when their last pass ended."""
    clock: Clock
    aside: Aside
    _hindered: dict[str, str] = {}

    def note(self, app: str, failure: Failure | None) -> None:
        """Take note of what cut an app's pass short: what is planned next may have to say so."""
        self._hindered.pop(app, None)
        if failure:
            self._hindered[app] = str(failure)

    def instances(self) -> set[str]:
        """Return instances that come and go by themselves, of which the end is to be told."""
        known = self.observer.units.followed()
        return {name for name in known if self.desired_state.apps_of_unit(template_of(name))}

    def along(self, names: Collection[str]) -> set[str]:
        """Other apps that a pass over these should take along: units go between them."""
        return along(names, self.desired_state.latest())

    async def plan(self, names: Collection[str]) -> Plan:
        """Work out a pass that nobody carries out; what has to come along is part of it."""
        chosen = await self.choose({*names, *self.along(names)}, unseen_is_ready=True)
        look = await self.look(chosen)
        unread = {one.name: one.failure for one in chosen if one.failure}
        problems = tuple(
            Finding.of(failure, about=f"app {name}", app=name)
            for name, failure in sorted({**look.failures, **unread}.items())
        )
        return msgspec.structs.replace(look.plan, problems=problems)

    async def choose(
        self, names: Collection[str], *, unseen_is_ready: bool = False
    ) -> list[Deployment]:
        """Return those of these apps that there are; one that changes says what it waits for.

        With `unseen_is_ready`, another app that no pass has seen keeps nobody waiting.
        """
        everything = await self.desired_state.deployments()
        return [
            msgspec.structs.replace(
                one,
                waits=(
                    *one.unknown,
                    *waits_for(one, everything, self.standing, unseen_is_ready=unseen_is_ready),
                ),
            )
            if one.changes
            else one
            for one in map(everything.get, names)
            if one
        ]

    async def look(self, deployments: Sequence[Deployment]) -> Look:
        """Plan a pass over these apps. Raises what keeps all of them from being observed."""
        observed, failures = await self.observer.observe(
            deployments,
            targets=self.desired_state.targets(),
            everything=self.desired_state.latest(),
        )
        observed = msgspec.structs.replace(observed, hindered=dict(self._hindered))
        able = [one for one in deployments if one.name not in failures]
        # Worked out of what holds now: while a plan is made, apps may come to stand elsewhere.
        latest, settings = dict(self.desired_state.latest()), self.desired_state.settings
        now, offered = self.clock.now(), self.desired_state.secrets()
        certificates = self.desired_state.certificates()

        def plan(some: Sequence[Deployment]) -> Plan:
            return planner.plan(
                some,
                observed,
                now,
                health=settings.health,
                rollout=settings.rollout,
                offered=offered,
                certificates=certificates,
                everyone=latest,
            )

        plans, defects = await self.aside(
            lambda: _planned(able, plan),
            items=sum(len(one.wanted.units) for one in able if one.wanted),
        )
        return Look(observed=observed, plan=plans, failures={**failures, **defects})

    async def look_again(self, deployments: Sequence[Deployment], look: Look) -> Look:
        """Read these apps' units anew after their steps; the plan is the same."""
        for one in deployments:
            self.observer.forget(one, look.plan.steps_of(one.name))
        if not look.plan.steps:
            return look
        observed = await self.observer.observe_units(deployments, look.observed)
        names = {one.name for one in deployments}
        plan = _without_overtaken(look.plan, look.observed, observed, names)
        return msgspec.structs.replace(look, observed=observed, plan=plan)


def _without_overtaken(
    plan: Plan, before: Observed, after: Observed, names: Collection[str]
) -> Plan:
    """Take note of nothing that was down, and that somebody started before its new form loaded.

    A socket or a timer may do so while a pass goes on: the next one finds it as what it was.
    """

    def is_overtaken(unit: str) -> bool:
        now = after.unit(unit)
        return before.unit(unit).has_ended and now.is_up and now.before_load

    mine = [one for one in plan.verdicts if one.app in names]
    if not any(is_overtaken(unit) for one in mine for unit in one.adopt):
        return plan
    verdicts = tuple(
        msgspec.structs.replace(
            one, adopt={u: inputs for u, inputs in one.adopt.items() if not is_overtaken(u)}
        )
        if one in mine
        else one
        for one in plan.verdicts
    )
    return msgspec.structs.replace(plan, verdicts=verdicts)


def _planned(
    able: Sequence[Deployment], plan: Callable[[Sequence[Deployment]], Plan]
) -> tuple[Plan, dict[str, Failure]]:
    """Plan for all; if that shows a defect, for those that it does not concern."""
    try:
        return plan(able), {}
    except Exception as error:  # noqa: BLE001  # a defect; whose it is shows app by app
        plans, defects = each_now(able, lambda one: plan([one]), doing="planning")
        if not defects:
            doing = f"planning {', '.join(plans)}"
            defects = dict.fromkeys(plans, failure_of(error, doing=doing))
        return plan([one for one in able if one.name not in defects]), defects
