"""States of units, and more of those that are not well: details, and their last words.

Serves `controllers.apps.observer`. Details are dear: they are asked for where they matter.
"""

import re
from collections.abc import Collection, Mapping

import msgspec

from supervisor.controllers.apps.last_words import WITHHELD, LastWords
from supervisor.controllers.ports import Systemd
from supervisor.core.health import wanted_units
from supervisor.core.health.crash_backoff import settles_at
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.ending import Ending
from supervisor.model.observed import FailedInstances, RepairState, UnitState
from supervisor.model.unit_name import instance_in, is_template, template_of

_ASK_AGAIN = ("", 0, 0.0)
_MOST_FOLLOWED = 50
"""Instances of one template, of which there may be one for each connection."""
_NUMBER = re.compile(r"\d{1,18}")
_LAG_SECONDS = 1.0
"""In which what a process wrote just before it died comes to the journal."""
_TICK_SECONDS = 0.1
"""An alarm may ring so early."""


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the end of a unit."""

    end: tuple[str, int, float]
    """Tells its ends from each other."""
    ending: Ending
    again_at: float = 0.0
    """When there may be more to read of what it wrote last; 0 is never."""


class Instances(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of templates, besides what their files name."""

    replicas: frozenset[str] = frozenset()
    """Of templates with replicas all that there are, one too many as well."""
    failed: dict[str, FailedInstances] = {}


class UnitStates(msgspec.Struct, kw_only=True):
    """Remembers which units are restless, and what those that failed have said."""

    systemd: Systemd
    words: LastWords
    clock: Clock
    _restless: set[str] = set()
    """Units that were down lately, or that systemd has restarted by itself."""
    _followed: dict[str, frozenset[str]] = {}
    """Template to its instances that come and go by themselves."""
    _told_of: dict[str, frozenset[str]] = {}
    """Template to the one of those of which it is known how it ended."""
    _endings: dict[str, _Read] = {}
    """Unit to how it ended; of one that was brought back, until it may be called well."""

    async def read(self, names: Collection[str]) -> dict[str, UnitState]:
        """Return the states of these units, without details."""
        return await self.systemd.units(names)

    async def instances(self, deployments: Collection[Deployment]) -> Instances:
        """Return those that there are of templates, as far as no unit's file names them."""
        units = [unit for one in deployments for unit in one.units if is_template(unit.name)]
        if not units:
            return Instances()
        named = {name for unit in units for name in unit.runtime_names}
        replicas = {unit.name for unit in units if unit.has_replicas}
        found = await self.systemd.instances({unit.name for unit in units})
        failed: dict[str, FailedInstances] = {}
        for template in {unit.name for unit in units} - replicas:
            mine = [one for one in found if template_of(one) == template and one not in named]
            mine.sort(key=_by_number)
            self._followed[template] = frozenset(mine[-_MOST_FOLLOWED:])
            bad = [one for one in mine if found[one] == "failed"]
            if bad:
                failed[template] = FailedInstances(newest=bad[-1], count=len(bad))
            self._forget_instances(template, keep=bad[-1:])
        surplus = frozenset(one for one in found if template_of(one) in replicas)
        return Instances(replicas=surplus, failed=failed)

    def followed(self) -> frozenset[str]:
        """Return instances of which the end is to be told: names that no unit's file knows."""
        return frozenset().union(*self._followed.values())

    def _forget_instances(self, template: str, *, keep: Collection[str]) -> None:
        for name in self._told_of.get(template, frozenset()).difference(keep):
            self._restless.discard(name)
            self._endings.pop(name, None)
        self._told_of[template] = frozenset(keep)

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

    async def look_closer(
        self,
        curious: Collection[str],
        units: dict[str, UnitState],
        repairs: Mapping[str, RepairState],
    ) -> None:
        """Replace the states of these and of restless units by ones with details."""
        now = self.clock.now()
        settling = {name for name, one in repairs.items() if settles_at(one) > now} & units.keys()
        names = self._restless.union(curious, settling)
        known = [name for name in names if name in units and units[name].load != "not-found"]
        if known:
            units.update(await self.systemd.units(known, details=known))
        for name in known:
            state = units[name]
            is_down = state.sub.startswith("auto-restart") or state.active == "failed"
            # To systemd, what ends with status 0 has not failed.
            is_down |= name in curious and state.exit_status is not None and not state.job
            is_at_rest = state.is_up or (state.active == "inactive" and name not in curious)
            if is_down or state.restarts or not is_at_rest or name in settling:
                self._restless.add(name)
            else:
                self._restless.discard(name)
                self._endings.pop(name, None)
            # In a loop that goes on, less and less often.
            end = (state.active, state.restarts.bit_length(), state.failed_at)
            before = self._endings.get(name)
            if is_down and (before is None or before.end != end):
                ending = await self._ending(state)
                self._endings[name] = _Read(
                    end=end if ending.more != WITHHELD else _ASK_AGAIN,
                    ending=ending,
                    again_at=now + _LAG_SECONDS,
                )
            elif before is None and name in settling:
                ending = await self._ending(state, runs=True)
                self._endings[name] = _Read(end=_ASK_AGAIN, ending=ending)
            elif before and before.again_at and (now >= before.again_at - _TICK_SECONDS):
                ending = await self._ending(state, runs=not is_down)
                told = before.ending if ending.is_bare or not str(ending) else ending
                self._endings[name] = _Read(end=before.end, ending=told)

    async def _ending(self, state: UnitState, *, runs: bool = False) -> Ending:
        ending = await self.systemd.last_words(state.name, runs=runs)
        drop_ins = () if runs else state.drop_ins
        return await self.words.of_ending(ending, state.name, drop_ins=drop_ins)

    def endings(self, units: Collection[str]) -> dict[str, Ending]:
        """Return how those of these units ended that are down, or were lately."""
        known = self._endings.items()
        return {name: one.ending for name, one in known if str(one.ending) and name in units}

    def unsaid(self, units: Collection[str]) -> dict[str, float]:
        """Return those of these units of which nothing was there to read, and when to look again.

        Of others, more is read when their app is looked at anyway.
        """
        return {
            name: one.again_at
            for name, one in self._endings.items()
            if one.again_at and one.ending.is_bare and name in units
        }

    def forget(self, unit: str, *, is_repair: bool) -> None:
        """Begin anew with a unit that was started or stopped; why is known on if for a repair."""
        known = self._endings.pop(unit, None)
        if known and is_repair:
            self._endings[unit] = msgspec.structs.replace(known, end=_ASK_AGAIN)


def _by_number(instance: str) -> tuple[int, str]:
    """Order instances as they came: systemd counts the connections to a socket."""
    number = _NUMBER.match(instance_in(instance))
    return int(number[0]) if number else 0, instance
