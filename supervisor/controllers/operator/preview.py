"""What a pass would do now, and what it would change: the sources are read, and nothing is done.

Serves `controllers.operator.service`, and whoever asks where no daemon is to answer.
"""

from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec

from supervisor.controllers.apps.diff import Differ
from supervisor.controllers.apps.planner import AppPlanner
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.operator.status import NO_SOURCE
from supervisor.controllers.ports import SourceReader
from supervisor.core.files.names import unknown_app
from supervisor.core.files.redact import without_values
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.errors import Failure, Finding
from supervisor.model.plan import Plan

if TYPE_CHECKING:
    from supervisor.controllers.certificates.forecast import CertificateForecast


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """For one question: it has a desired state of its own, of which nothing is worked out yet."""

    desired_state: DesiredState
    planner: AppPlanner
    differ: Differ
    reader: SourceReader
    certificates: "Callable[[], CertificateForecast]"
    """Loads what knows of them."""

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        """Work out what would be done with these apps (all, if empty).

        With `prune_all`, those that left their source go, all of them too. Raises Stalled for an
        unknown app.
        """
        problems = await self._read()
        with self.desired_state.pruning(apps) if prune_all else nullcontext():
            names = await self._known(apps)
            plan = await self.planner.plan(names)
        if self.desired_state.certificates():
            plan = await self.certificates().add_to(plan, self.desired_state.latest(), apps=names)
        problems.extend(plan.problems)
        return msgspec.structs.replace(without_values(plan), problems=tuple(problems))

    async def diff(self, request: DiffRequest) -> Diff:
        """Show what is installed beside what the sources hold; raises as `plan` does."""
        problems = await self._read()
        names = await self._known(request.apps)
        apps = await self.differ.diff(names, units=request.units)
        return Diff(apps=apps, problems=tuple(problems))

    async def _read(self) -> list[Finding]:
        """Read the sources; one that cannot be read stands as it was stored."""
        sources = self.desired_state.settings.sources
        problems = [] if sources else [NO_SOURCE]
        for name, settings in sources.items():
            try:
                snapshot = await self.reader.fetch(name, settings)
            except Failure as failure:
                problems.append(Finding.of(failure, about=f"source {name}", source=name))
                stored = await self.reader.stored(name)
                if stored is None:
                    continue
                snapshot = stored
            self.desired_state.put(snapshot)
        return problems

    async def _known(self, apps: Collection[str]) -> Collection[str]:
        """Return these apps (all, if empty). Raises Stalled if one is not there."""
        everything = await self.desired_state.deployments()
        for name in apps:
            if name not in everything:
                raise unknown_app(name, everything)
        return apps or tuple(everything)
