"""How much room is left where images and podvisor's own state are. Key `disk`.

Looked at with each resync, when a pull or a write to the ledger has failed, and when somebody asks
while it was nearly full: nobody tells of it.
"""

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Host, Ledger, Podman
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.kit.texts import rough_size
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Finding
from supervisor.model.events import EventKind, OwnCode
from supervisor.model.incident import IncidentCode

_CLEARANCE = 1.1
"""So many times the limit have to be free before it is said that there is room again."""


class DiskWatch(msgspec.Struct, kw_only=True):
    """One for the daemon; remembers where it was found nearly full."""

    host: Host
    podman: Podman
    ledger: Ledger
    settings: CurrentSettings
    queue: WorkQueue
    _low: dict[str, Finding] = {}
    """Folder to what is said of it."""
    _had_trouble: bool = False

    def follow(self) -> None:
        """Have it looked at when the ledger cannot be written any more."""
        has_trouble = bool(self.ledger.problem())
        if has_trouble and not self._had_trouble:
            self.queue.add(Kind.DISK)
        self._had_trouble = has_trouble

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found when it was looked at last."""
        return tuple(self._low.values())

    async def reconcile(self, _: str) -> None:
        """Look at it. Raises Retry if Podman does not say where its images are."""
        limit = self.settings.now.limits.free_space
        folders = [self.ledger.folder]
        if limit and (room := await self.podman.room()):
            folders.insert(0, room.layers)
        free = await self.host.free(folders) if limit else {}
        for folder in self._low.keys() - free.keys():
            del self._low[folder]
        for folder, size in free.items():
            if size < limit or (folder in self._low and size < _CLEARANCE * limit):
                self._say_low(folder, size, limit)
            elif folder in self._low:
                del self._low[folder]
                self.ledger.log(
                    EventKind.RECOVERED,
                    code=str(OwnCode.DISK_FREE_AGAIN),
                    subject=folder,
                    reason=f"{rough_size(size)} are free in {folder} again",
                )

    def _say_low(self, folder: str, size: int, limit: int) -> None:
        than = "less" if size < limit else "hardly more"
        found = Finding(
            message=f"the disk is nearly full: {rough_size(size)} are free in {folder},"
            f" {than} than {rough_size(limit)}",
            hint="podman system df shows what images, containers and volumes take; [limits]"
            " free_space says from when on this is told",
            code=IncidentCode.DISK_NEARLY_FULL,
            subject=folder,
            fatal=False,
        )
        if folder not in self._low:
            self.ledger.log(
                EventKind.ERROR,
                ok=False,
                code=str(OwnCode.DISK_NEARLY_FULL),
                subject=folder,
                reason=found.message,
                detail=found.hint,
            )
        if self._low.get(folder) != found:
            self._low[folder] = found
