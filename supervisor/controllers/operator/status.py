"""How everything stands, for whoever asks: the board, and what may be ahead of it.

Part of `controllers.operator.service`.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.last_known import LastKnown
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.registry_receiver import RegistryReceiver
from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.incidents import IncidentLog
from supervisor.controllers.operator.reload import of_settings
from supervisor.controllers.operator.unfitting import unfitting
from supervisor.controllers.ports import Systemd
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.certificate_news import (
    CertificateNews,
    NoNews,
    on_their_way,
    with_certificates,
)
from supervisor.controllers.state.disk import DiskWatch
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.webhooks.router import WebhookRouter
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate_status import CertificateStatus
from supervisor.model.errors import Failure, Finding
from supervisor.model.incident import IncidentCode
from supervisor.model.need import NeedKind
from supervisor.model.observed import UnitState
from supervisor.model.status import AppStatus, SourceStatus, Status

NO_SOURCE = Finding(
    message="the settings name no source, so there is nothing to deploy",
    hint="add [sources.NAME] with `git` or `folder`, and have it taken up",
    command="podvisor reload",
    code=IncidentCode.SETTINGS_DOUBTFUL,
    fatal=False,
)
_PATIENCE_SECONDS = 1.0
"""How long whoever asks waits for news of health, of secrets, and of units."""


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at what may have changed unnoticed, for no longer than a moment."""

    names: AppNames
    queue: WorkQueue
    board: StatusBoard
    last_known: LastKnown
    systemd: Systemd
    webhooks: WebhookRouter
    disk: DiskWatch

    async def at(self, app: str) -> Mapping[str, UnitState]:
        """Return the units as they are now; raises Stalled if there is no such app."""
        if app:
            self.names.check([app])
        await self._look_at_health()
        if self.disk.findings():
            with anyio.move_on_after(_PATIENCE_SECONDS):
                await self.queue.wait_for_pass([Kind.DISK])
        with anyio.move_on_after(_PATIENCE_SECONDS):
            await self.webhooks.look()
        apps = {**self.last_known.apps(), **self.board.apps}
        units = {unit.name for one in apps.values() for unit in one.units}
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


class StatusService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    glance: Glance
    queue: WorkQueue
    images: ImageController
    webhooks: WebhookController
    registry_webhooks: RegistryReceiver
    desired_state: DesiredState
    board: StatusBoard
    clock: Clock
    of_daemon: Callable[[], Status]
    """What does not stand on the board: which daemon it is, what it lacks, and cannot find out."""
    incidents: IncidentLog
    certificates: CertificateNews = msgspec.field(default_factory=NoNews)

    async def look(self, app: str = "") -> Status:
        """How everything (or one app) stands at this moment. Raises Stalled for an unknown app."""
        return self.status(app, await self.glance.at(app))

    def status(self, app: str = "", units: Mapping[str, UnitState] | None = None) -> Status:
        """How everything (or one app) stands.

        `units` may be ahead of what their apps' passes have seen.
        """
        board, bare = self.board, self.of_daemon()
        certificates = self.certificates.statuses()
        # What is wrong with a certificate stands beside its app.
        told = {
            Kind.CERTIFICATE.key(one.name)
            for one in certificates
            if one.is_ailing and one.app in board.apps
        }
        others = (problem for key, problem in board.problems.items() if key not in told)
        problems = (*bare.problems, *others)
        settings = self.desired_state.settings
        no_source = () if settings.sources else (NO_SOURCE,)
        doubtful = of_settings((*no_source, *unfitting(self.desired_state, settings)))
        # One cause that several keys fail of is one problem.
        problems = tuple(dict.fromkeys((*problems, *doubtful)))
        unseen = self.glance.last_known.apps()
        apps = (one for one in board.now(units, others=unseen) if not app or one.name == app)
        status = replace(
            bare,
            sources=tuple(self._source(board.sources[name]) for name in sorted(board.sources)),
            apps=tuple(self._app(one, certificates) for one in apps),
            starting=not board.has_looked,
            watches=tuple(board.watches.values()),
            webhooks=self.webhooks.status(),
            registry_webhooks=self.registry_webhooks.status(),
            problems=problems,
        )
        return self.incidents.within(status)

    def _source(self, one: SourceStatus) -> SourceStatus:
        return replace(
            one,
            findings=self.desired_state.source_findings.get(one.name, ()),
            webhook=self.webhooks.status_of(one.name),
            proposal=self.board.proposals.get(one.name),
            next_poll_at=self._next_at([Kind.SOURCE.key(one.name)]),
        )

    def _app(self, one: AppStatus, certificates: Iterable[CertificateStatus]) -> AppStatus:
        awaited = {need.subject for need in one.waiting if need.kind is NeedKind.CERTIFICATE}
        mine = [some for some in certificates if some.app == one.name and some.name not in awaited]
        if mine:
            ailing = tuple(some for some in mine if some.is_ailing)
            one = replace(one, certificates=ailing, waiting=(*one.waiting, *on_their_way(mine)))
        if not one.waiting:
            return one
        waiting = self.images.with_progress(with_certificates(one.waiting, self.certificates))
        keys = self.images.keys([one.name])
        return replace(one, waiting=tuple(waiting), next_pull_at=self._next_at(keys))

    def _next_at(self, keys: Iterable[str]) -> float:
        """When the first of these keys is due; 0 if none is."""
        dues = [due for key in keys if (due := self.queue.due_in(key)) is not None]
        return self.clock.now() + min(dues) if dues else 0.0
