"""Look at the world and plan a pass: each app for itself as far as it goes.

Serves `controllers.apps.reconciler`. An app that cannot be observed, or that the planner has a
defect with, is left out of the pass; for the others it counts as one of another pass.
"""

from collections.abc import Callable, Sequence

import msgspec

from supervisor.controllers.apps.observer import Observer
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import each_now, failure_of
from supervisor.controllers.ports import Aside, Folder
from supervisor.core.desired.unit_moves import changing, elsewhere, owners_of, taken_units
from supervisor.core.plan import planner
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure
from supervisor.model.observed import Observed
from supervisor.model.plan import Plan


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass begins with."""

    observed: Observed
    plan: Plan
    """Has a verdict on each app that is not among the `failures`."""
    failures: dict[str, Failure] = {}
    """App to why there is no plan for it."""


class Lookout:
    """Observes and plans."""

    def __init__(
        self,
        *,
        desired_state: DesiredState,
        observer: Observer,
        folder: Folder,
        clock: Clock,
        aside: Aside,
    ) -> None:
        self._desired_state = desired_state
        self._observer = observer
        self._folder = folder
        self._clock = clock
        self._aside = aside
        self._hindered: dict[str, str] = {}

    def note(self, app: str, failure: Failure | None) -> None:
        """Take note of what cut an app's pass short: what is planned next may have to say so."""
        self._hindered.pop(app, None)
        if failure:
            self._hindered[app] = str(failure)

    async def look(self, deployments: Sequence[Deployment]) -> Look:
        """Plan a pass over these apps. Raises what keeps all of them from being observed."""
        observed, failures = await self._observer.observe(
            deployments,
            targets=self._desired_state.targets(),
            everything=self._desired_state.latest(),
        )
        observed = msgspec.structs.replace(observed, hindered=dict(self._hindered))
        foreign = await self._folder.foreign_units()
        able = [one for one in deployments if one.name not in failures]
        # Worked out of what holds now: while a plan is made, apps may come to stand elsewhere.
        latest, settings = dict(self._desired_state.latest()), self._desired_state.settings
        now = self._clock.now()
        owners, taken, offered = (
            owners_of(latest),
            taken_units(latest),
            self._desired_state.secrets(),
        )

        def plan(some: Sequence[Deployment]) -> Plan:
            return planner.plan(
                some,
                observed,
                now,
                foreign=foreign,
                health=settings.health,
                rollout=settings.rollout,
                owners=owners,
                taken=taken,
                elsewhere=elsewhere({one.name for one in some}, latest),
                changing=changing({one.name for one in some}, latest),
                offered=offered,
                everyone=latest.values(),
            )

        plans, defects = await self._aside(
            lambda: _planned(able, plan),
            items=sum(len(one.wanted.units) for one in able if one.wanted),
        )
        return Look(observed=observed, plan=plans, failures={**failures, **defects})


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
