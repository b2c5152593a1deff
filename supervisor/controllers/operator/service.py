"""What people ask of the daemon: its status, a plan, a sync, orders for apps, the event log.

Served to the outside by `api.control`; each question has one who answers it, named apart.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from functools import partial

import msgspec

from supervisor.controllers.operator.actions import AppActions
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.event_log import EventLog, Say, Tell
from supervisor.controllers.operator.preview import Preview
from supervisor.controllers.operator.reload import SettingsReloader
from supervisor.controllers.operator.secrets import SecretService
from supervisor.controllers.operator.status import StatusService
from supervisor.controllers.operator.sync import SyncService
from supervisor.controllers.sources.webhook_tester import WebhookTester
from supervisor.model.diff import Diff, DiffRequest
from supervisor.model.events import Event, EventQuery
from supervisor.model.observed import UnitState
from supervisor.model.plan import Plan
from supervisor.model.secret import SecretList
from supervisor.model.status import History, OrderRequest, Reloaded, Status, SyncReply, SyncRequest
from supervisor.model.webhook import WebhookTest


class ControlService:
    """One for the daemon."""

    def __init__(
        self,
        *,
        statuses: StatusService,
        syncs: SyncService,
        actions: AppActions,
        secrets: SecretService,
        event_log: EventLog,
        names: AppNames,
        preview: Callable[[], Preview],
        settings: SettingsReloader,
        webhook_tester: WebhookTester,
    ) -> None:
        """Keep whom to ask; `preview` makes one for each question."""
        self._statuses = statuses
        self._syncs = syncs
        self._actions = actions
        self._secrets = secrets
        self._event_log = event_log
        self._names = names
        self._preview = preview
        self._settings = settings
        self._webhook_tester = webhook_tester

    def status(self, app: str = "", *, units: Mapping[str, UnitState] | None = None) -> Status:
        """How everything (or one app) stands; see `StatusService`."""
        return self._statuses.status(app, units=units)

    async def look(self) -> Mapping[str, UnitState]:
        """Look at what may have changed unnoticed; see `StatusService`."""
        return await self._statuses.look()

    async def reload(self) -> Reloaded:
        """Read the settings anew."""
        return await self._settings.reload()

    async def test_webhook(self, source: str) -> WebhookTest:
        """Send a webhook of the source's kind to the listener. Raises Retry or Stalled."""
        return await self._webhook_tester.test(source)

    async def plan(self, apps: Collection[str], *, prune_all: bool = False) -> Plan:
        """Read the sources, and work out what the daemon would do now; nothing is done.

        Raises Stalled for an app that is not there.
        """
        plan = await self._preview().plan(apps, prune_all=prune_all)
        problems = (*self._settings.findings(), *plan.problems)
        return msgspec.structs.replace(plan, problems=problems)

    async def diff(self, request: DiffRequest) -> Diff:
        """Read the sources, and show what is installed beside what they hold; nothing is done.

        Raises Stalled for an app that is not there.
        """
        return await self._preview().diff(request)

    async def sync(self, request: SyncRequest, tell: Tell) -> SyncReply:
        """Read the sources now and bring the apps to what they say, through their gates.

        Raises Stalled for an app that is not there.
        """
        await self._event_log.tell_of(partial(self._syncs.sync, request), tell)
        return self._reply(request.apps)

    async def suspend(self, order: OrderRequest) -> None:
        """Have apps left alone; see `AppActions`."""
        self._names.check(order.apps)
        await self._actions.suspend(order)

    async def resume(self, order: OrderRequest) -> None:
        """Have apps go on; see `AppActions`."""
        self._names.check(order.apps)
        await self._actions.resume(order)

    async def rollback(self, order: OrderRequest, tell: Tell) -> SyncReply:
        """Bring an app back to an older revision and hold it there; as `sync` else.

        Raises Stalled if there is none such.
        """

        async def work(say: Say) -> None:
            self._names.check(order.apps)
            await self._actions.roll_back(order.apps[0], order.revision, reason=order.reason)
            await self._syncs.settle(order.apps, say)

        await self._event_log.tell_of(work, tell)
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
        self._names.check([app])
        return self._actions.history(app)

    async def secrets(self) -> SecretList:
        """How all secrets stand; see `SecretService`."""
        return await self._secrets.list()

    async def rotate(self, name: str) -> SyncReply:
        """Give a generated secret another value; see `SecretService`."""
        return await self._secrets.rotate(name)

    async def check_names(self, apps: Collection[str]) -> None:
        """Raise Stalled if one of these apps is not known."""
        self._names.check(apps)

    def check_logged(self, app: str) -> None:
        """Raise Stalled if an app is not known, and was not while the event log goes back."""
        self._names.check_logged(app)

    def events(self, query: EventQuery) -> AsyncGenerator[Event]:
        """Entries of the log, and those to come if it says so."""
        return self._event_log.events(query)
