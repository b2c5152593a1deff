"""What is known now of sources and apps: written by the controllers, read by the status page."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from supervisor.core.plan.step_text import BOOKKEEPING, as_need
from supervisor.core.status.app_status import as_it_is, under_way
from supervisor.kit.texts import count
from supervisor.model.app import Deployment
from supervisor.model.errors import Finding
from supervisor.model.observed import AppliedApp, UnitState
from supervisor.model.plan import LeaveUnit, Plan, SetHealthInterval, Step
from supervisor.model.status import AppState, AppStatus, SourceStatus, Status, WatchStatus
from supervisor.model.webhook import ListenerStatus, SourceWebhook

_UNNOTICED = (*BOOKKEEPING, LeaveUnit, SetHealthInterval)
"""Steps that change nothing of how an app is."""


class StatusBoard:
    """The daemon's present state, in memory only: every pass writes its part anew."""

    def __init__(
        self,
        *,
        version: str,
        config: str,
        started_at: float,
        ledger_problem: Callable[[], str],
        host_problems: Callable[[], Sequence[Finding]],
        settings_findings: Callable[[], Sequence[Finding]],
        source_findings: Callable[[], Mapping[str, tuple[Finding, ...]]],
        webhook_of: Callable[[str], SourceWebhook | None],
        webhooks: Callable[[], ListenerStatus | None],
    ) -> None:
        """Keep whom to ask when somebody asks.

        `host_problems` is what of the host is not as it should be, `settings_findings` how the
        settings on disk stand to those in force, `source_findings` what was found in each source as
        a whole: what is an app's stands with the app.
        """
        self._version = version
        self._config = config
        self._started_at = started_at
        self._ledger_problem = ledger_problem
        self._host_problems = host_problems
        self._settings_findings = settings_findings
        self._source_findings = source_findings
        self._webhook_of = webhook_of
        self._webhooks = webhooks
        self.sources: dict[str, SourceStatus] = {}
        self.apps: dict[str, AppStatus] = {}
        """As they stood when their last pass ended."""
        self.has_looked = False
        """Whether the first pass is through."""
        self._passes: dict[str, Deployment] = {}
        """Apps that a pass has work for."""
        self._applied_at: dict[str, float] = {}
        """When these were applied last."""
        self._steps: list[Step] = []
        """What passes are doing."""
        self.watches: dict[str, WatchStatus] = {}
        self.problems: dict[str, Finding] = {}

    def status(self, app: str = "", *, units: Mapping[str, UnitState] | None = None) -> Status:
        """Everything, or everything about one app; `units` as in `now`."""
        problems = dict(self.problems)
        if trouble := self._ledger_problem():
            problems["ledger"] = Finding(message=f"cannot write the ledger: {trouble}")
        return Status(
            running=True,
            version=self._version,
            config=self._config,
            started_at=self._started_at,
            sources=tuple(self._with_findings(self.sources[name]) for name in sorted(self.sources)),
            apps=tuple(one for one in self.now(units) if not app or one.name == app),
            starting=not self.has_looked,
            watches=tuple(self.watches.values()),
            webhooks=self._webhooks(),
            problems=(*self._host_problems(), *self._settings_findings(), *problems.values()),
        )

    def now(self, units: Mapping[str, UnitState] | None = None) -> list[AppStatus]:
        """How all apps stand, passes that are under way included.

        `units` are as they are at this moment: a pass may not have heard of that yet.
        """
        apps = {name: as_it_is(one, units or {}) for name, one in self.apps.items()}
        for name, one in self._passes.items():
            steps = [as_need(step) for step in self._steps if step.app in ("", name)]
            applied_at = self._applied_at.get(name, 0.0)
            apps[name] = under_way(apps.get(name), one, steps, applied_at=applied_at)
        return [apps[name] for name in sorted(apps)]

    def begin(
        self, deployments: Sequence[Deployment], plan: Plan, applied: Mapping[str, AppliedApp]
    ) -> None:
        """Say that a pass with this plan has begun; it shows for the apps that it has work for."""
        busy = {step.app for step in plan.steps if not isinstance(step, _UNNOTICED)}
        self._applied_at.update({name: applied[name].applied_at for name in busy & applied.keys()})
        self._passes.update({one.name: one for one in deployments if one.name in busy})

    @contextmanager
    def doing(self, step: Step) -> Iterator[None]:
        """Say what a pass is doing."""
        self._steps.append(step)
        try:
            yield
        finally:
            self._steps.remove(step)

    def end(self, apps: Collection[str]) -> None:
        """Say that a pass has ended for these apps."""
        for name in apps:
            self._passes.pop(name, None)
            self._applied_at.pop(name, None)

    def _with_findings(self, source: SourceStatus) -> SourceStatus:
        findings = self._source_findings().get(source.name, ())
        webhook = self._webhook_of(source.name)
        return msgspec.structs.replace(source, findings=findings, webhook=webhook)

    def summary(self) -> str:
        """One line for systemd's STATUS=."""
        counts: dict[AppState, int] = {}
        apps = self.now()
        for one in apps:
            counts[one.state] = counts.get(one.state, 0) + 1
        parts = [f"{counts[state]} {state}" for state in AppState if state in counts]
        if parts:
            return f"{count(len(apps), 'app')}: {', '.join(parts)}"
        unread = [one.name for one in self.sources.values() if not one.read_at]
        return f"no apps: not read yet: {', '.join(sorted(unread))}" if unread else "no apps"
