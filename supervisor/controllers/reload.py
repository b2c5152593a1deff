"""Read the settings anew, at `podvisor reload` or SIGHUP; refused ones leave all as it is."""

from collections.abc import Awaitable, Callable

from supervisor.controllers.board import Board
from supervisor.controllers.ports import Ledger
from supervisor.core.settings import Reading
from supervisor.kit.clock import Clock
from supervisor.model.errors import Finding
from supervisor.model.events import Event, EventKind
from supervisor.model.settings import Settings
from supervisor.model.status import Reloaded

_OLD_ONES_STAY = Finding(
    message="the settings on disk are refused: those from before stay in force",
    hint="mend them, then podvisor reload; the daemon would not start with them",
)


class SettingsReloader:
    """Takes up changed settings, and has the status and the event log say what came of it."""

    def __init__(
        self,
        *,
        load: Callable[[], Reading],
        take: Callable[[Settings], Awaitable[None]],
        board: Board,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._load = load
        self._take = take
        self._board = board
        self._ledger = ledger
        self._clock = clock

    async def reload(self) -> Reloaded:
        """Do it; what was found stands in the status until the next time."""
        reading = self._load()
        for key in [key for key in self._board.problems if key.startswith("settings")]:
            self._board.problems.pop(key)
        for number, finding in enumerate(reading.findings):
            self._board.problems[f"settings:{number}"] = finding
        if reading.settings is None:
            self._board.problems["settings:refused"] = _OLD_ONES_STAY
        self._ledger.append(
            Event(
                time=self._clock.now(),
                kind=EventKind.SETTINGS,
                ok=reading.settings is not None,
                reason="read anew" if reading.settings else "refused, the old ones stay",
                detail="; ".join(str(finding) for finding in reading.findings),
            )
        )
        if reading.settings is not None:
            await self._take(reading.settings)
        return Reloaded(ok=reading.settings is not None, findings=reading.findings)
