"""What has everything looked at: the start, other settings, the end of a suspend."""

from collections.abc import Callable

import msgspec

from supervisor.controllers.keys import Kind, parse
from supervisor.controllers.loop import Loop
from supervisor.controllers.resync import Resync
from supervisor.controllers.sources.source import SourceController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.settings import Settings


class Lifecycle(msgspec.Struct, kw_only=True):
    """Names keys at the turning points of the daemon's life."""

    queue: WorkQueue
    loop: Loop
    settings: CurrentSettings
    sources: SourceController
    suspensions: Suspensions
    clock: Clock
    resync: Resync
    network_changed: Callable[[], None]
    """Hears of every chance that what could not be reached can be."""
    _restored: frozenset[str] = frozenset()
    """Sources that were known before they were read."""
    _suspended: float = 0.0

    def __post_init__(self) -> None:
        self._suspended = self.clock.suspended()

    async def start(self) -> None:
        """Take up what is stored, and name every key once."""
        self._restored = await self.sources.restore()
        self.suspensions.renew_trials()
        await self.sources.watch_folders()
        self.queue.add(Kind.WEBHOOKS, *Kind.SOURCE.keys(self.settings.now.sources))
        self.resync.name()

    async def take_settings(self, settings: Settings) -> None:
        """Go on with other settings."""
        self.settings.put(settings)
        for gone in self.sources.forget_gone():
            self.queue.forget(Kind.SOURCE.key(gone))
            self.loop.forget_failure(Kind.SOURCE.key(gone))
        self.sources.show_new()
        await self.sources.watch_folders()
        self.queue.add(Kind.WEBHOOKS, *Kind.SOURCE.keys(settings.sources))
        self.resync.look_anew()

    def host_changed(self, what: str) -> None:
        """Go on after a suspend (`resumed`), or with a network that came up; as of `Host.watch`.

        What came due during a suspend is due now; what failed is tried again after either.
        """
        if what == "resumed":
            suspended = self.clock.suspended()
            self.queue.advance(suspended - self._suspended)
            self._suspended = suspended
            self.suspensions.renew_trials()
        self.network_changed()
        self.loop.expedite()

    def is_first_pass(self, key: str) -> bool:
        """Tell which keys make up the first pass: a source that was known before is not waited for.

        So the daemon is ready although Git is down.
        """
        kind, name = parse(key)
        return kind in {Kind.ALL_APPS, Kind.CHANGED_APPS, Kind.APP} or (
            kind is Kind.SOURCE and name not in self._restored
        )
