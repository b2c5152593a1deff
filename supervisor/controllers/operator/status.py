"""How everything stands, for whoever asks: the board, and what may be ahead of it.

Part of `controllers.operator.service`.
"""

from collections.abc import Mapping
from contextlib import suppress

import anyio
import msgspec

from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Systemd
from supervisor.controllers.sources.webhook_auth import WebhookAuthenticator
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import UnitState
from supervisor.model.status import AppStatus, Status

NO_SOURCE = Finding(
    message="the settings name no source, so there is nothing to deploy",
    hint="add [sources.NAME] with `git` or `folder`, then: podvisor reload",
    fatal=False,
)
_PATIENCE_SECONDS = 1.0
"""How long whoever asks waits for news of health, of secrets, and of units."""


class StatusService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    queue: WorkQueue
    images: ImageController
    webhooks: WebhookAuthenticator
    desired_state: DesiredState
    systemd: Systemd
    board: StatusBoard
    clock: Clock

    def status(self, app: str = "", *, units: Mapping[str, UnitState] | None = None) -> Status:
        """How everything (or one app) stands; `units` are what `look` saw."""
        for name, one in self.board.sources.items():
            due = self.queue.due_in(Kind.SOURCE.key(name))
            at = self.clock.now() + due if due is not None else 0.0
            self.board.sources[name] = msgspec.structs.replace(one, next_poll_at=at)
        status = self.board.status(app, units=units)
        problems = status.problems
        if not self.desired_state.settings.sources:
            problems = (*problems, NO_SOURCE)
        apps = tuple(self._with_next_pull(one) for one in status.apps)
        return msgspec.structs.replace(status, apps=apps, problems=problems)

    def _with_next_pull(self, app: AppStatus) -> AppStatus:
        keys = self.images.keys([app.name])
        dues = [due for key in keys if (due := self.queue.due_in(key)) is not None]
        at = self.clock.now() + min(dues) if dues else 0.0
        return msgspec.structs.replace(app, next_pull_at=at)

    async def look(self) -> Mapping[str, UnitState]:
        """Look at what may have changed unnoticed, for no longer than a moment; returns the units.

        They may be ahead of what their apps' passes have seen.
        """
        await self._look_at_health()
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await self.webhooks.look()
        units = {unit.name for one in self.board.apps.values() for unit in one.units}
        with anyio.move_on_after(_PATIENCE_SECONDS), suppress(Failure):
            return await self.systemd.units(units)
        return {}

    async def _look_at_health(self) -> None:
        if self.queue.due_in(Kind.HEALTH) is None:
            return
        apps = Kind.APP.keys(self.board.apps)
        idle = frozenset(key for key in apps if not self.queue.is_busy(key.__eq__))
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await self.queue.wait_for_pass([Kind.HEALTH])
            await self.queue.wait_idle(idle.__contains__)
