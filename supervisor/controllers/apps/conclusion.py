"""Conclude for apps that have come to their end: record, show, and say when to look again.

Serves `controllers.apps.reconciler`.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

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
from supervisor.controllers.ports import Aside, Ledger
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
    unseen,
    with_known_since,
)
from supervisor.core.status.state_changes import changes_of_state
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure, OutOfReach
from supervisor.model.health import Health
from supervisor.model.observed import AppliedApp, JobFailed, Observed, RepairState
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
from supervisor.model.rollout import Gate, GateState, Hold
from supervisor.model.status import AppStatus

_STUCK_SECONDS = 5.0
"""Before the next try to take back a revision, if something kept the last one from it."""

_FIRST = (SnapshotVolumes, RestoreVolumes, RunJob, RemoveVolume)
"""Steps after which the rest is planned anew."""


class _Ended(msgspec.Struct, kw_only=True):
    """An app whose part of a pass is over."""

    deployment: Deployment
    verdict: Verdict
    observed: Observed
    """As its units are after the steps."""
    now: float
    end: AppEnd

    @property
    def name(self) -> str:
        return self.deployment.name


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
    aside: Aside
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

    async def conclude(
        self, deployments: Sequence[Deployment], look: Look, outcome: Outcome
    ) -> AppPass:
        """Judge, record in one transaction what stands now, and say what changed. Raises nothing.

        What is judged, and how it all stands, is worked out aside where that is of many units.
        """
        try:
            return await self._conclude(deployments, look, outcome)
        except Exception as error:  # noqa: BLE001  # a defect
            failure = failure_of(error, doing="ending a pass")
            return self.unseen(deployments, {one.name: failure for one in deployments})

    async def _conclude(
        self, deployments: Sequence[Deployment], look: Look, outcome: Outcome
    ) -> AppPass:
        verdicts = {one.app: one for one in look.plan.verdicts}
        items = sum(len(one.units) for one in deployments)
        ending = [
            _Ended(
                deployment=one,
                verdict=verdicts[one.name],
                observed=look.observed,
                now=self.clock.now(),
                end=AppEnd(failure=outcome.failure_of(one.name) or one.failure),
            )
            for one in deployments
        ]
        judge = partial(each_now, ending, self._judge, doing="judging")
        ended, failures = await self.aside(judge, items=items)
        with self.ledger.together():
            units = [name for one in deployments for name in one.runtime_names]
            self.recorder.note_broken(outcome.broken, look.observed, units)
            for one in deployments:
                mine = look.plan.steps_of(one.name)
                self.recorder.forget_failures([s.unit for s in mine if isinstance(s, ResetFailed)])
            before = {one.name: self.ledger.applied_app(one.name) for one in deployments}
            ended, unrecorded = each_now(
                ended.values(), lambda one: self._record(one, look, outcome), doing="recording"
            )
        failures |= unrecorded
        repairs, broken = self.ledger.repairs(), dict(self.recorder.broken)
        applied = {name: self.ledger.applied_app(name) for name in ended}
        sum_up = partial(
            each_now,
            [self._with_news(one) for one in ended.values()],
            lambda one: self._status(one, applied[one.name], repairs, broken),
            doing="summing up",
        )
        statuses, unknown = await self.aside(sum_up, items=items)
        failures |= unknown
        with self.ledger.together():
            _, unshown = each_now(
                [one for name, one in ended.items() if name in statuses],
                lambda one: self._show(one, statuses[one.name]),
                doing="showing",
            )
        failures |= unshown
        self.unseen([one for one in deployments if one.name in failures], failures)
        ends = {name: one.end for name, one in ended.items() if name not in failures}
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

    def _judge(self, one: _Ended) -> _Ended:
        """Ask the gate, where nothing cut the pass short."""
        if one.end.failure:
            return one
        verdict = self.recorder.with_gate(one.deployment, one.verdict, one.observed, one.now)
        return msgspec.structs.replace(one, verdict=verdict)

    def _record(self, one: _Ended, look: Look, outcome: Outcome) -> _Ended:
        """Record what was reached, and say when to look at the app again."""
        deployment, verdict, observed, end = one.deployment, one.verdict, one.observed, one.end
        name, now = deployment.name, one.now
        steps = look.plan.steps_of(name)
        known = self._known(name)
        repairs = self.ledger.repairs()
        self.planner.note(name, end.failure)
        if not end.failure:
            before, hold = self.ledger.applied_app(name), self.ledger.get(Hold, name)
            self.recorder.record(deployment, verdict, before, observed)
            if hold and self.ledger.get(Hold, name) is None:
                self.desired_state.images_changed()  # newer versions of them may come
                end.requeue_now.add(name)
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
        return msgspec.structs.replace(one, observed=observed)

    def _gate_looks_at(self, deployment: Deployment, word: Gate | None, now: float) -> float:
        """When to look at a trial again: at once if it failed, to take it back; 0 is never."""
        failed_before = self._failed.pop(deployment.name, "")
        if word is None or word.state is not GateState.FAILED or deployment.wanted is None:
            return word.look_at if word else 0.0
        self._failed[deployment.name] = content = deployment.wanted.content
        return now + _STUCK_SECONDS if failed_before == content else now

    def _with_news(self, one: _Ended) -> _Ended:
        """Return it with what is known of the certificates that it waits for."""
        waiting = tuple(with_certificates(one.verdict.waiting, self.certificates))
        verdict = msgspec.structs.replace(one.verdict, waiting=waiting)
        return msgspec.structs.replace(one, verdict=verdict)

    def _status(
        self,
        one: _Ended,
        applied: AppliedApp | None,
        repairs: Mapping[str, RepairState],
        broken: Mapping[str, JobFailed],
    ) -> AppStatus | None:
        """Say how the app stands; None if there is none any more."""
        deployment, verdict = one.deployment, one.verdict
        if deployment.wanted is None and verdict.complete and not one.end.failure:
            return None
        return app_status(
            deployment,
            verdict,
            one.observed,
            applied=applied,
            repairs=repairs,
            failure=one.end.failure,
            broken=broken,
            image_error=self.images.error,
            now=one.now,
        )

    def _show(self, one: _Ended, status: AppStatus | None) -> None:
        """Show how the app stands, and note whether its state or its revision is another one."""
        if status is None:
            one.end.changed = self.board.apps.pop(one.name, None) is not None
            return
        self.recorder.note_failed(status)
        one.end.changed = self._put(status)

    def _known(self, name: str) -> AppStatus | None:
        """Return how an app stood before this pass, or before the daemon started."""
        return self.board.apps.get(name) or self.last_known.of(name)

    def _put(self, status: AppStatus) -> bool:
        """Put it on the board, and into the event log what changed; returns as `_show` notes."""
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
