"""Keep an eye on health at next to no cost. Key `health`, the slow look; memory for the passes.

A failing check leaves a trace in systemd, which one call finds for all containers, or, from Podman
6 on, in a small file of Podman's; Podman itself, whose answers are dear, is asked only about those
of an app whose pass runs, and about new ones.
"""

from collections.abc import Collection, Mapping

import msgspec

from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.ports import Podman, Systemd
from supervisor.core.health.played import with_removed
from supervisor.core.health.unit_health import is_restless, is_usual, noted
from supervisor.kit.clock import Clock
from supervisor.model.errors import Retry
from supervisor.model.health import Checked, CheckRun, Health, PlayedContainer
from supervisor.model.observed import UnitState
from supervisor.model.podman import PodmanEvent

LOOK_SECONDS = 150.0
"""How long a container may be unhealthy, at rest, before anybody knows.

Half the default poll of a Git source, so that every poll goes with a look.
"""
_HANGS_SECONDS = 10.0
"""A check that runs when it is looked at is about to end; if it still runs then, it hangs."""
_MOST_RESTARTED = 256
"""Labels come from anybody."""
_SOONEST_SECONDS = 2.0
"""Until Podman, which did not answer, is asked again; then twice as late each time."""


class HealthController(msgspec.Struct, kw_only=True):
    """Knows the health of the containers of managed units; one for the daemon."""

    systemd: Systemd
    podman: Podman
    words: LastWords
    clock: Clock
    began: float
    """When the daemon did, seconds since the epoch."""
    _checked: dict[str, Checked] = {}
    """By container id; those of strangers too, so that nobody asks for them again."""
    _running: dict[str, float] = {}
    """Containers whose check ran at the last look, and since when it did at each look."""
    _unanswered: set[str] = set()
    """Units of which Podman did not tell when it was asked last."""
    _silent_since: float = 0.0
    """Since when Podman does not answer; 0 if it does."""
    _played: dict[str, tuple[PlayedContainer, ...]] = {}
    """Unit to its containers as Podman told of them last, and those that are missed."""
    _restarted: dict[str, float] = {}
    """Unit to when its container was restarted last, of those that Podman told of last."""
    _usual: dict[str, tuple[PlayedContainer, ...]] = {}
    """As `_played`, of when the unit simply ran last: while it starts, Podman removes some."""

    async def read(self, units: Mapping[str, UnitState]) -> tuple[Checked, ...]:
        """Return the checked containers of these units, asking Podman for their health.

        Where Podman does not answer, what was known of them before stands.
        """
        runs = await self.systemd.health_checks()
        asked = []
        for one in runs.keys() | self._checked.keys():
            known = self._checked.get(one)
            # While Podman restarts a container in place, its check is gone from systemd.
            if known is None or known.container.unit in units:
                asked.append(one)
            elif one not in runs:
                del self._checked[one]
        if asked:
            await self._ask(asked, units)
        return tuple(one for one in self._checked.values() if one.container.unit in units)

    def event_seen(self, event: PodmanEvent) -> None:
        """Hear of every event; a restart is remembered, since its container may be gone then."""
        if event.action == "restart" and event.unit:
            self._restarted.pop(event.unit, None)
            self._restarted[event.unit] = self.clock.now()
            if len(self._restarted) > _MOST_RESTARTED:
                del self._restarted[next(iter(self._restarted))]

    def restarted(self, units: Collection[str]) -> dict[str, float]:
        """Return those of these units whose container was restarted, each with when it was."""
        return {name: at for name, at in self._restarted.items() if name in units}

    async def played(self, units: Mapping[str, UnitState]) -> tuple[PlayedContainer, ...]:
        """Return the containers of these `.kube` services, and those that somebody removed.

        Where Podman does not answer, what was known of them before stands.
        """
        if units:
            try:
                found = await self.podman.played(units)
            except Retry:
                self._note_answer(units, came=False)
            else:
                self._note_answer(units, came=True)
                self._keep_played(found, units)
        return tuple(one for name in units for one in self._played.get(name, ()))

    def _keep_played(
        self, found: Collection[PlayedContainer], units: Mapping[str, UnitState]
    ) -> None:
        for name, state in units.items():
            mine = tuple(one for one in found if one.unit == name)
            if is_usual(state):
                before = self._usual.get(name, ())
                mine = self._usual[name] = with_removed(mine, before, self.clock.now())
            self._played[name] = mine

    async def _ask(self, containers: Collection[str], units: Mapping[str, UnitState]) -> None:
        try:
            answers = await self.podman.health(containers)
        except Retry:
            self._note_answer(units, came=False)
            return
        self._note_answer(units, came=True)
        # Of others' units, which are asked for again before they are shown, no words are kept.
        told = {
            one: await self.words.told(seen.output, seen.unit) if seen.unit in units else ""
            for one, seen in answers.items()
        }
        now = self.clock.now()
        for gone in self._checked.keys() & set(containers) - answers.keys():
            del self._checked[gone]
        for one, answer in answers.items():
            seen = msgspec.structs.replace(answer, output=told[one])
            usual = is_usual(units.get(seen.unit))
            self._checked[one] = noted(
                self._checked.get(one), seen, usual=usual, now=now, began=self.began
            )

    def _note_answer(self, units: Collection[str], *, came: bool) -> None:
        """Remember whether Podman told what it was asked of these units: else it is asked again."""
        if came:
            self._unanswered.difference_update(units)
            if not self._unanswered:
                self._silent_since = 0.0
        else:
            self._unanswered.update(units)
            self._silent_since = self._silent_since or self.clock.now()

    def mark_suspect(self, units: Collection[str]) -> None:
        """Something happened to these units: whether their containers are well is to be seen."""
        for key, one in self._checked.items():
            if one.container.unit in units:
                self._checked[key] = noted(one, one.container, usual=False, now=self.clock.now())

    async def look(self) -> frozenset[str]:
        """Tell the units of which the health may not be what it was, without asking Podman."""
        runs = await self.systemd.health_checks(troubled=True)
        failed = set(await self.podman.failed_checks(tuple(self._checked)))
        failed.update(one for one, run in runs.items() if run is CheckRun.FAILED)
        now = self.clock.now()
        self._running = {
            one: self._running.get(one, now) for one, run in runs.items() if run is CheckRun.RUNNING
        }
        unanswered, self._unanswered = self._unanswered, set()
        hanging = {one for one, at in self._running.items() if now - at >= _HANGS_SECONDS}
        return frozenset(
            known.container.unit
            for one, known in self._checked.items()
            if (
                one in failed or one in hanging
                if known.container.health is Health.HEALTHY and not is_restless(known, now)
                else one not in failed
            )
        ).union(unanswered)

    def checked_units(self) -> frozenset[str]:
        """Units of which a container has a health check."""
        return frozenset(one.container.unit for one in self._checked.values())

    def second_look_in(self) -> float:
        """Seconds until what the last look left open is to be looked at; 0 if it left nothing.

        Whether a check that ran hangs, and what Podman did not tell: that later and later.
        """
        now = self.clock.now()
        waits = []
        if young := [at for at in self._running.values() if now - at < _HANGS_SECONDS]:
            waits.append(max(0.1, max(young) + _HANGS_SECONDS - now))
        if self._unanswered:
            waits.append(min(max(_SOONEST_SECONDS, now - self._silent_since), LOOK_SECONDS))
        return min(waits, default=0.0)
