"""Make the probes that are due, all in one waking. Key `probes`.

`controllers.apps.reconciler` says after each pass which units run and are to be probed; a verdict
that changed names the unit's app, whose pass shows it, logs it, and repairs.
"""

from collections.abc import Collection, Mapping

import anyio
import msgspec

from supervisor.controllers.ports import Prober
from supervisor.core.health.unit_health import after_answer, next_probe_at
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.health import Health, Probe, Probed
from supervisor.model.observed import Observed

_TOGETHER_SECONDS = 1.0
"""What would be due so soon is done along with what is due now."""


class ProbeController(msgspec.Struct, kw_only=True):
    """Knows what is to be probed, and what the answers add up to."""

    prober: Prober
    clock: Clock
    _probes: dict[str, Probe] = {}
    _due: dict[str, float] = {}
    _verdicts: dict[str, Probed] = {}
    _known: set[str] = set()
    """Units that were here at any time since the daemon started."""

    def verdicts(self) -> dict[str, Probed]:
        """What every probed unit's answers add up to so far."""
        return dict(self._verdicts)

    def set_probes(
        self,
        of_app: Collection[str],
        probes: Mapping[str, Probe],
        *,
        unhealthy: Mapping[str, float],
    ) -> None:
        """Probe these, and none else of the units `of_app`.

        Of what nobody knew yet, that is `unhealthy` (since then) which was so before the daemon
        started, until a probe says something else.
        """
        now = self.clock.now()
        for unit in of_app:
            probe, is_known = probes.get(unit), unit in self._known
            self._known.add(unit)
            if probe is None:
                self.forget(unit)
            elif self._probes.get(unit) != probe:
                self._probes[unit] = probe
                first = Probed(unit=unit, since=now, began_at=now)
                self._due[unit] = next_probe_at(first, probe, now)
                if unit in unhealthy and not is_known:
                    since = unhealthy[unit]
                    first = msgspec.structs.replace(first, health=Health.UNHEALTHY, since=since)
                self._verdicts[unit] = first

    def forget(self, unit: str) -> None:
        """Stop probing a unit; what is known of it does not hold for its next start."""
        self._known.add(unit)
        for memory in (self._probes, self._due, self._verdicts):
            memory.pop(unit, None)

    def due_in(self) -> float | None:
        """Seconds until the next probe; None if nothing is probed."""
        now = self.clock.now()
        return min((self._wait(unit, now) for unit in self._due), default=None)

    async def run(self) -> frozenset[str]:
        """Make the probes that are due; returns the units of which the verdict changed."""
        now = self.clock.now()
        changed: set[str] = set()
        async with anyio.create_task_group() as tasks:
            for unit in self._due:
                if self._wait(unit, now) <= _TOGETHER_SECONDS:
                    tasks.start_soon(self._probe, unit, changed)
        return frozenset(changed)

    def _wait(self, unit: str, now: float) -> float:
        """Seconds until a unit is to be probed; a clock that was set back must not stop it."""
        wait = self._due[unit] - now
        return max(0.0, wait) if wait <= 2 * self._probes[unit].interval else 0.0

    async def _probe(self, unit: str, changed: set[str]) -> None:
        probe, before = self._probes[unit], self._verdicts[unit]
        failure = await self.prober.probe(probe)
        if self._verdicts.get(unit) is not before:
            return  # it was stopped or started anew meanwhile
        now = self.clock.now()
        after = self._verdicts[unit] = after_answer(before, probe, failure, now)
        self._due[unit] = next_probe_at(after, probe, now)
        # Of what was unhealthy before the daemon started, nobody knows why.
        is_told_why = bool(after.output and not before.output)
        if after.health is not before.health or (after.health is Health.UNHEALTHY and is_told_why):
            changed.add(unit)


def probes_of(deployment: Deployment, observed: Observed) -> dict[str, Probe]:
    """Probes of the app's units that run now."""
    return {
        name: unit.probe
        for app in reversed(deployment.apps)
        for name, unit in app.runtime_units.items()
        if unit.probe and (state := observed.units.get(name)) and state.is_up
    }
