"""What is known now of sources and apps: written by the controllers, read by the status page."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from supervisor.core.plan.step_text import BOOKKEEPING, as_need
from supervisor.core.status.app_status import as_it_is, under_way
from supervisor.kit.texts import count
from supervisor.model.app import Deployment
from supervisor.model.errors import Finding
from supervisor.model.observed import UnitState
from supervisor.model.plan import LeaveUnit, Plan, SetHealthInterval, Step
from supervisor.model.pull_request import ProposalStatus
from supervisor.model.status import AppState, AppStatus, SourceStatus, WatchStatus

_UNNOTICED = (*BOOKKEEPING, LeaveUnit, SetHealthInterval)
"""Steps that change nothing of how an app is."""


class StatusBoard(msgspec.Struct):
    """The daemon's present state, in memory only: every pass writes its part anew."""

    sources: dict[str, SourceStatus] = {}
    apps: dict[str, AppStatus] = {}
    """As they stood when their last pass ended."""
    watches: dict[str, WatchStatus] = {}
    problems: dict[str, Finding] = {}
    """Key to why its last pass failed."""
    proposals: dict[str, ProposalStatus] = {}
    """Source to what waits there for a person to merge it."""
    has_looked: bool = False
    """Whether the first pass is through."""
    _passes: dict[str, Deployment] = {}
    """Apps that a pass has work for."""
    _steps: list[Step] = []
    """What passes are doing."""

    def now(
        self,
        units: Mapping[str, UnitState] | None = None,
        *,
        others: Mapping[str, AppStatus] | None = None,
    ) -> list[AppStatus]:
        """How all apps stand, passes that are under way included.

        `units` are as they are at this moment: a pass may not have heard of that yet. `others` are
        apps that no pass has ended for.
        """
        apps = {**(others or {}), **self.apps}
        if units:
            apps = {name: as_it_is(one, units) for name, one in apps.items()}
        for name, one in self._passes.items():
            steps = [as_need(step) for step in self._steps if step.app in ("", name)]
            apps[name] = under_way(apps.get(name), one, steps)
        return [apps[name] for name in sorted(apps)]

    def begin(self, deployments: Sequence[Deployment], plan: Plan) -> None:
        """Say that a pass with this plan has begun; it shows for the apps that it has work for."""
        busy = {step.app for step in plan.steps if not isinstance(step, _UNNOTICED)}
        self._passes.update({one.name: one for one in deployments if one.name in busy})

    @contextmanager
    def doing(self, step: Step) -> Iterator[None]:
        """Say what a pass is doing."""
        self._steps.append(step)
        try:
            yield
        finally:
            self._steps.remove(step)

    def end(self, apps: Collection[str]) -> None:
        """Say that a pass has ended for these apps."""
        for name in apps:
            self._passes.pop(name, None)

    def summary(self) -> str:
        """One line for systemd's STATUS=."""
        states = [one.state for one in self.now()]
        if states:
            parts = [f"{states.count(state)} {state}" for state in AppState if state in states]
            return f"{count(len(states), 'app')}: {', '.join(parts)}"
        unread = [one.name for one in self.sources.values() if not one.read_at]
        return f"no apps: not read yet: {', '.join(sorted(unread))}" if unread else "no apps"
