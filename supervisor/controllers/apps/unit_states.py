"""States of units, and more of those that are not well: details, and their last words.

Serves `controllers.apps.observer`. Details are dear: they are asked for where they matter.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from supervisor.controllers.apps.last_words import WITHHELD, LastWords
from supervisor.controllers.ports import Systemd
from supervisor.core.health import wanted_units
from supervisor.model.app import Deployment
from supervisor.model.ending import Ending
from supervisor.model.observed import UnitState

_ASK_AGAIN = ("", 0, 0.0)


class UnitStates(msgspec.Struct, kw_only=True):
    """Remembers which units are restless, and what those that failed have said."""

    systemd: Systemd
    words: LastWords
    _restless: set[str] = set()
    """Units that were down lately, or that systemd has restarted by itself."""
    _endings: dict[str, tuple[tuple[str, int, float], Ending]] = {}
    """Unit to how it ended, and at which of its ends that was read."""

    async def read(self, names: Collection[str]) -> dict[str, UnitState]:
        """Return the states of these units, without details."""
        return await self.systemd.units(names)

    async def instances(self, deployments: Iterable[Deployment]) -> frozenset[str]:
        """Return the instances of templates with replicas that there are, one too many as well."""
        templates = {unit.name for one in deployments for unit in one.units if unit.has_replicas}
        return await self.systemd.instances(templates) if templates else frozenset()

    async def wanted_targets(
        self, targets: Collection[str], units: Mapping[str, UnitState]
    ) -> frozenset[str]:
        """Return those of the targets that are wanted; what is not reached is looked into."""
        states = {name: units[name] for name in targets}
        new = {
            name
            for name, state in states.items()
            if state.load == "loaded" and not wanted_units.is_begun(state)
        }
        while new:
            found = await self.systemd.units(new, details=new)
            states.update(found)
            new = {name for one in found.values() for name in one.wanted_by} - states.keys()
        return wanted_units.wanted_targets(targets, states)

    async def look_closer(self, curious: Collection[str], units: dict[str, UnitState]) -> None:
        """Replace the states of these and of restless units by ones with details."""
        names = self._restless.union(curious)
        known = [name for name in names if name in units and units[name].load != "not-found"]
        if known:
            units.update(await self.systemd.units(known, details=known))
        for name in known:
            state = units[name]
            is_down = state.sub.startswith("auto-restart") or state.active == "failed"
            # To systemd, what ends with status 0 has not failed.
            is_down |= name in curious and state.exit_status is not None and not state.job
            is_at_rest = state.is_up or (state.active == "inactive" and name not in curious)
            if is_down or state.restarts or not is_at_rest:
                self._restless.add(name)
            else:
                self._restless.discard(name)
                self._endings.pop(name, None)
            # In a loop that goes on, less and less often.
            end = (state.active, state.restarts.bit_length(), state.failed_at)
            if is_down and (name not in self._endings or self._endings[name][0] != end):
                ending = await self.words.of_ending(await self.systemd.last_words(name), name)
                self._endings[name] = (end if ending.more != WITHHELD else _ASK_AGAIN, ending)

    def endings(self, units: Collection[str]) -> dict[str, Ending]:
        """Return how those of these units ended that are down."""
        known = self._endings.items()
        return {name: ending for name, (_, ending) in known if str(ending) and name in units}

    def forget(self, unit: str) -> None:
        """Begin anew with a unit that was started or stopped."""
        self._endings.pop(unit, None)
