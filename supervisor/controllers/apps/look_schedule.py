"""When health is looked at, and probes are made. Keys `health` and `probes`."""

from collections.abc import Iterable

from supervisor.controllers.apps.health import LOOK_SECONDS, HealthController
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.kit.workqueue import WorkQueue


class LookSchedule:
    """Names the apps of which the health changed, and arms the next look and the next probe."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        desired_state: DesiredState,
        health: HealthController,
        probes: ProbeController,
    ) -> None:
        self._queue = queue
        self._desired_state = desired_state
        self._health = health
        self._probes = probes

    def arm(self) -> None:
        """Arm the next look at health and the next probe, where there are any."""
        if seconds := self._health.second_look_in():
            self._queue.add_in(Kind.HEALTH, seconds)
        elif any(map(self._desired_state.apps_of_unit, self._health.checked_units())):
            self._queue.add_by_rhythm(Kind.HEALTH, LOOK_SECONDS)
        due = self._probes.due_in()
        if due is not None:
            self._queue.add_in(Kind.PROBES, due)

    async def look(self, _: str) -> list[str]:
        """Reconcile `health`."""
        units = await self._health.look()
        self.arm()
        return self._keys_of(units)

    async def probe(self, _: str) -> list[str]:
        """Reconcile `probes`."""
        units = await self._probes.run()
        self.arm()
        return self._keys_of(units)

    def _keys_of(self, units: Iterable[str]) -> list[str]:
        apps = {app for unit in units for app in self._desired_state.apps_of_unit(unit)}
        return Kind.APP.keys(sorted(apps))
