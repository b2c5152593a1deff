"""Turn what the watches saw into keys. Nothing here decides anything: a key is only a name.

| watch | in | keys out |
| --- | --- | --- |
| units | state changes of managed units | `app:NAME` of the app that has the unit |
| owned | owned files touched by anyone | `app:NAME` |
| podman | what happens to Podman's objects | `app:NAME` of the apps that use that very one |
| folders | folder sources | `source:NAME` |
| host | suspends, networks that come up | none: what waits is tried at once |
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import anyio
from anyio.abc import TaskStatus

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Folder, FolderWatch, Host, Ledger, Podman, Systemd
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.status.affected_apps import apps_of
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.events import EventKind
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus

T = TypeVar("T")


class Watches:
    """Runs every watch, each in a task of its own."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        desired_state: DesiredState,
        systemd: Systemd,
        folder: Folder,
        podman: Podman,
        folders: FolderWatch,
        host: Host,
        on_resume: Callable[[], None],
        on_network: Callable[[], None],
        ledger: Ledger,
        board: StatusBoard,
    ) -> None:
        self._queue = queue
        self._desired_state = desired_state
        self._systemd = systemd
        self._folder = folder
        self._podman = podman
        self._folders = folders
        self._host = host
        self._on_host = {"resumed": on_resume, "network": on_network}
        self._ledger = ledger
        self._board = board

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled; `started` once every watch stands."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._watch, self._systemd.watch(), self._unit_changed)
            await tasks.start(self._watch, self._folder.watch(), self._app_touched)
            await tasks.start(self._watch, self._podman.watch(self._show), self._object_changed)
            await tasks.start(self._watch, self._folders.watch(), self._source_changed)
            await tasks.start(self._watch, self._host.watch(), self._host_changed)
            task_status.started()

    async def _watch(
        self,
        watch: AbstractAsyncContextManager[AsyncIterator[T]],
        hand_on: Callable[[T], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        async with watch as seen:
            task_status.started()
            async for one in seen:
                hand_on(one)

    def _unit_changed(self, unit: str) -> None:
        if not unit:
            self._queue.add_debounced(*Kind.APP.keys(self._desired_state.latest()))
            return
        self._queue.add_debounced(*Kind.APP.keys(self._desired_state.apps_of_unit(unit)))

    def _app_touched(self, app: str) -> None:
        self._queue.add_debounced(Kind.APP.key(app))

    def _object_changed(self, event: PodmanEvent) -> None:
        units = {name: one.units for name, one in self._desired_state.latest().items()}
        apps = apps_of(event, units, self._desired_state.secrets())
        self._queue.add_debounced(*Kind.APP.keys(apps))

    def _show(self, status: WatchStatus) -> None:
        """Put on the board how something is watched; a change of that is an event."""
        self._board.watches[status.what] = status
        known = self._ledger.get(WatchStatus, status.what)
        if known is None or (known.way, known.reason) != (status.way, status.reason):
            self._ledger.put(status, status.what)
            self._ledger.log(
                EventKind.WATCH,
                ok=not status.hint,
                subject=status.what,
                reason=f"{status.way}: {status.reason}",
                detail=status.hint,
            )

    def _source_changed(self, source: str) -> None:
        self._queue.add_debounced(Kind.SOURCE.key(source))

    def _host_changed(self, what: str) -> None:
        self._on_host[what]()
