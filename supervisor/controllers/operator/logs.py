"""What a unit's programs wrote last, as it may be shown.

Part of `controllers.operator.service`.
"""

import msgspec

from supervisor.controllers.apps.last_words import WITHHELD, LastWords
from supervisor.controllers.ports import Podman, Systemd
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.files.names import unknown_unit
from supervisor.core.status.container_lines import has_lines
from supervisor.core.status.unkept_log import unkept_log
from supervisor.model.log import LogLine, LogQuery, UnitLog


class LogLook(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    board: StatusBoard
    systemd: Systemd
    words: LastWords
    podman: Podman

    async def look(self, query: LogQuery) -> UnitLog:
        """Return its newest lines.

        Raises Stalled for a unit of no app, Retry if there is no journal, or no Podman that is
        asked.
        """
        known = {unit.name: unit for app in self.board.apps.values() for unit in app.units}
        if query.unit not in known:
            raise unknown_unit(query.unit, known, is_early=not self.board.has_looked)
        lines = await self.systemd.log(query.unit, limit=query.limit)
        unit = known[query.unit]
        if has_kept := has_lines(unit.log_driver, unit.active):
            kept = await self.podman.log(query.unit, limit=query.limit)
            lines = sorted((*lines, *kept), key=lambda line: line.time)[-query.limit :]
        if note := unkept_log(unit.log_driver, unit.log_file, is_there=has_kept):
            lines = [LogLine(time=lines[0].time if lines else 0.0, text=note), *lines]
        said = await self.words.masked("\n".join(one.text for one in lines), query.unit)
        texts = said.split("\n")
        if said == WITHHELD or len(texts) != len(lines):
            # A secret of several lines was printed: which line is whose is not known any more.
            at = lines[-1].time if lines else 0.0
            lines = [LogLine(time=at, text=text) for text in texts if text]
            return UnitLog(unit=query.unit, lines=tuple(lines))
        shown = zip(lines, texts, strict=True)
        return UnitLog(
            unit=query.unit,
            lines=tuple(msgspec.structs.replace(line, text=text) for line, text in shown),
        )
