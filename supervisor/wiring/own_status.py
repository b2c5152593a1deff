"""What the daemon says of itself: which one it is, what it lacks, and cannot find out."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

import msgspec

from supervisor import __version__
from supervisor.controllers.operator.reload import SettingsFile
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.disk import DiskWatch
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode
from supervisor.model.status import Status, UnknownImages


class OwnStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    file: SettingsFile
    started_at: float
    ledger: Ledger
    disk: DiskWatch
    host_problems: Callable[[], Sequence[Finding]]
    unknown_images: Callable[[], Iterable[UnknownImages]]

    def now(self) -> Status:
        """Return it, without sources and apps."""
        return Status(
            running=True,
            version=__version__,
            apps=(),
            config=self.file.shown,
            started_at=self.started_at,
            problems=(
                *self.host_problems(),
                *self.file.findings(),
                *self._of_ledger(),
                *self.disk.findings(),
            ),
            unknown_images=tuple(self.unknown_images()),
        )

    def _of_ledger(self) -> Iterable[Finding]:
        if why := self.ledger.problem():
            message = f"cannot write the ledger: {why}"
            yield Finding(message=message, code=IncidentCode.LEDGER_UNWRITABLE)
        for loss in self.ledger.losses():
            yield Finding(
                message=loss.text,
                hint=loss.hint,
                command=f"rm {shlex.quote(loss.file)}*",
                code=IncidentCode.LEDGER_LOST,
                subject=PurePath(loss.file).name,
            )
