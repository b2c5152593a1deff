"""What tells people, wired; loaded where the settings name a notifier."""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from supervisor.controllers.operator.incidents import IncidentLog
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.counters import NotifierCount
from supervisor.model.events import Event
from supervisor.model.incident import Incident
from supervisor.model.notify import NotifierList, NotifyTest, Outbox
from supervisor.model.settings import Settings
from supervisor.model.status import Status
from supervisor.wiring.ports import Ports

if TYPE_CHECKING:
    from supervisor.controllers.notify.controller import NotifyController


class Notifications(msgspec.Struct, kw_only=True):
    """Stands for the controller until the settings name a notifier."""

    settings: CurrentSettings
    incidents: IncidentLog
    controller: "Callable[[], NotifyController]"
    _is_made: bool = False
    _is_swept: bool = False

    def _made(self) -> "NotifyController | None":
        self._is_made = self._is_made or bool(self.settings.now.notify)
        return self.controller() if self._is_made else None

    def heard(self, event: Event) -> None:
        """Take note of an entry of the event log."""
        if it := self._made():
            it.heard(event)

    def incidents_changed(self, _: Sequence[Incident], __: Sequence[Incident]) -> None:
        """Take note that something was opened or is over."""
        if it := self._made():
            it.changed()

    def settings_changed(self, _: Settings) -> None:
        """Take note of other settings."""
        if it := self._made():
            it.changed()

    def follow(self, status: Callable[[], Status], *, after: Collection[str]) -> None:
        """Have incidents opened and closed after a pass over these keys, and told what is to be."""
        self.incidents.follow(status, after=after)
        if it := self._made():
            it.follow()
        elif not self._is_swept:
            # What was for notifiers that were taken out meanwhile is of no use to later ones.
            for name in self.incidents.ledger.all(Outbox):
                self.incidents.ledger.drop(Outbox, name)
        self._is_swept = True

    async def reconcile(self, name: str) -> None:
        """Send what is due; see `NotifyController`."""
        await self.controller().reconcile(name)

    async def test(self, name: str) -> NotifyTest:
        """Send a test message; see `NotifyController`."""
        return await self.controller().test(name)

    async def list(self) -> NotifierList:
        """How the notifiers stand."""
        it = self._made()
        return it.list() if it else NotifierList(notifiers=())

    def counts(self) -> dict[str, NotifierCount]:
        """What each has done, by name."""
        it = self._made()
        return it.counts() if it else {}


def notifications(
    ports: Ports, incidents: IncidentLog, *, queue: WorkQueue, settings: CurrentSettings
) -> Notifications:
    """Wire what tells people."""

    @cache
    def controller() -> "NotifyController":
        from supervisor.controllers.notify.controller import NotifyController  # noqa: PLC0415

        return NotifyController(
            messenger=ports.messenger,
            secrets=ports.secrets,
            ledger=ports.ledger,
            board=incidents.board,
            clock=ports.clock,
            queue=queue,
            settings=settings,
        )

    made = Notifications(settings=settings, incidents=incidents, controller=controller)
    incidents.subscribe(made.incidents_changed)
    settings.subscribe(made.settings_changed)
    ports.ledger.subscribe(made.heard)
    return made
