"""Read a source, and hand its snapshot on. `controllers.sources.poller` says when."""

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.files.source_paths import ignoring, is_hidden
from supervisor.kit.clock import Clock
from supervisor.model.errors import Failure, Finding
from supervisor.model.events import EventKind
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot
from supervisor.model.status import SourceStatus


class SourceController(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps snapshots as new as the sources are."""

    reader: SourceReader
    desired_state: DesiredState
    ledger: Ledger
    board: StatusBoard
    clock: Clock

    async def restore(self, name: str) -> bool:
        """Take up the newest stored snapshot, without asking the source; False if there is none."""
        settings = self.desired_state.settings.sources[name]
        try:
            snapshot = await self.reader.stored(name)
        except Failure:
            snapshot = None  # the source is read next, which tells what is wrong
        self.board.sources[name] = SourceStatus(
            name=name,
            location=_location(settings),
            ref=settings.ref,
            revision=snapshot.revision if snapshot else "",
            subject=snapshot.subject if snapshot else "",
        )
        if snapshot is None:
            return False
        self.desired_state.put(snapshot)
        return True

    async def reconcile(self, name: str) -> bool:
        """Read the source now; returns whether it says anything new. Raises what reading raises.

        What was read by settings that are not the present ones any more is passed over.
        """
        settings = self.desired_state.settings.sources.get(name)
        if settings is None:
            self.board.sources.pop(name, None)
            return False
        try:
            snapshot = await self.reader.fetch(name, settings)
        except Failure as failure:
            if self.desired_state.settings.sources.get(name) != settings:
                return False
            self._show_failure(name, settings, failure)
            raise
        if self.desired_state.settings.sources.get(name) != settings:
            return False
        changed = self.desired_state.put(snapshot)
        self._show(name, settings, snapshot)
        return changed

    async def protect(self, name: str) -> tuple[str, ...]:
        """Reconcile `gc-roots`: keep what is applied of a source, and the way back, stored."""
        applied = self.ledger.applied().items()
        revisions = {one.revision for _, one in applied if one.source == name}
        for app, _ in applied:
            rollouts = self.ledger.rollouts(app)
            revisions.update(one.revision for one in rollouts if one.source == name)
        await self.reader.keep(name, revisions)
        return ()

    def _show(self, name: str, settings: SourceSettings, snapshot: Snapshot) -> None:
        now = self.clock.now()
        old = self.board.sources.get(name)
        self.board.sources[name] = SourceStatus(
            name=name,
            location=_location(settings),
            ref=settings.ref,
            revision=snapshot.revision,
            subject=snapshot.subject,
            read_at=now,
            findings=snapshot.findings,
        )
        if old and old.error:
            self.ledger.log(EventKind.SOURCE, source=name, reason="can be read again")
        if not old or old.revision != snapshot.revision:
            self.ledger.log(
                EventKind.REVISION,
                source=name,
                revision=snapshot.revision,
                reason=snapshot.subject or "its content changed",
            )
        known = {str(finding) for finding in old.findings} if old else set()
        ignored = ignoring(settings.ignore)
        for finding in snapshot.findings:
            path = f"{finding.path}/" if finding.hides else finding.path
            passed_over = ignored(finding.path) or is_hidden(path, root="")
            if str(finding) not in known and not passed_over:
                self._refuse(name, snapshot.revision, finding)

    def _refuse(self, name: str, revision: str, finding: Finding) -> None:
        self.ledger.log(
            EventKind.REFUSED,
            ok=False,
            source=name,
            revision=revision,
            subject=finding.path,
            reason=finding.message,
            detail=finding.hint,
        )

    def _show_failure(self, name: str, settings: SourceSettings, failure: Failure) -> None:
        now = self.clock.now()
        old = self.board.sources.get(name)
        same_place = old and (old.location, old.ref) == (_location(settings), settings.ref)
        hint = failure.hint
        error = f"{failure} ({hint})" if hint else str(failure)
        self.board.sources[name] = SourceStatus(
            name=name,
            location=_location(settings),
            ref=settings.ref,
            revision=old.revision if old else "",
            subject=old.subject if old else "",
            read_at=old.read_at if old else 0.0,
            error=error,
            error_since=old.error_since if old and same_place and old.error_since else now,
            findings=old.findings if old else (),
        )
        if not old or old.error != error:
            reason = str(failure)
            self.ledger.log(EventKind.SOURCE, ok=False, source=name, reason=reason, detail=hint)


def _location(settings: SourceSettings) -> str:
    """Where the source is, fit to be shown."""
    return settings.git.shown if settings.git else settings.folder
