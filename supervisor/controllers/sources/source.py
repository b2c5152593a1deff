"""Read a source, and hand its snapshot on. `controllers.sources.poller` says when."""

from contextlib import suppress

import msgspec
from msgspec.structs import replace

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import FolderWatch, Ledger, SourceReader
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.files.source_paths import ignoring, is_hidden
from supervisor.core.githost.commit_page import commit_page
from supervisor.kit.clock import Clock
from supervisor.model.errors import Failure, Finding
from supervisor.model.events import EventKind
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot
from supervisor.model.status import SourceStatus


class SourceController(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps snapshots as new as the sources are."""

    reader: SourceReader
    folders: FolderWatch
    desired_state: DesiredState
    ledger: Ledger
    board: StatusBoard
    clock: Clock
    _read: dict[str, float] = {}
    """When the last read began that told how a source is, by its name."""

    async def restore(self) -> frozenset[str]:
        """Take up the newest snapshots that are stored; returns the sources that have one."""
        restored: set[str] = set()
        for name, settings in self.desired_state.settings.sources.items():
            status = _unread(name, settings)
            with suppress(Failure):  # the source is read next, which tells what is wrong
                if snapshot := await self.reader.stored(name):
                    self.desired_state.put(snapshot)
                    restored.add(name)
                    status = replace(status, **_commit(snapshot))
            self.board.sources[name] = status
        return frozenset(restored)

    async def watch_folders(self) -> None:
        """Have those that are folders watched."""
        sources = self.desired_state.settings.sources.items()
        await self.folders.watch_folders({name: one.folder for name, one in sources if one.folder})

    def show_new(self) -> None:
        """Show what the settings name since, and nobody has read yet."""
        for name, settings in self.desired_state.settings.sources.items():
            self.board.sources.setdefault(name, _unread(name, settings))

    def forget_gone(self) -> frozenset[str]:
        """Show no more what the settings do not name any more; returns its names."""
        gone = frozenset(self.board.sources) - self.desired_state.settings.sources.keys()
        for name in gone:
            del self.board.sources[name]
            self._read.pop(name, None)
        return gone

    async def reconcile(self, name: str) -> bool:
        """Read the source now; returns whether it says anything new. Raises what reading raises.

        What was read by settings that are not the present ones any more is passed over.
        """
        settings = self.desired_state.settings.sources.get(name)
        if settings is None:
            return False
        began_at = self.clock.now()
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
        self._show(name, settings, snapshot, changed=changed)
        self._read[name] = began_at
        return changed

    async def protect(self, name: str) -> None:
        """Reconcile `gc-roots`: keep what is applied of a source, and the way back, stored."""
        applied = self.ledger.applied().items()
        revisions = {one.revision for _, one in applied if one.source == name}
        for app, _ in applied:
            rollouts = self.ledger.rollouts(app)
            revisions.update(one.revision for one in rollouts if one.source == name)
        await self.reader.keep(name, revisions)

    def _show(
        self, name: str, settings: SourceSettings, snapshot: Snapshot, *, changed: bool
    ) -> None:
        old = self.board.sources.get(name)
        self.board.sources[name] = replace(
            _unread(name, settings),
            **_commit(snapshot),
            read_at=self.clock.now(),
            findings=snapshot.findings,
        )
        if old and old.error:
            self.ledger.log(EventKind.SOURCE, source=name, reason="can be read again")
        former = old.revision if old else ""
        if former != snapshot.revision and (former or changed):
            self.ledger.log(
                EventKind.REVISION,
                source=name,
                revision=snapshot.revision,
                reason=snapshot.subject or "its content changed",
                author=snapshot.author,
                unchanged_at=self._read.get(name, 0.0),
            )
        known = {str(finding) for finding in old.findings} if old else set()
        ignored = ignoring(settings.ignore)
        for finding in snapshot.findings:
            path = f"{finding.path}/" if finding.hides else finding.path
            passed_over = ignored(finding.path) or is_hidden(path, root="")
            if str(finding) not in known and not passed_over:
                self.ledger.log(
                    EventKind.REFUSED,
                    ok=False,
                    source=name,
                    revision=snapshot.revision,
                    subject=finding.path,
                    reason=finding.message,
                    detail=finding.hint,
                )

    def _show_failure(self, name: str, settings: SourceSettings, failure: Failure) -> None:
        old, unread = self.board.sources.get(name), _unread(name, settings)
        same_place = old and (old.location, old.ref) == (unread.location, unread.ref)
        error = str(Finding.of(failure))
        # Of another place nothing was read, whatever is deployed of the former one.
        self.board.sources[name] = replace(
            old if old and same_place else unread,
            commit_page=unread.commit_page,
            error=error,
            error_since=old.error_since if old and same_place and old.error else self.clock.now(),
        )
        if not old or old.error != error:
            self.ledger.log(
                EventKind.SOURCE, ok=False, source=name, reason=str(failure), detail=failure.hint
            )


def _commit(snapshot: Snapshot) -> dict[str, str]:
    return {name: getattr(snapshot, name) for name in ("revision", "subject", "author")}


def _unread(name: str, settings: SourceSettings) -> SourceStatus:
    return SourceStatus(
        name=name,
        location=settings.shown,
        ref=settings.ref,
        commit_page=commit_page(settings.git, settings.webhook or settings.status),
    )
