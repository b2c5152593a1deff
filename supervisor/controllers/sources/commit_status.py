"""Tell Git hosts how the newest revision of each source fares. Keys `commit-status:SOURCE`.

A key of its own, so that a Git host that is slow or down keeps no app waiting. What was told last
is kept in the ledger, so that nothing is told twice.
"""

import os
from collections.abc import Iterator

import msgspec

from supervisor.controllers.keys import Kind, parse
from supervisor.controllers.ports import Documents, GitHost, Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.githost.api import api_of
from supervisor.core.status.commit_status import hold_back, status_of
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.commit_status import CommitStatus, ReportedStatus
from supervisor.model.errors import Failure
from supervisor.model.settings import Settings, SourceSettings


class CommitStatusController(msgspec.Struct, kw_only=True):
    """Compares the board with what was told."""

    git_host: GitHost
    secrets: Secrets
    ledger: Documents
    board: StatusBoard
    clock: Clock
    queue: WorkQueue
    settings: CurrentSettings
    _tried: dict[str, tuple[CommitStatus, str]] = {}
    """What is under way, or waits until it may be told."""
    _failing: dict[str, str] = {}
    """Source to the revision that could not be told of; the loop tries it again."""

    def __post_init__(self) -> None:
        self.settings.subscribe(self._forget)

    def due(self) -> Iterator[str]:
        """Yield the keys of sources of which there is something new to tell. Cheap, asks nobody."""
        for name, settings in self.settings.now.sources.items():
            if not settings.status:
                continue
            wanted = self._wanted(name)
            if wanted is None or wanted.revision == self._failing.get(name):
                continue
            if (wanted, _target(settings)) != self._tried.get(name):
                yield Kind.COMMIT_STATUS.key(name)

    def _forget(self, _: Settings) -> None:
        """Try anew what could not be told: the settings are other ones."""
        self._tried.clear()
        self._failing.clear()

    async def reconcile(self, name: str) -> None:
        """Tell it now, if it is news. Raises what reading the token and telling raise."""
        settings = self.settings.now.sources.get(name)
        wanted = self._wanted(name)
        if settings is None or wanted is None:
            # `due` names it when it is known again what to tell.
            self._tried.pop(name, None)
            self._failing.pop(name, None)
            return
        target = _target(settings)
        self._tried[name] = (wanted, target)
        said = self.ledger.get(ReportedStatus, name)
        before = said.status if said and said.target == target else None
        if wanted == before:
            return
        if seconds := hold_back(wanted, before, said.at if said else 0.0, self.clock.now()):
            self.queue.add_in(Kind.COMMIT_STATUS.key(name), seconds)
            return
        api = api_of(settings.status, git=settings.git, url=settings.status_url)
        if api is None:
            return  # the settings are not accepted like that
        context = settings.status_context or f"podvisor/{os.uname().nodename}"
        try:
            token = await self.secrets.read(settings.status_token)
            await self.git_host.tell(api, wanted, context=context, token=token)
        except Failure:
            self._failing[name] = wanted.revision
            raise
        self._failing.pop(name, None)
        told = ReportedStatus(status=wanted, target=target, at=self.clock.now())
        self.ledger.put(told, name)

    def _wanted(self, name: str) -> CommitStatus | None:
        source = self.board.sources.get(name)
        settings = self.settings.now.sources.get(name)
        if source is None or settings is None or not settings.status:
            return None
        said = self.ledger.get(ReportedStatus, name)
        apps = [one for one in self.board.apps.values() if one.source == name]
        others = {key for key, one in self.board.apps.items() if one.source != name}

        def concerns(key: str) -> bool:
            kind, about = parse(key)
            return (
                kind in {Kind.ALL_APPS, Kind.CHANGED_APPS}
                or (kind is Kind.SOURCE and about == name)
                or (kind is Kind.APP and about not in others)
            )

        return status_of(
            source,
            sorted(apps, key=lambda one: one.name),
            busy=self.queue.is_busy(concerns),
            said=said.status if said and said.target == _target(settings) else None,
        )


def _target(settings: SourceSettings) -> str:
    """Identify whom it is told, so that another one is told, too; it is written down."""
    where = (settings.git.shown, settings.status_url)
    return " ".join((settings.status, *where, settings.status_context))
