"""The slow backstop: what a wake-up can be lost for is looked at once in a while. Key `resync`."""

from collections import Counter
from collections.abc import Callable

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.kit.workqueue import WorkQueue


class Resync(msgspec.Struct, frozen=True, kw_only=True):
    """Names keys whether or not anything was seen."""

    queue: WorkQueue
    settings: CurrentSettings
    failures: Counter[str]
    on_resync: Callable[[], None]

    def name(self) -> None:
        """Name every app, every folder and the disk; Git does not wake anybody, it is polled.

        And what failed until a person mends it: nobody tells when that is done.
        """
        sources = self.settings.now.sources.items()
        self.queue.add(*Kind.SOURCE.keys(name for name, one in sources if one.folder))
        self.queue.add(Kind.ALL_APPS, Kind.DISK, *self.failures)
        if resync := float(self.settings.now.repair.resync):
            self.queue.add_by_rhythm(Kind.RESYNC, resync)

    def look_anew(self) -> None:
        """Name all that, and have what was found out about the host found out anew."""
        self.on_resync()
        self.name()

    async def reconcile(self, _: str) -> None:
        """Reconcile `resync`; an image that a container used before may be nobody's now."""
        self.look_anew()
        self.queue.add(Kind.KEPT_IMAGES)
