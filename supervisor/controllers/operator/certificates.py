"""What people ask about certificates, and order of them. Part of `controllers.operator.service`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.event_log import Say
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.certificate_news import CertificateNews
from supervisor.kit.texts import relative
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate import CertificateRecord, Stage
from supervisor.model.certificate_status import CertificateList, RenewRequest, RevokeRequest
from supervisor.model.events import Event, EventKind
from supervisor.model.need import Need, NeedKind
from supervisor.model.rehearsal import RehearsalReport, RehearsalRequest

if TYPE_CHECKING:
    from supervisor.controllers.certificates.actions import CertificateActions

_PATIENCE_SECONDS = 180.0
"""How long an order is waited for until it is served; it goes on afterwards."""
_SOON_SECONDS = 5.0
"""What is looked at again so soon is waited for."""
_TOLD_SECONDS = 2.0
"""Between looks at what an order waits for."""


def nobody(_: object) -> None:
    """Hear nothing."""


class CertificateService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon. Orders end with what came of them, and return how it stands then."""

    news: CertificateNews
    actions: "Callable[[], CertificateActions]"
    """Loads what takes orders."""
    queue: WorkQueue
    ledger: Ledger

    async def list(self) -> CertificateList:
        """How all certificates stand."""
        return CertificateList(running=True, certificates=self.news.statuses())

    async def renew(self, request: RenewRequest, say: Say = nobody) -> CertificateList:
        """Have another one; says what it waits for. Raises Stalled if no app asks for it."""
        name = request.name
        before = self._record(name)
        self.actions().renew(name, at_once=request.now)
        self._log("renew", name)
        async with self._telling(name, say):
            is_at_rest = await self._bring_on(name)
        untried = self._untried(name, before) if is_at_rest else ""
        return replace(self._of(name), untried=untried)

    async def revoke(self, request: RevokeRequest, say: Say = nobody) -> CertificateList:
        """Have the current one declared void, and another one. Raises Retry or Stalled."""
        await self.actions().revoke(request.name)
        self._log("revoke", request.name)
        async with self._telling(request.name, say):
            await self._bring_on(request.name)
        return self._of(request.name)

    async def take_imported(self) -> CertificateList:
        """Have what was imported taken where a file asks for it. Raises Retry or Stalled.

        Returns how all certificates stand then.
        """
        if self.news.statuses():
            for name in await self.actions().take_imported():
                await self._bring_on(name)
        return await self.list()

    def _log(self, what: str, name: str) -> None:
        apps = {one.app for one in self._of(name).certificates}
        for app in sorted(apps):
            self.ledger.log(EventKind.ORDERED, app=app, subject=f"{what} {name}")

    async def rehearse(self, request: RehearsalRequest) -> RehearsalReport:
        """Try what an order would come to. Raises Retry or Stalled; see `Rehearsals`."""
        return await self.actions().rehearsals.rehearse(request)

    def is_told(self, event: Event, name: str) -> bool:
        """Whether who orders one hears of this: not of other certificates and apps meanwhile."""
        others = {one.name for one in self.news.statuses() if one.name != name}
        is_of_one = event.kind in {EventKind.CERTIFICATE, EventKind.RECOVERED}
        if is_of_one and event.subject in others:
            return False
        return event.app in self.actions().asked.concerned(name)

    async def _bring_on(self, name: str) -> bool:
        """Wait until it is served, or waits for something itself; those who use it, too.

        Returns whether that came to its end.
        """
        key, actions = Kind.CERTIFICATE.key(name), self.actions()
        rests = 0
        with anyio.move_on_after(_PATIENCE_SECONDS) as patience:
            # Between the end of its users' passes and its own next one, it may seem to rest.
            while rests < 2:  # noqa: PLR2004
                await self.queue.wait_for_pass([key])
                concerned = {key, *Kind.APP.keys(actions.asked.concerned(name))}
                await self.queue.wait_idle(concerned.__contains__, bursts=False)
                record = self.ledger.get(CertificateRecord, name)
                if record is None or _is_done(record):
                    break
                due = self.queue.due_in(key)
                rests += 1
                if due is not None and due <= _SOON_SECONDS:
                    await anyio.sleep(due)
                    rests = 0
        return not patience.cancelled_caught

    @asynccontextmanager
    async def _telling(self, name: str, say: Say) -> AsyncIterator[None]:
        """Say meanwhile what it waits for."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell, name, say)
            yield
            tasks.cancel_scope.cancel()

    async def _tell(self, name: str, say: Say) -> None:
        board, said = self.actions().asked.board, ""
        while True:
            await anyio.sleep(_TOLD_SECONDS)
            for one in self._of(name).certificates:
                why, app = one.waits_for or one.error, board.apps.get(one.app)
                if app and why not in ("", said):
                    said, text = why, f"certificate {name}"
                    kind = NeedKind.CERTIFICATE
                    need = Need(kind=kind, subject=name, text=text, detail=why)
                    say(replace(app, waiting=(need,), gate=""))

    def _record(self, name: str) -> CertificateRecord:
        return self.ledger.get(CertificateRecord, name) or CertificateRecord()

    def _untried(self, name: str, before: CertificateRecord) -> str:
        """Say why nothing came of an order, and when something will; empty if something did."""
        after = self._record(name)
        if not after.asked_at or _outcome(before) != _outcome(after):
            return ""
        now, failure = self.actions().memory.clock.now(), after.failure
        if failure and failure.retry_at > now:
            again = relative(failure.retry_at, now=now)
            return f"the last try failed; tried again {again}, at once with --now"
        why = next((one.waits_for or one.error for one in self._of(name).certificates), "")
        due = self.queue.due_in(Kind.CERTIFICATE.key(name))
        when = "" if due is None else f"looked at again {relative(now + due, now=now)}"
        return "; ".join(filter(None, (why, when))) or "it waits"

    def _of(self, name: str) -> CertificateList:
        mine = (one for one in self.news.statuses() if one.name == name)
        return CertificateList(running=True, certificates=tuple(mine))


def _is_done(record: CertificateRecord) -> bool:
    """Whether it is served, or was seen not to be, and nothing more is done for it."""
    is_looked_at = bool(record.unserved) or all(one.is_seen for one in record.servers)
    return record.stage is Stage.SERVED and not record.ready and is_looked_at


def _outcome(record: CertificateRecord) -> object:
    """Return what an order changes, whatever comes of it."""
    failure = record.failure
    return record.current, record.ready, failure and (failure.since, failure.count)
