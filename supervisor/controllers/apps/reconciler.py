"""Reconcile apps: observe, plan, execute, record. Keys `app:NAME`; all that are due in one pass.

They are observed, planned and written together, with one reload between all files and all starts.
Then each comes to its end when its own units have started, and is free for the next pass.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import anyio
import anyio.lowlevel
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.controllers.apps.app_pass import AppEnd, AppPass
from supervisor.controllers.apps.executor import Executor, Outcome
from supervisor.controllers.apps.health import HealthController
from supervisor.controllers.apps.look import Look, Lookout
from supervisor.controllers.apps.observer import Observer
from supervisor.controllers.apps.probes import ProbeController, probes_of
from supervisor.controllers.apps.recorder import Recorder, units_of
from supervisor.controllers.apps.waiting import AppDependencies
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import each_now, failure_of
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Aside, Folder, Ledger, SourceReader, Systemd
from supervisor.controllers.state.overrides import Overrides
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.desired.unit_moves import along, owners_of
from supervisor.core.health.crash_backoff import looks_again
from supervisor.core.status.app_status import app_status, changes_of_state, unseen
from supervisor.kit.clock import Clock
from supervisor.kit.streams import batches
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import Observed
from supervisor.model.plan import (
    BuildImage,
    Plan,
    PullImage,
    PutSecrets,
    RemoveVolume,
    ResetFailed,
    RestartUnit,
    RunJob,
    SetHealthInterval,
    StartUnit,
    Step,
    StopUnit,
    TryRevision,
    Verdict,
)
from supervisor.model.rollout import Gate, GateState

_STUCK_SECONDS = 5.0
"""Before the next try to take back a revision, if something kept the last one from it."""

_ENDED_AT_ONCE = 20
"""Apps that are concluded in one turn of the event loop."""


class Images(Protocol):
    """What is known of images that are waited for; `controllers.apps.images` serves it."""

    def error(self, image: str) -> str: ...

    def wants(self, app: str, images: Collection[str]) -> None: ...


class AppController:
    """Brings apps to their desired state and keeps them there."""

    def __init__(
        self,
        *,
        desired_state: DesiredState,
        observer: Observer,
        executor: Executor,
        systemd: Systemd,
        folder: Folder,
        reader: SourceReader,
        ledger: Ledger,
        overrides: Overrides,
        board: StatusBoard,
        clock: Clock,
        images: Images,
        health: HealthController,
        probes: ProbeController,
        aside: Aside,
    ) -> None:
        self._desired_state = desired_state
        self._observer = observer
        self._lookout = Lookout(
            desired_state=desired_state, observer=observer, folder=folder, clock=clock, aside=aside
        )
        self._executor = executor
        self._systemd = systemd
        self._reader = reader
        self._ledger = ledger
        self._overrides = overrides
        self._board = board
        self._clock = clock
        self._images = images
        self._health = health
        self._probes = probes
        self._dependencies = AppDependencies()
        self._recorder = Recorder(
            desired_state=desired_state, ledger=ledger, overrides=overrides, clock=clock
        )

    async def names(self) -> tuple[str, ...]:
        """All apps that should be or still are."""
        await self._desired_state.news()
        return tuple(await self._desired_state.deployments())

    async def name_all(self, _: str) -> list[str]:
        """Reconcile `all-apps`: name every app."""
        # One that was refused and is gone now stands on the board alone.
        return Kind.APP.keys(sorted({*await self.names(), *self._board.apps}))

    async def name_changed(self, _: str) -> list[str]:
        """Reconcile `changed-apps`: name those of which something else is asked than before."""
        return Kind.APP.keys(await self._desired_state.news())

    def renew_trials(self) -> None:
        """Say that time went by in which nobody looked after the apps."""
        self._overrides.renew_trials(self._ledger.applied())

    async def protect(self, source: str) -> tuple[str, ...]:
        """Reconcile `gc-roots`: keep what was applied of a source, the way back, in its store."""
        await self._reader.keep(
            source,
            {
                revision
                for name, app in self._ledger.applied().items()
                for at, revision in (
                    (app.source, app.revision),
                    *((one.source, one.revision) for one in self._ledger.rollouts(name)),
                )
                if at == source
            },
        )
        return ()

    def unfinished(self, apps: Collection[str]) -> frozenset[str]:
        """Keys that these apps (all, if empty) wait for: of those that they come after, and own."""
        return self._dependencies.unfinished(apps)

    def along(self, names: Collection[str]) -> set[str]:
        """Other apps that a pass over these should take along: units go between them."""
        return along(names, self._desired_state.latest())

    async def plan(self, names: Collection[str]) -> Plan:
        """Work out a pass without carrying it out; what has to come along is part of it."""
        chosen = await self._chosen({*names, *self.along(names)}, unseen_is_ready=True)
        look = await self._lookout.look(chosen)
        unread = {one.name: one.failure for one in chosen if one.failure}
        problems = tuple(
            Finding(message=f"app {name}: {failure}", app=name, hint=failure.hint)
            for name, failure in sorted({**look.failures, **unread}.items())
        )
        return msgspec.structs.replace(look.plan, problems=problems)

    async def reconcile(self, names: Collection[str], *, ended: Callable[[AppPass], None]) -> None:
        """One pass over these apps; each is told of in one of the calls of `ended`."""
        try:
            await self._reconcile(names, ended)
        finally:
            self._board.end(names)

    async def _reconcile(self, names: Collection[str], ended: Callable[[AppPass], None]) -> None:
        self._desired_state.ask_again(names)
        chosen = await self._chosen(names)
        _, failures = each_now(chosen, self._recorder.end_suspension, doing="resuming")
        outcome = Outcome()
        able = [one for one in chosen if one.name not in failures]
        look = await self._look_with_secrets(able, outcome)
        failures.update(look.failures)
        deployments = {one.name: one for one in able if one.name not in failures}
        self._dependencies.begin(names, look.plan, self._desired_state.latest())
        await self._watch()
        gone = tuple(name for name in names if name not in {one.name for one in chosen})
        for name in gone:
            self._board.apps.pop(name, None)
            self._images.wants(name, ())
        ended(AppPass(apps=gone))
        ended(self._unseen([one for one in chosen if one.name in failures], failures))
        send, receive = anyio.create_memory_object_stream[str](len(deployments))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._execute, look.plan, outcome, send)
            async for some in batches(receive):
                await self._end([deployments[name] for name in some], look, outcome, ended)

    async def _execute(
        self, plan: Plan, outcome: Outcome, send: MemoryObjectSendStream[str]
    ) -> None:
        with send:
            await self._executor.execute(
                plan,
                revisions={one.app: one.revision for one in plan.verdicts},
                outcome=outcome,
                ended=send.send_nowait,
            )

    async def _end(
        self,
        deployments: Sequence[Deployment],
        look: Look,
        outcome: Outcome,
        ended: Callable[[AppPass], None],
    ) -> None:
        """Conclude for those apps of a pass that have come to their end.

        Raises nothing: the others' jobs are waited for all the same.
        """
        steps = _by_app(look.plan)
        self._board.end([one.name for one in deployments])
        try:
            for one in deployments:
                mine = steps.get(one.name, ())
                self._forget_health(one, mine)
                # Building takes as long as it takes: what was built has the time of a trial.
                began = any(isinstance(step, TryRevision) for step in mine)
                if began and any(isinstance(step, BuildImage) for step in mine):
                    self._overrides.renew_trials((one.name,))
            if look.plan.steps:
                observed = await self._observer.observe_units(deployments, look.observed)
                look = msgspec.structs.replace(look, observed=observed)
        except Exception as error:  # noqa: BLE001  # a defect
            failure = failure_of(error, doing="ending a pass")
            ended(self._unseen(deployments, {one.name: failure for one in deployments}))
            return
        for at in range(0, len(deployments), _ENDED_AT_ONCE):
            some = deployments[at : at + _ENDED_AT_ONCE]
            ended(await self._end_some(some, look, steps, outcome))
            await anyio.lowlevel.checkpoint()

    async def _end_some(
        self,
        deployments: Sequence[Deployment],
        look: Look,
        steps: Mapping[str, Sequence[Step]],
        outcome: Outcome,
    ) -> AppPass:
        try:
            with self._ledger.together():
                done = self._conclude(deployments, look, steps, outcome)
        except Exception as error:  # noqa: BLE001  # a defect
            failure = failure_of(error, doing="ending a pass")
            return self._unseen(deployments, {one.name: failure for one in deployments})
        left = [one.name for one in deployments if one.wanted is None]
        try:
            if left:
                await self._watch()  # systemd keeps what has left in mind while it is followed
        except Exception as error:  # noqa: BLE001  # the next pass over them follows anew
            done.failures.update(dict.fromkeys(left, failure_of(error, doing="following units")))
        return done

    def _unseen(
        self, deployments: Sequence[Deployment], failures: Mapping[str, Failure]
    ) -> AppPass:
        """Say of apps why it is not known how they stand."""
        now = self._clock.now()
        for one in deployments:
            old = self._board.apps.get(one.name)
            self._board.apps[one.name] = new = unseen(one, old, failures[one.name])
            for event in changes_of_state(old, new, now=now):
                self._ledger.append(event)
        return AppPass(
            apps=tuple(one.name for one in deployments),
            failures={one.name: failures[one.name] for one in deployments},
        )

    def _forget_health(self, deployment: Deployment, steps: Sequence[Step]) -> None:
        """What was known of what a pass has touched does not hold any more."""
        for step in steps:
            if isinstance(step, StartUnit | RestartUnit | StopUnit):
                self._probes.forget(step.unit)
                self._observer.forget_words(step.unit)
        if any(not isinstance(step, SetHealthInterval) for step in steps):
            self._health.mark_suspect(units_of(deployment))

    async def _chosen(
        self, names: Collection[str], *, unseen_is_ready: bool = False
    ) -> list[Deployment]:
        everything = await self._desired_state.deployments()
        chosen = [everything[name] for name in names if name in everything]
        return self._dependencies.ordered(
            chosen, everything, self._board.apps, unseen_is_ready=unseen_is_ready
        )

    async def _look_with_secrets(self, deployments: Sequence[Deployment], outcome: Outcome) -> Look:
        """Make the secrets that lack first: what they change is planned when they are there."""
        look = await self._lookout.look(deployments)
        self._board.begin(deployments, look.plan, self._ledger.applied())
        if any(isinstance(step, PutSecrets) for step in look.plan.steps):
            revisions = {one.app: one.revision for one in look.plan.verdicts}
            made = await self._executor.put_secrets(look.plan, revisions=revisions, outcome=outcome)
            if made:
                look = await self._lookout.look(deployments)
            # What could not be made is not tried twice.
            steps = tuple(step for step in look.plan.steps if not isinstance(step, PutSecrets))
            plan = msgspec.structs.replace(look.plan, steps=steps)
            look = msgspec.structs.replace(look, plan=plan)
        return look

    async def _watch(self) -> None:
        """Have systemd tell of every unit that podvisor has or is about to have, and of targets."""
        names = {unit for one in self._desired_state.latest().values() for unit in units_of(one)}
        names.update(self._desired_state.targets())
        await self._systemd.watch_units(names)

    def _conclude(
        self,
        deployments: Sequence[Deployment],
        look: Look,
        steps: Mapping[str, Sequence[Step]],
        outcome: Outcome,
    ) -> AppPass:
        """Record what stands now, and say what changed."""
        self._recorder.note_broken(outcome.broken, look.observed)
        for one in deployments:
            mine = steps.get(one.name, ())
            self._recorder.forget_failures([s.unit for s in mine if isinstance(s, ResetFailed)])
        before = {name: one.revision for name, one in self._ledger.applied().items()}
        verdicts = {one.app: one for one in look.plan.verdicts}
        owners = owners_of(self._desired_state.latest())
        ends, failures = each_now(
            deployments,
            lambda one: self._conclude_one(
                one,
                verdicts[one.name],
                look.observed,
                steps.get(one.name, ()),
                outcome,
                owners=owners,
            ),
            doing="recording",
        )
        self._unseen([one for one in deployments if one.name in failures], failures)
        failures.update({name: one.failure for name, one in ends.items() if one.failure})
        requeue = {name for one in ends.values() for name in one.requeue_now}
        changed = {name for name, one in ends.items() if one.changed}
        if not all(verdicts[one.name].complete for one in deployments):
            requeue.update(self.along(verdicts) - verdicts.keys())
        requeue.update(self._dependencies.after(changed, self._desired_state.latest()))
        changed_sources = {
            one.source
            for name, one in self._ledger.applied().items()
            if before.get(name) != one.revision
        }
        return AppPass(
            apps=tuple(one.name for one in deployments),
            failures=failures,
            requeue_at={name: min(one.again) for name, one in ends.items() if one.again},
            sources_changed=frozenset(changed_sources),
            requeue_now=tuple(sorted(requeue)),
        )

    def _conclude_one(
        self,
        deployment: Deployment,
        verdict: Verdict,
        observed: Observed,
        steps: Sequence[Step],
        outcome: Outcome,
        *,
        owners: Mapping[str, str],
    ) -> AppEnd:
        name, now = deployment.name, self._clock.now()
        repairs = self._ledger.repairs()
        failure = outcome.failures.get(name) or outcome.failures.get("")
        end = AppEnd(failure=failure or outcome.unmade.get(name) or deployment.failure)
        self._lookout.note(name, end.failure)
        if not end.failure:
            verdict = self._recorder.with_gate(deployment, verdict, observed)
            before = self._ledger.applied().get(name)
            self._recorder.record(deployment, verdict, before, observed, owners=owners)
        if any(isinstance(step, TryRevision) for step in steps):
            self._recorder.forget_old_trials(name)
        if name in outcome.taken_back:
            end.requeue_now.update(self._recorder.free_dependents(deployment))
        self._images.wants(name, _pulls(steps))
        self._probes.set_probes(units_of(deployment), probes_of(deployment, observed))
        if verdict.next_at:
            end.again.append(verdict.next_at)
        if verdict.gate and (at := self._gate_looks_at(name, verdict.gate, now)):
            end.again.append(at)
        for unit in outcome.broken.keys() & units_of(deployment):
            memory = repairs.get(unit)
            end.again.append(memory.next_at if memory else now)
        end.again.extend(looks_again(units_of(deployment), observed.units, repairs, now))
        # What is left to do after these is planned when they are done.
        if not end.failure and any(isinstance(step, RunJob | RemoveVolume) for step in steps):
            end.requeue_now.add(name)
        end.changed = self._show(deployment, verdict, observed, end.failure)
        return end

    def _gate_looks_at(self, name: str, word: Gate, now: float) -> float:
        """When to look at a trial again: at once if it failed, to take it back; 0 is never."""
        if word.state is not GateState.FAILED:
            return word.look_at
        before = self._board.apps.get(name)
        said_already = before is not None and before.gate == word.reason
        return now + _STUCK_SECONDS if said_already else now

    def _show(
        self,
        deployment: Deployment,
        verdict: Verdict,
        observed: Observed,
        failure: Failure | None,
    ) -> bool:
        """Put the app's new status on the board, and into the event log what changed in it.

        Returns whether its state or its revision is another one than before.
        """
        name = deployment.name
        if deployment.wanted is None and verdict.complete and not failure:
            return self._board.apps.pop(name, None) is not None
        old = self._board.apps.get(name)
        status = app_status(
            deployment,
            verdict,
            observed,
            applied=self._ledger.applied().get(name),
            repairs=self._ledger.repairs(),
            failure=failure,
            broken=self._recorder.broken,
            image_error=self._images.error,
            now=self._clock.now(),
        )
        self._board.apps[name] = status
        self._recorder.note_failed(status)
        for event in changes_of_state(old, status, now=self._clock.now()):
            self._ledger.append(event)
        before = (old.state, old.revision) if old else None
        return before != (status.state, status.revision)


def _by_app(plan: Plan) -> dict[str, list[Step]]:
    """A plan's steps by app: with many apps, looking for each in all steps takes for ever."""
    steps: dict[str, list[Step]] = {}
    for step in plan.steps:
        steps.setdefault(step.app, []).append(step)
    return steps


def _pulls(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(step.image for step in steps if isinstance(step, PullImage))
