"""What tells Git hosts how commits fare, and Git which versions run, wired.

The latter is loaded where a source asks for it.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.reconcilers import Reconciler, Registry
from supervisor.controllers.sources.commit_status import CommitStatusController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.incident import IncidentCode
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.sources.pull_requests import PullRequestController
    from supervisor.controllers.sources.writeback import WriteBackController


def commit_statuses(
    ports: Ports, *, board: StatusBoard, queue: WorkQueue, settings: CurrentSettings
) -> CommitStatusController:
    """Wire what tells how commits fare."""
    return CommitStatusController(
        git_host=ports.git_host,
        secrets=ports.secrets,
        ledger=ports.ledger,
        board=board,
        clock=ports.clock,
        queue=queue,
        settings=settings,
    )


class WriteBack(msgspec.Struct, frozen=True):
    """Stands for the controllers until somebody asks for what they do."""

    settings: CurrentSettings
    commits: "Callable[[], WriteBackController]"
    pull_requests: "Callable[[], PullRequestController]"

    def arm(self) -> None:
        """Have the sources looked at of which something changed."""
        if any(one.writeback for one in self.settings.now.sources.values()):
            self.commits().arm()

    def reconcilers(self, outward: Callable[..., Reconciler]) -> Registry:
        """Return the rows of the registry; `outward` makes one that reaches the outside."""
        return {
            Kind.WRITEBACK: outward(
                reconcile=self._commit, incident=IncidentCode.WRITEBACK_FAILING
            ),
            Kind.PULL_REQUEST: outward(
                reconcile=self._propose, incident=IncidentCode.PULL_REQUEST_FAILING
            ),
        }

    async def _commit(self, name: str) -> list[str]:
        return await self.commits().reconcile(name)

    async def _propose(self, name: str) -> None:
        await self.pull_requests().reconcile(name)


def write_back(
    ports: Ports,
    *,
    desired_state: DesiredState,
    board: StatusBoard,
    queue: WorkQueue,
    settings: CurrentSettings,
) -> WriteBack:
    """Wire what commits, and has it reviewed."""

    @cache
    def commits() -> "WriteBackController":
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

    @cache
    def pull_requests() -> "PullRequestController":
        from supervisor.controllers.sources.pull_requests import (  # noqa: PLC0415
            PullRequestController,
        )

        return PullRequestController(
            host=ports.pull_requests,
            secrets=ports.secrets,
            ledger=ports.ledger,
            board=board,
            queue=queue,
            settings=settings,
        )

    return WriteBack(settings, commits, pull_requests)
