"""Have the sources read and the apps follow, and tell whoever asked what comes of it until it ends.

Part of `controllers.operator.service`.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, nullcontext, suppress

import anyio
import msgspec

from supervisor.controllers.apps.dependents import AppDependencies
from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind, parse
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.operator.event_log import Say, Tell
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.certificate_news import (
    CertificateNews,
    NoNews,
    with_certificates,
)
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.desired.dependencies import depends_on
from supervisor.core.health.crash_backoff import at_once
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate_status import CertificateState
from supervisor.model.errors import Failure
from supervisor.model.events import Event, EventKind
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import JobRun
from supervisor.model.status import AppState, AppStatus, SyncRequest
from supervisor.model.volumes import AppVolumes

_PATIENCE_SECONDS = 1.0
"""How seldom the board is looked at for whoever waits for a gate."""

_MEND_SECONDS = 10.0
"""How long certificates that are installed are waited for."""

_PULL_SECONDS = 2.0
"""How often whoever waits hears how far a pull is."""


class SyncService(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the queue for passes, and waits until these and all that comes of them have ended."""

    queue: WorkQueue
    dependencies: AppDependencies
    images: ImageController
    desired_state: DesiredState
    names: AppNames
    ledger: Ledger
    board: StatusBoard
    clock: Clock
    certificates: CertificateNews = msgspec.field(default_factory=NoNews)

    async def sync(self, request: SyncRequest, say: Say) -> None:
        """Read the sources, and bring the apps to what they say, through their gates.

        Raises Stalled for an app that is not there.
        """
        for name in request.apps:
            run = self.ledger.get(JobRun, name)
            if run and run.failed:
                self.ledger.put(msgspec.structs.replace(run, failed="", why=""), name)
        for name, volumes in self.ledger.all(AppVolumes).items():
            if volumes.failure and (not request.apps or name in request.apps):
                self.ledger.put(msgspec.structs.replace(volumes, failure=None), name)
        sources = tuple(self.desired_state.settings.sources)
        # Before what comes of it; of an app that is not there nothing is written.
        is_known = all(map(self.names.is_known, request.apps))
        if is_known:
            self._note_order(request)
        await self.queue.wait_for_pass(Kind.SOURCE.keys(sources))
        pruning = self.desired_state.pruning(request.apps) if request.prune_all else nullcontext()
        with pruning:
            mark = self.queue.generation()
            known: Collection[str] = ()
            with suppress(Failure):  # the loop's own pass meets the same one, and shows it
                known = await self.desired_state.deployments()
            self.names.check(request.apps)
            if not is_known:
                self._note_order(request)
            asked = self.desired_state.certificates()
            mine = [name for name, app in asked.items() if not request.apps or app in request.apps]
            await self._mend_certificates(mine, since=mark)
            # A person who asks does not want to wait for backoffs.
            applied = filter(None, map(self.ledger.applied_app, request.apps))
            units = {unit for one in applied for unit in one.units}
            self.ledger.put_repairs(
                at_once(state, self.clock.now())
                for name, state in self.ledger.repairs().items()
                if not request.apps or name.partition("/")[0] in units
            )
            await self.pull_and_bring_on(request.apps, say, known=known, since=mark)

    def telling_of(self, apps: Collection[str], tell: Tell) -> Tell:
        """Make one that hears of these apps (all, if empty), and of what they depend on, only.

        And of what is of no app, but for sources that hold none of them.
        """
        if not apps:
            return tell
        seen: object = None
        mine: frozenset[str] = frozenset()

        async def tell_of_them(one: Event | AppStatus) -> None:
            nonlocal seen, mine
            everything = self.desired_state.latest()
            if everything is not seen:
                seen, mine = everything, depends_on(apps, everything)
            if isinstance(one, Event) and one.app:
                waiting = (self.board.apps[name].waiting for name in mine & self.board.apps.keys())
                is_theirs = one.app in mine or any(
                    need.app == one.app for needs in waiting for need in needs
                )
            elif isinstance(one, Event) and one.source:
                sources = self._sources(mine)
                is_theirs = not sources or one.source in sources
            else:
                is_theirs = True
            if is_theirs:
                await tell(one)

        return tell_of_them

    def _note_order(self, request: SyncRequest) -> None:
        for app in request.apps or ("",):
            self.ledger.log(EventKind.ORDERED, app=app, subject="sync")

    async def _mend_certificates(self, names: Collection[str], *, since: int) -> None:
        """Have these looked at: something may be damaged that nothing tells of, or be writable now.

        What is installed is waited for, until it is as it should be; orders take their time.
        """
        self.queue.add(*Kind.CERTIFICATE.keys(sorted(names)))
        installed = [
            one.name
            for one in self.certificates.statuses()
            if one.name in names and one.serial and one.state is not CertificateState.ORDERED
        ]
        with anyio.move_on_after(_MEND_SECONDS):
            await self.queue.wait_for_pass(Kind.CERTIFICATE.keys(installed), since=since)

    async def pull_and_bring_on(
        self,
        apps: Collection[str],
        say: Say,
        *,
        known: Collection[str] = (),
        since: int | None = None,
    ) -> None:
        """As `bring_on`; images that could not be had are pulled now, whenever they were due."""
        self.queue.add(*self.images.keys(apps))
        await self.bring_on(apps, say, known=known, since=since)

    async def bring_on(
        self,
        apps: Collection[str],
        say: Say,
        *,
        known: Collection[str] = (),
        since: int | None = None,
    ) -> None:
        """Bring apps to what is wanted of them, and wait for their images, certificates and gates.

        No `apps` mean all, which `known` are then. Their passes begin after `since` (now, if it is
        not given).
        """

        def awaited(key: str) -> bool:
            """Whether a pass for this key brings on what is asked for."""
            kind, name = parse(key)
            unknown = self.desired_state.images.unknown(apps)
            return (
                key in self.images.keys(apps)
                or key in self._certificates(apps)
                or key in Kind.IMAGE_CHECK.keys(unknown)
                or key in self.dependencies.unfinished(apps)
                or (kind is Kind.WRITEBACK and name in self._sources(apps or known))
            )

        keys = Kind.APP.keys(apps or known)
        async with self._telling_of_pulls(apps, say):
            await self.queue.wait_for_pass(keys, since=since)
            while True:
                while self.queue.is_busy(awaited, bursts=False):
                    await self.queue.wait_idle(awaited, bursts=False)
                    await self.queue.wait_for_pass(keys)
                await self.settle(apps, say)
                # A pass that came meanwhile may have asked for an image, or for a certificate.
                if not self.queue.is_busy(awaited, bursts=False):
                    return

    def _certificates(self, apps: Collection[str]) -> set[str]:
        """Return the keys of the certificates that these apps (all, if empty) wait for."""
        waiting = (one.waiting for name, one in self.board.apps.items() if not apps or name in apps)
        needs = (need for some in waiting for need in some)
        return {Kind.CERTIFICATE.key(n.subject) for n in needs if n.kind is NeedKind.CERTIFICATE}

    def _sources(self, apps: Collection[str]) -> set[str]:
        """Return the sources of these apps. What a person took back there pins their images."""
        return {one.source for name in apps if (one := self.desired_state.newest(name))}

    @asynccontextmanager
    async def _telling_of_pulls(self, apps: Collection[str], say: Say) -> AsyncIterator[None]:
        """Say meanwhile how far images and certificates are that these apps (or all) wait for."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_of_pulls, apps, say)
            yield
            tasks.cancel_scope.cancel()

    async def _tell_of_pulls(self, apps: Collection[str], say: Say) -> None:
        said: dict[str, tuple[Need, ...]] = {}
        while True:
            await anyio.sleep(_PULL_SECONDS)
            for name, one in self.board.apps.items():
                told = with_certificates(one.waiting, self.certificates)
                waiting = tuple(self.images.with_progress(told))
                # How a certificate is had is on the board already, if a pass ended meanwhile.
                is_had = any(need.kind is NeedKind.CERTIFICATE for need in waiting)
                is_news = waiting != said.get(name) and (is_had or waiting != one.waiting)
                if (not apps or name in apps) and is_news:
                    said[name] = waiting
                    say(msgspec.structs.replace(one, waiting=waiting))

    async def settle(self, apps: Collection[str], say: Say) -> None:
        """Wait until no gate of these apps (all, if empty), and of those before them, is open.

        And until each unit that is restarted in its turn was, with each for as long as a gate
        takes, and systemd has started what it starts of them by itself, for as long as a start may
        take.
        """
        said: dict[str, str] = {}
        settings = self.desired_state.settings
        turns = _Turns(seconds=float(settings.rollout.gate_timeout))
        until = self.clock.now() + float(settings.repair.start_timeout)
        while True:
            keys = set(Kind.APP.keys(apps or self.board.apps))
            keys |= self.dependencies.unfinished(apps)
            await self.queue.wait_idle(keys.__contains__, bursts=False)
            by_key = {Kind.APP.key(name): one for name, one in self.board.apps.items()}
            asked = {key: one for key, one in by_key.items() if key in keys}
            now = self.clock.now()
            waiting = {
                key: one
                for key, one in asked.items()
                if (one.gate and one.state is AppState.CHANGING) or turns.comes(one, now)
            }
            moves = any(one.is_moving for one in asked.values() if one.state is AppState.CHANGING)
            for key, one in waiting.items():
                words = one.gate or "; ".join(map(str, one.waiting))
                if said.get(key) != words:
                    said[key] = words
                    say(one)
            dues = [due for key in waiting if (due := self.queue.due_in(key)) is not None]
            if not waiting and moves and now < until:
                await anyio.sleep(_PATIENCE_SECONDS)  # its end is told, and brings a pass
                continue
            if not waiting or not (dues or self.queue.is_busy(keys.__contains__)):
                return  # what is left may come at any time, or never
            # The pass at which a gate looks again is armed already; others may come before it.
            seconds = min(dues, default=_PATIENCE_SECONDS)
            await anyio.sleep(min(seconds, _PATIENCE_SECONDS))
            if seconds <= _PATIENCE_SECONDS:
                await self.queue.wait_for_pass(waiting)


class _Turns(msgspec.Struct):
    """For how long somebody waits for units that are restarted in their turn."""

    seconds: float
    """For each."""
    _until: dict[str, tuple[tuple[str, ...], float]] = {}
    """By app: those that are left, and until when the next of them is waited for."""

    def comes(self, app: AppStatus, now: float) -> bool:
        """Whether the turn of another unit of an app is waited for."""
        left, until = self._until.get(app.name, ((), 0.0))
        if left != app.rolling:
            left, until = self._until[app.name] = app.rolling, now + self.seconds
        return bool(left) and now < until and app.state in {AppState.CHANGING, AppState.REVERTED}
