"""What is known now of sources and apps: written by the controllers, read by the status page."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from supervisor.model.errors import Finding
from supervisor.model.status import AppState, AppStatus, SourceStatus, Status, WatchStatus
from supervisor.model.webhook import ListenerStatus, SourceWebhook


class Board:
    """The daemon's present state, in memory only: every pass writes its part anew."""

    def __init__(self, *, version: str, config: str, started_at: float) -> None:
        self._version = version
        self._config = config
        self._started_at = started_at
        self.sources: dict[str, SourceStatus] = {}
        self.apps: dict[str, AppStatus] = {}
        self.watches: dict[str, WatchStatus] = {}
        self.problems: dict[str, Finding] = {}
        self.ledger_problem: Callable[[], str] = str
        self.host_problems: Callable[[], Sequence[Finding]] = tuple
        """What of the host is not as it should be, looked up when somebody asks."""
        self.source_findings: Callable[[], Mapping[str, tuple[Finding, ...]]] = dict
        """What was found in each source as a whole; what is an app's stands with the app."""
        self.webhook_of: Callable[[str], SourceWebhook | None] = lambda _name: None
        self.webhooks: Callable[[], ListenerStatus | None] = lambda: None

    def status(self, app: str = "") -> Status:
        """Everything, or everything about one app."""
        problems = dict(self.problems)
        if trouble := self.ledger_problem():
            problems["ledger"] = Finding(message=f"cannot write the ledger: {trouble}")
        return Status(
            running=True,
            version=self._version,
            config=self._config,
            started_at=self._started_at,
            sources=tuple(self._with_findings(self.sources[name]) for name in sorted(self.sources)),
            apps=tuple(self.apps[name] for name in sorted(self.apps) if not app or name == app),
            watches=tuple(self.watches.values()),
            webhooks=self.webhooks(),
            problems=(*self.host_problems(), *problems.values()),
        )

    def _with_findings(self, source: SourceStatus) -> SourceStatus:
        findings = self.source_findings().get(source.name, ())
        webhook = self.webhook_of(source.name)
        return msgspec.structs.replace(source, findings=findings, webhook=webhook)

    def summary(self) -> str:
        """One line for systemd's STATUS=."""
        counts: dict[AppState, int] = {}
        for one in self.apps.values():
            counts[one.state] = counts.get(one.state, 0) + 1
        apps = f"{len(self.apps)} app{'' if len(self.apps) == 1 else 's'}"
        parts = [f"{counts[state]} {state}" for state in AppState if state in counts]
        return f"{apps}: {', '.join(parts)}" if parts else "no apps"
