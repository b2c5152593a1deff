"""When health is looked at, and probes are made. Keys `health` and `probes`."""

from collections.abc import Iterable

import msgspec

from supervisor.controllers.apps.health import LOOK_SECONDS, HealthController
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue


class LookSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """Names the apps of which the health changed, and arms the next look and the next probe."""

    queue: WorkQueue
    desired_state: DesiredState
    health: HealthController
    probes: ProbeController
    clock: Clock

    def arm(self) -> None:
        """Arm the next look at health and the next probe, where there are any."""
        if seconds := self.health.second_look_in():
            self.queue.add_in(Kind.HEALTH, seconds)
        elif any(map(self.desired_state.apps_of_unit, self.health.checked_units())):
            self.queue.add_by_rhythm(Kind.HEALTH, LOOK_SECONDS)
        if at := self.desired_state.images.look_at():
            self.queue.add_in(Kind.CHANGED_APPS, at - self.clock.now())
        due = self.probes.due_in()
        if due is not None:
            self.queue.add_in(Kind.PROBES, due)

    async def look(self, _: str) -> list[str]:
        """Reconcile `health`."""
        return self._after(await self.health.look())

    async def probe(self, _: str) -> list[str]:
        """Reconcile `probes`."""
        return self._after(await self.probes.run())

    def _after(self, units: Iterable[str]) -> list[str]:
        self.arm()
        apps = {app for unit in units for app in self.desired_state.apps_of_unit(unit)}
        return Kind.APP.keys(sorted(apps))
