"""What has everything looked at: the start, other settings, the end of a suspend."""

from supervisor.controllers.keys import Kind, parse
from supervisor.controllers.loop import Loop
from supervisor.controllers.ports import FolderWatch
from supervisor.controllers.resync import Resync
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.failures import Failures
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.settings import Settings


class Lifecycle:
    """Names keys at the turning points of the daemon's life."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        loop: Loop,
        settings: CurrentSettings,
        sources: SourceController,
        suspensions: Suspensions,
        folders: FolderWatch,
        board: StatusBoard,
        clock: Clock,
        failures: Failures,
        resync: Resync,
    ) -> None:
        self._queue = queue
        self._loop = loop
        self._settings = settings
        self._sources = sources
        self._suspensions = suspensions
        self._folders = folders
        self._board = board
        self._clock = clock
        self._failures = failures
        self._resync = resync
        self._restored: set[str] = set()
        """Sources that were known before they were read."""
        self._suspended = clock.suspended()

    async def start(self) -> None:
        """Take up what is stored, and name every key once."""
        await self.restore()
        self._suspensions.renew_trials()
        await self._watch_folders()
        self._queue.add(Kind.WATCHDOG, Kind.WEBHOOKS, *Kind.SOURCE.keys(self._settings.now.sources))
        self._resync.name()

    async def restore(self) -> None:
        """Take up what is stored of the sources."""
        for name in self._settings.now.sources:
            if await self._sources.restore(name):
                self._restored.add(name)

    async def take_settings(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings.put(settings)
        self._queue.add(Kind.WEBHOOKS)
        for gone in set(self._board.sources) - set(settings.sources):
            self._board.sources.pop(gone)
            self._queue.forget(Kind.SOURCE.key(gone))
            self._failures.forget(Kind.SOURCE.key(gone))
        self._queue.add(*self._failures.of(Kind.COMMIT_STATUS))
        await self._watch_folders()
        self._queue.add(*Kind.SOURCE.keys(settings.sources))
        self._resync.look_anew()

    def resume(self) -> None:
        """Go on after a suspend: what came due meanwhile is due now, and so is what failed."""
        suspended = self._clock.suspended()
        self._queue.advance(suspended - self._suspended)
        self._suspended = suspended
        self._suspensions.renew_trials()
        self._loop.expedite()

    def is_first_pass(self, key: str) -> bool:
        """Tell which keys make up the first pass: a source that was known before is not waited for.

        So the daemon is ready although Git is down.
        """
        kind, name = parse(key)
        return kind in {Kind.ALL_APPS, Kind.CHANGED_APPS, Kind.APP} or (
            kind is Kind.SOURCE and name not in self._restored
        )

    async def _watch_folders(self) -> None:
        sources = self._settings.now.sources.items()
        await self._folders.watch_folders({name: one.folder for name, one in sources if one.folder})
