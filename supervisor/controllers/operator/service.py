"""What people ask of the daemon: its status, a plan, a sync, orders for apps, the event log.

Served to the outside by `api.control`; each question has one who answers it, named apart.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.operator.certificates import CertificateService
from supervisor.controllers.operator.event_log import EventLog, Say, Tell
from supervisor.controllers.operator.preview import Preview
from supervisor.controllers.operator.reload import SettingsReloader
from supervisor.controllers.operator.secrets import SecretService
from supervisor.controllers.operator.status import StatusService
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.operator.volumes import VolumeOrders
from supervisor.controllers.sources.webhook_tester import WebhookTester
from supervisor.model.certificate_status import CertificateList, RenewRequest, RevokeRequest
from supervisor.model.comparison import CompareQuery, Comparison
from supervisor.model.counters import Counters, Metrics, NotifierCount
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.events import Event, EventKind, EventQuery
from supervisor.model.image_status import (
    ImageList,
    ImageReply,
    ImageStatus,
    PinRequest,
    SignatureList,
    UpdateRequest,
)
from supervisor.model.log import LogQuery, UnitLog
from supervisor.model.machine import Machine
from supervisor.model.notify import NotifierList, NotifyTest
from supervisor.model.plan import Plan
from supervisor.model.rehearsal import RehearsalReport, RehearsalRequest
from supervisor.model.secret import SecretList
from supervisor.model.status import (
    AppStatus,
    History,
    OrderRequest,
    Reloaded,
    ScaleRequest,
    Status,
    SyncReply,
    SyncRequest,
)
from supervisor.model.webhook import WebhookTest
from supervisor.model.why import Why

if TYPE_CHECKING:
    from supervisor.controllers.operator.close_look import CloseLook
    from supervisor.controllers.operator.images import ImageService


class Notifications(Protocol):
    """Who answers for the notifiers."""

    async def list(self) -> NotifierList:
        """How each stands."""

    def counts(self) -> dict[str, NotifierCount]:
        """What each has done, by name."""

    async def test(self, name: str) -> NotifyTest:
        """Send a test message by one, or by all if none is named. Raises Stalled."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes which orders."""

    apps: AppActions
    volumes: VolumeOrders
    images: "Callable[[], ImageService]"
    """Loads it with the first question."""


class ControlService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    statuses: StatusService
    counters: Callable[[], Counters]
    """All counts as they are now."""
    syncs: SyncService
    orders: Orders
    secret_service: SecretService
    certificate_service: CertificateService
    event_log: EventLog
    notifications: Notifications
    close_look: "Callable[[], CloseLook]"
    """Loads it with the first question, and makes one for each."""
    preview: Callable[[], Preview]
    """Makes one for each question."""
    settings: SettingsReloader
    webhook_tester: WebhookTester

    def status(self, app: str = "") -> Status:
        """How everything (or one app) stands; see `StatusService`."""
        return self.statuses.status(app)

    async def look(self, app: str = "") -> Status:
        """How it stands, after a look at what may have changed unnoticed; see `StatusService`."""
        return await self.statuses.look(app)

    async def metrics(self) -> Metrics:
        """All that metrics are made of, as it is known: nothing is looked at, nothing loaded."""
        certificates = (await self.certificate_service.list()).certificates
        notifiers = self.notifications.counts()
        counters = msgspec.structs.replace(self.counters(), notifiers=notifiers)
        return Metrics(status=self.status(), certificates=certificates, counters=counters)

    def page_may_order(self) -> bool:
        """Whether the settings let the page take orders."""
        return self.settings.file.in_force.now.web.actions

    async def reload(self) -> Reloaded:
        """Read the settings anew."""
        return await self.settings.reload()

    async def test_webhook(self, target: str) -> WebhookTest:
        """Send a source's or registry's kind of webhook to the listener. Raises Retry, Stalled."""
        return await self.webhook_tester.test(target)

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        """Read the sources, and work out what the daemon would do now; nothing is done.

        Raises Stalled for an app that is not there.
        """
        plan = await self.preview().plan(apps, prune_all=prune_all)
        problems = (*self.settings.file.findings(), *plan.problems)
        return msgspec.structs.replace(plan, problems=problems)

    async def diff(self, request: DiffRequest) -> Diff:
        """Read the sources, and show what is installed beside what they hold; nothing is done.

        Raises Stalled for an app that is not there.
        """
        return await self.preview().diff(request)

    async def sync(self, request: SyncRequest, tell: Tell) -> SyncReply:
        """Read the sources now and bring the apps to what they say, through their gates.

        Raises Stalled for an app that is not there.
        """
        tell = self.syncs.telling_of(request.apps, tell)
        await self.event_log.tell_of(partial(self.syncs.sync, request), tell)
        return self._reply(request.apps)

    async def suspend(self, order: OrderRequest) -> Status:
        """Have apps left alone; see `AppActions`."""
        await self.orders.apps.suspend(order)
        return self.status()

    async def resume(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Have apps go on, and bring them to what their sources say; as `sync` else."""

        async def work(say: Say) -> None:
            known = await self.orders.apps.resume(order)
            await self.syncs.bring_on(order.apps, say, known=known)

        await self.event_log.tell_of(work, self.syncs.telling_of(order.apps, tell))
        return self._reply(order.apps)

    async def rollback(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Bring an app back to an older revision and hold it there; as `sync` else.

        Raises Stalled if there is none such.
        """

        async def work(say: Say) -> None:
            await self.orders.apps.roll_back(order)
            await self.syncs.settle(order.apps, say)

        await self.event_log.tell_of(work, self.syncs.telling_of(order.apps, tell))
        return self._reply(order.apps)

    async def restore(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Bring an app back to an older release, with what its volumes held; as `sync` else.

        Raises Stalled if that was not exported.
        """

        async def work(say: Say) -> None:
            await self.orders.volumes.restore(order)
            await self.syncs.bring_on(order.apps, say)

        await self.event_log.tell_of(work, self.syncs.telling_of(order.apps, tell))
        return self._reply(order.apps)

    def _reply(self, apps: Collection[str]) -> SyncReply:
        status = self.status()
        return SyncReply(
            apps=tuple(one for one in status.apps if not apps or one.name in apps),
            sources=status.sources,
            problems=status.problems,
        )

    async def history(self, app: str) -> History:
        """Revisions of an app that were tried here. Raises Stalled for an unknown app."""
        return self.orders.apps.history(app)

    async def compare(self, query: CompareQuery) -> Comparison:
        """What two releases of an app differ in. Raises Stalled for one that is not there."""
        return await self.close_look().comparer.compare(query)

    async def machine(self, app: str) -> Machine:
        """What podvisor and its apps take of the machine. Raises Stalled for an unknown app."""
        return await self.close_look().machine.look(app)

    async def logs(self, query: LogQuery) -> UnitLog:
        """What a unit's programs wrote last. Raises Stalled for one that is of no app."""
        return await self.close_look().logs.look(query)

    async def why(self, name: str) -> Why:
        """Why an app or a unit is as it is. Raises Stalled if there is none such."""
        from supervisor.controllers.operator.why import explain  # noqa: PLC0415  # seldom asked

        return await explain(name, statuses=self.statuses, log=self.event_log)

    async def images(self, app: str) -> ImageList:
        """How the images of all apps, or of one, stand. Raises Stalled for an unknown app."""
        return await self.orders.images().list(app)

    async def signatures(self) -> SignatureList:
        """Which images of apps somebody has to have signed."""
        return await self.orders.images().signatures()

    async def update(self, request: UpdateRequest, tell: Tell) -> ImageReply:
        """Ask for newer versions of images now, and run them; see `ImageService`."""
        return await self._order(partial(self.orders.images().update, request), tell)

    async def pin(self, request: PinRequest, tell: Tell) -> ImageReply:
        """Have images of an app stay at a version; see `ImageService`."""
        return await self._order(partial(self.orders.images().pin, request), tell)

    async def unpin(self, request: PinRequest, tell: Tell) -> ImageReply:
        """Have images of an app follow newer versions again; see `ImageService`."""
        return await self._order(partial(self.orders.images().unpin, request), tell)

    async def _order(
        self, order: Callable[[Say], Awaitable[tuple[ImageStatus, ...]]], tell: Tell
    ) -> ImageReply:
        """Carry out an order for images, and tell how they and their apps stand then."""
        images: tuple[ImageStatus, ...] = ()

        async def work(say: Say) -> None:
            nonlocal images
            images = await order(say)

        await self.event_log.tell_of(work, tell)
        apps = {one.app for one in images}
        standing = tuple(one for one in self.status().apps if one.name in apps)
        return ImageReply(apps=standing, images=images)

    async def retry(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Try once more what failed in an app; as `sync` else. Raises Stalled if nothing did."""

        async def work(say: Say) -> None:
            await self.orders.apps.retry(order)
            await self.syncs.pull_and_bring_on(order.apps, say)

        await self.event_log.tell_of(work, self.syncs.telling_of(order.apps, tell))
        return self._reply(order.apps)

    async def scale(self, request: ScaleRequest, tell: Tell) -> SyncReply:
        """Have so many replicas of a unit; as `sync` else. Raises Stalled if it has none."""

        async def work(say: Say) -> None:
            await self.orders.apps.scale(request)
            await self.syncs.bring_on([request.app], say)

        await self.event_log.tell_of(work, self.syncs.telling_of([request.app], tell))
        return self._reply([request.app])

    async def secrets(self) -> SecretList:
        """How all secrets stand; see `SecretService`."""
        return await self.secret_service.list()

    async def rotate(self, name: str) -> SyncReply:
        """Give a generated secret another value; see `SecretService`."""
        reply = await self.secret_service.rotate(name)
        self.event_log.ledger.log(EventKind.ORDERED, subject=f"rotate {name}")
        return reply

    async def test_certificate(self, request: RehearsalRequest) -> RehearsalReport:
        """Try what an order would come to, without any effect; see `CertificateService`."""
        return await self.certificate_service.rehearse(request)

    async def certificates(self) -> CertificateList:
        """How all certificates stand; see `CertificateService`."""
        return await self.certificate_service.list()

    async def renew(self, request: RenewRequest, tell: Tell) -> CertificateList:
        """Have another one issued; see `CertificateService`."""
        order = partial(self.certificate_service.renew, request)
        return await self._order_certificate(order, request.name, tell)

    async def revoke(self, request: RevokeRequest, tell: Tell) -> CertificateList:
        """Have a certificate declared void, and another one issued; see `CertificateService`."""
        order = partial(self.certificate_service.revoke, request)
        return await self._order_certificate(order, request.name, tell)

    async def take_imported(self, tell: Tell) -> CertificateList:
        """Have certificates taken that were imported; see `CertificateService`."""
        service = self.certificate_service
        return await self._told_certificates(lambda _: service.take_imported(), tell)

    async def _order_certificate(
        self, order: Callable[[Say], Awaitable[CertificateList]], name: str, tell: Tell
    ) -> CertificateList:
        async def tell_of_it(one: Event | AppStatus) -> None:
            if not isinstance(one, Event) or self.certificate_service.is_told(one, name):
                await tell(one)

        return await self._told_certificates(order, tell_of_it)

    async def _told_certificates(
        self, order: Callable[[Say], Awaitable[CertificateList]], tell: Tell
    ) -> CertificateList:
        reply = CertificateList(running=True, certificates=())

        async def work(say: Say) -> None:
            nonlocal reply
            reply = await order(say)

        await self.event_log.tell_of(work, tell)
        return reply

    async def notifiers(self) -> NotifierList:
        """How notifiers stand."""
        return await self.notifications.list()

    async def test_notifier(self, name: str) -> NotifyTest:
        """Send a test message by one notifier, or by all. Raises Stalled if there is none."""
        return await self.notifications.test(name)

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        """Entries of the log; see `EventLog`."""
        return self.event_log.events(query)
