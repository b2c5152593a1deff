"""What commits the tags that policies chose, wired; loaded where a source asks for it."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.kit.workqueue import WorkQueue
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.sources.writeback import WriteBackController


class WriteBack(msgspec.Struct, frozen=True):
    """Stands for the controller until somebody asks for what it does."""

    settings: CurrentSettings
    controller: "Callable[[], WriteBackController]"

    def arm(self) -> None:
        """Have the sources looked at of which something changed."""
        if any(one.writeback for one in self.settings.now.sources.values()):
            self.controller().arm()

    async def reconcile(self, name: str) -> list[str]:
        """Bring a source to what runs; as of the controller."""
        return await self.controller().reconcile(name)


def write_back(
    ports: Ports, *, desired_state: DesiredState, queue: WorkQueue, settings: CurrentSettings
) -> WriteBack:
    """Wire it over the ports."""

    @cache
    def controller() -> "WriteBackController":
        from supervisor.controllers.sources.writeback import (  # noqa: PLC0415
            WriteBackController,
        )

        return WriteBackController(
            desired_state=desired_state,
            reader=ports.reader,
            writer=ports.writer,
            registry=ports.registry,
            ledger=ports.ledger,
            clock=ports.clock,
            queue=queue,
            settings=settings,
        )

    return WriteBack(settings, controller)
