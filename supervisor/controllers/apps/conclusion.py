"""Conclude for apps that have come to their end: record, show, and say when to look again.

Serves `controllers.apps.reconciler`.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from supervisor.controllers.apps.app_pass import AppEnd, AppPass
from supervisor.controllers.apps.executor import Outcome
from supervisor.controllers.apps.images import ImageController
from supervisor.controllers.apps.last_known import LastKnown
from supervisor.controllers.apps.planner import AppPlanner, Look
from supervisor.controllers.apps.probes import ProbeController, probes_of
from supervisor.controllers.apps.recorder import Recorder
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import each_now, failure_of
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.certificate_news import (
    CertificateNews,
    NoNews,
    with_certificates,
)
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.desired.dependencies import held_by
from supervisor.core.health.crash_backoff import looks_again
from supervisor.core.status.app_status import (
    app_status,
    changes_of_state,
    unseen,
    with_known_since,
)
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure, OutOfReach
from supervisor.model.health import Health
from supervisor.model.observed import AppliedApp, Observed
from supervisor.model.plan import (
    PullImage,
    RemoveVolume,
    ResetFailed,
    RestoreVolumes,
    RunJob,
    SnapshotVolumes,
    TryRevision,
    Verdict,
)
from supervisor.model.rollout import Gate, GateState
from supervisor.model.status import AppStatus

_STUCK_SECONDS = 5.0
"""Before the next try to take back a revision, if something kept the last one from it."""

_FIRST = (SnapshotVolumes, RestoreVolumes, RunJob, RemoveVolume)
"""Steps after which the rest is planned anew."""


class Concluder(msgspec.Struct, kw_only=True):
    """Says what came of a pass: to the ledger, to the board, and to the loop."""

    planner: AppPlanner
    recorder: Recorder
    desired_state: DesiredState
    ledger: Ledger
    board: StatusBoard
    last_known: LastKnown
    images: ImageController
    probes: ProbeController
    clock: Clock
    certificates: CertificateNews = msgspec.field(default_factory=NoNews)
    _failed: dict[str, str] = {}
    """App to the content that its gate failed at the end of its last pass."""

    def gone(self, apps: Collection[str]) -> AppPass:
        """Say of apps that they neither are nor should be."""
        for name in apps:
            self.board.apps.pop(name, None)
            self.images.wants(name, ())
            self._failed.pop(name, None)
            self.planner.note(name, None)
        return AppPass(apps=tuple(apps))

    def unseen(self, deployments: Sequence[Deployment], failures: Mapping[str, Failure]) -> AppPass:
        """Say of apps why it is not known how they stand."""
        for one in deployments:
            known, failure = self.board.apps.get(one.name), failures[one.name]
            if not (known and isinstance(failure, OutOfReach)):  # which is not the app's
                self._put(unseen(one, known, failure))
        return AppPass(
            apps=tuple(one.name for one in deployments),
            failures={one.name: failures[one.name] for one in deployments},
        )

    def conclude(self, deployments: Sequence[Deployment], look: Look, outcome: Outcome) -> AppPass:
        """Record what stands now, in one transaction, and say what changed. Raises nothing."""
        try:
            with self.ledger.together():
                return self._conclude(deployments, look, outcome)
        except Exception as error:  # noqa: BLE001  # a defect
            failure = failure_of(error, doing="ending a pass")
            return self.unseen(deployments, {one.name: failure for one in deployments})

    def _conclude(self, deployments: Sequence[Deployment], look: Look, outcome: Outcome) -> AppPass:
        self.recorder.note_broken(outcome.broken, look.observed)
        for one in deployments:
            mine = look.plan.steps_of(one.name)
            self.recorder.forget_failures([s.unit for s in mine if isinstance(s, ResetFailed)])
        before = {one.name: self.ledger.applied_app(one.name) for one in deployments}
        verdicts = {one.app: one for one in look.plan.verdicts}
        ends, failures = each_now(
            deployments,
            lambda one: self._conclude_one(one, verdicts[one.name], look, outcome),
            doing="recording",
        )
        self.unseen([one for one in deployments if one.name in failures], failures)
        failures.update({name: one.failure for name, one in ends.items() if one.failure})
        requeue = {name for one in ends.values() for name in one.requeue_now}
        changed = {name for name, one in ends.items() if one.changed}
        if not all(verdicts[one.name].complete for one in deployments):
            requeue.update(self.planner.along(verdicts))
        latest = self.desired_state.latest()
        requeue.update(held_by(changed, latest), self.planner.along(changed))
        after = {name: self.ledger.applied_app(name) for name in before}
        changed_sources = {
            now.source
            for name, now in after.items()
            if now and ((was := before[name]) is None or was.revision != now.revision)
        }
        return AppPass(
            apps=tuple(one.name for one in deployments),
            failures=failures,
            requeue_at={name: min(one.again) for name, one in ends.items() if one.again},
            sources_changed=frozenset(changed_sources),
            releases_changed=_releases(before) != _releases(after),
            requeue_now=tuple(sorted(requeue)),
        )

    def _conclude_one(
        self,
        deployment: Deployment,
        verdict: Verdict,
        look: Look,
        outcome: Outcome,
    ) -> AppEnd:
        name, now = deployment.name, self.clock.now()
        observed, steps = look.observed, look.plan.steps_of(deployment.name)
        known = self._known(name)
        repairs = self.ledger.repairs()
        failure = outcome.failures.get(name) or outcome.failures.get("")
        end = AppEnd(failure=failure or outcome.unmade.get(name) or deployment.failure)
        self.planner.note(name, end.failure)
        if not end.failure:
            verdict = self.recorder.with_gate(deployment, verdict, observed)
            before = self.ledger.applied_app(name)
            self.recorder.record(deployment, verdict, before, observed)
            if deployment.updates and self.ledger.applied_app(name) != before:
                end.requeue_now.add(name)  # they may come now
        if any(isinstance(step, TryRevision) for step in steps):
            self.recorder.forget_old_trials(name)
        if name in outcome.taken_back:
            self.desired_state.images_changed()
            end.requeue_now.update(self.recorder.free_dependents(deployment))
        self.images.wants(name, {step.image for step in steps if isinstance(step, PullImage)})
        probes = probes_of(deployment, observed)
        self.probes.set_probes(deployment.runtime_names, probes, unhealthy=_unhealthy(known))
        if probes.keys() - observed.probed.keys():
            observed = msgspec.structs.replace(observed, probed=self.probes.verdicts())
        if verdict.next_at:
            end.again.append(verdict.next_at)
        if at := self._gate_looks_at(deployment, verdict.gate, now):
            end.again.append(at)
        for unit in outcome.broken.keys() & deployment.runtime_names:
            memory = repairs.get(unit)
            end.again.append(memory.next_at if memory else now)
        end.again.extend(looks_again(deployment.runtime_names, observed.units, repairs, now))
        end.again.extend(
            observed.unsaid[u] for u in observed.unsaid.keys() & deployment.runtime_names
        )
        # What is left to do after these is planned when they are done.
        if not end.failure and any(isinstance(step, _FIRST) for step in steps):
            end.requeue_now.add(name)
        end.changed = self._show(deployment, verdict, observed, end.failure)
        return end

    def _gate_looks_at(self, deployment: Deployment, word: Gate | None, now: float) -> float:
        """When to look at a trial again: at once if it failed, to take it back; 0 is never."""
        failed_before = self._failed.pop(deployment.name, "")
        if word is None or word.state is not GateState.FAILED or deployment.wanted is None:
            return word.look_at if word else 0.0
        self._failed[deployment.name] = content = deployment.wanted.content
        return now + _STUCK_SECONDS if failed_before == content else now

    def _show(
        self,
        deployment: Deployment,
        verdict: Verdict,
        observed: Observed,
        failure: Failure | None,
    ) -> bool:
        """Show how the app stands; returns whether its state or its revision is another one now."""
        name = deployment.name
        if deployment.wanted is None and verdict.complete and not failure:
            return self.board.apps.pop(name, None) is not None
        waiting = tuple(with_certificates(verdict.waiting, self.certificates))
        status = app_status(
            deployment,
            msgspec.structs.replace(verdict, waiting=waiting),
            observed,
            applied=self.ledger.applied_app(name),
            repairs=self.ledger.repairs(),
            failure=failure,
            broken=self.recorder.broken,
            image_error=self.images.error,
            now=self.clock.now(),
        )
        self.recorder.note_failed(status)
        return self._put(status)

    def _known(self, name: str) -> AppStatus | None:
        """Return how an app stood before this pass, or before the daemon started."""
        return self.board.apps.get(name) or self.last_known.of(name)

    def _put(self, status: AppStatus) -> bool:
        """Put it on the board, and into the event log what changed; returns as `_show` does."""
        old, known = self.board.apps.get(status.name), self._known(status.name)
        self.board.apps[status.name] = status = with_known_since(status, known)
        for event in changes_of_state(known, status, now=self.clock.now()):
            self.ledger.append(event)
        return old is None or (old.state, old.revision) != (status.state, status.revision)


def _unhealthy(app: AppStatus | None) -> dict[str, float]:
    """Return the units that were not well, each with since when."""
    units = app.units if app else ()
    return {one.name: one.health_since for one in units if one.health is Health.UNHEALTHY}


def _releases(applied: Mapping[str, AppliedApp | None]) -> list[str]:
    return [one.release if one else "" for one in applied.values()]
