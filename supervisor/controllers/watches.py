"""Turn what the watches saw into keys. Nothing here decides anything: a key is only a name.

| watch | in | keys out |
| --- | --- | --- |
| units | state changes of managed units | `app:NAME` of the app that has the unit |
| owned | owned files touched by anyone | `app:NAME` |
| podman | what happens to Podman's objects | `app:NAME` of its users, `image-check:QUESTION` |
| | its secrets | `certificate:NAME` of what they hold |
| certificates | their installed files touched by anyone | `certificate:NAME` |
| folders | folder sources | `source:NAME` |
| host | suspends, networks that come up | none: what waits is tried at once |
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import anyio
import msgspec
from anyio.abc import TaskStatus

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import (
    CertificateFiles,
    Folder,
    FolderWatch,
    Host,
    Ledger,
    Podman,
    Systemd,
)
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.status.affected_apps import apps_of, certificates_of
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.events import EventKind
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus
from supervisor.model.unit_name import is_template, template_of

T = TypeVar("T")
_INSTANCE_SECONDS = 5.0
"""Between a sign of instances that come and go by themselves, and the look at their app: there may
be one for each connection to a socket."""


class Sightings(msgspec.Struct, frozen=True, kw_only=True):
    """Names keys for what was seen."""

    queue: WorkQueue
    desired_state: DesiredState
    ledger: Ledger
    board: StatusBoard
    event_seen: Sequence[Callable[[PodmanEvent], None]]
    """Hear of every event; whether it is about what they follow, they know themselves."""
    host_changed: Callable[[str], None]

    def unit_changed(self, unit: str) -> None:
        state = self.desired_state
        if unit and template_of(unit) != unit and not state.apps_of_unit(unit):
            unit = template_of(unit)  # of a connection, or started by hand
        keys = Kind.APP.keys(state.apps_of_unit(unit) if unit else state.latest())
        if not is_template(unit):
            self.queue.add_debounced(*keys)
            return
        for key in keys:
            self.queue.add_in(key, _INSTANCE_SECONDS)

    def app_touched(self, app: str) -> None:
        self.queue.add_debounced(Kind.APP.key(app))

    def certificate_touched(self, name: str) -> None:
        self.queue.add_debounced(Kind.CERTIFICATE.key(name))

    def object_changed(self, event: PodmanEvent) -> None:
        state = self.desired_state
        units = ((name, one.units) for name, one in state.latest().items())
        offered = state.secrets() if event.type == "secret" else {}
        apps = apps_of(event, units, offered)
        known = (app for one in state.latest().values() for app in one.apps)
        made = (certificate for app in known for certificate in app.certificates)
        held = certificates_of(event, made)
        self.queue.add_debounced(*Kind.APP.keys(apps), *Kind.CERTIFICATE.keys(held))
        for hear in self.event_seen:
            hear(event)

    def source_changed(self, source: str) -> None:
        self.queue.add_debounced(Kind.SOURCE.key(source))

    def watch_changed(self, status: WatchStatus) -> None:
        """Put on the board how something is watched; a change of that is an event."""
        self.board.watches[status.what] = status
        known = self.ledger.get(WatchStatus, status.what)
        if known is None or (known.way, known.reason) != (status.way, status.reason):
            self.ledger.put(status, status.what)
            self.ledger.log(
                EventKind.WATCH,
                ok=not status.hint,
                subject=status.what,
                reason=f"{status.way}: {status.reason}",
                detail=status.hint,
            )


class Watches(msgspec.Struct, frozen=True, kw_only=True):
    """Runs every watch, each in a task of its own."""

    seen: Sightings
    systemd: Systemd
    folder: Folder
    certificates: CertificateFiles
    podman: Podman
    folders: FolderWatch
    host: Host

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled; `started` once every watch stands."""
        seen = self.seen
        async with anyio.create_task_group() as tasks:
            await tasks.start(_watch, self.systemd.watch(), seen.unit_changed)
            await tasks.start(_watch, self.folder.watch(), seen.app_touched)
            await tasks.start(_watch, self.certificates.watch(), seen.certificate_touched)
            await tasks.start(_watch, self.podman.watch(seen.watch_changed), seen.object_changed)
            await tasks.start(_watch, self.folders.watch(), seen.source_changed)
            await tasks.start(_watch, self.host.watch(), seen.host_changed)
            task_status.started()


async def _watch(
    watch: AbstractAsyncContextManager[AsyncIterator[T]],
    hand_on: Callable[[T], None],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    async with watch as seen:
        task_status.started()
        async for one in seen:
            hand_on(one)
