"""The slow backstop: what a wake-up can be lost for is looked at once in a while. Key `resync`."""

from collections.abc import Callable

from supervisor.controllers.keys import Kind
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.failures import Failures
from supervisor.kit.workqueue import WorkQueue


class Resync:
    """Names keys whether or not anything was seen."""

    def __init__(
        self,
        *,
        queue: WorkQueue,
        settings: CurrentSettings,
        failures: Failures,
        on_resync: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._failures = failures
        self._on_resync = on_resync

    def name(self) -> None:
        """Name every app and every folder; Git does not wake anybody, it is polled.

        And what failed until a person mends it: nobody tells when that is done.
        """
        sources = self._settings.now.sources.items()
        self._queue.add(*Kind.SOURCE.keys(name for name, one in sources if one.folder))
        self._queue.add(Kind.ALL_APPS, *self._failures.of())
        if resync := float(self._settings.now.repair.resync):
            self._queue.add_by_rhythm(Kind.RESYNC, resync)

    def look_anew(self) -> None:
        """Name all that, and have what was found out about the host found out anew."""
        self._on_resync()
        self.name()

    async def reconcile(self, _: str) -> tuple[str, ...]:
        """Reconcile `resync`."""
        self.look_anew()
        return ()
