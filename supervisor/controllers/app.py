"""Reconcile apps: observe, plan, execute, record. Keys `app:NAME`; all that are due in one pass.

They are observed, planned and written together, with one reload between all files and all starts.
Then each comes to its end when its own units have started, and is free for the next pass.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Protocol

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from supervisor.controllers.board import Board
from supervisor.controllers.desire import Desires
from supervisor.controllers.execute import Executor, Outcome
from supervisor.controllers.health import HealthController
from supervisor.controllers.observe import Observer
from supervisor.controllers.orders import Orders
from supervisor.controllers.ports import Folder, Ledger, SourceReader, Systemd
from supervisor.controllers.probes import ProbeController
from supervisor.controllers.record import Recorder, units_of
from supervisor.controllers.turns import Turns
from supervisor.core import planner
from supervisor.core.moves import along, elsewhere, owners_of, taken_units
from supervisor.core.names import runtime_names
from supervisor.core.repair import settles_at
from supervisor.core.report import app_status, changes_of_state
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.errors import Failure
from supervisor.model.health import Probe
from supervisor.model.observed import Observed
from supervisor.model.plan import (
    Plan,
    PullImage,
    PutSecrets,
    Quarantine,
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


class AppPass(msgspec.Struct, kw_only=True):
    """What came of a pass for some of its apps, for the loop."""

    apps: tuple[str, ...]
    failures: dict[str, Failure] = {}
    """App to why its pass was cut short."""
    look_again: dict[str, float] = {}
    """App to when it wants to be looked at again, seconds since the epoch."""
    moved: frozenset[str] = frozenset()
    """Sources of which something else is applied now."""
    stirred: tuple[str, ...] = ()
    """Apps to look at again at once: they come after one that is not as it was, their jobs have
    ended, or what they need is back."""


class Images(Protocol):
    """What is known of images that are waited for; `controllers.image` serves it."""

    def error(self, image: str) -> str: ...

    def wants(self, app: str, images: Collection[str]) -> None: ...


class AppController:
    """Brings apps to their desired state and keeps them there."""

    def __init__(
        self,
        *,
        desires: Desires,
        observer: Observer,
        executor: Executor,
        systemd: Systemd,
        folder: Folder,
        reader: SourceReader,
        ledger: Ledger,
        orders: Orders,
        board: Board,
        clock: Clock,
        images: Images,
        health: HealthController,
        probes: ProbeController,
    ) -> None:
        self._desires = desires
        self._observer = observer
        self._executor = executor
        self._systemd = systemd
        self._folder = folder
        self._reader = reader
        self._ledger = ledger
        self._orders = orders
        self._board = board
        self._clock = clock
        self._images = images
        self._health = health
        self._probes = probes
        self._turns = Turns()
        self._recorder = Recorder(desires=desires, ledger=ledger, orders=orders, clock=clock)

    async def names(self) -> tuple[str, ...]:
        """All apps that should be or still are."""
        await self._desires.news()
        return tuple(await self._desires.deployments())

    async def news(self) -> tuple[str, ...]:
        """Those of which something else is asked than when they were named last."""
        return await self._desires.news()

    def renew_trials(self) -> None:
        """Say that time went by in which nobody looked after the apps."""
        self._orders.renew_trials(self._ledger.applied())

    async def protect(self, source: str) -> None:
        """Keep the content of what was applied in the store: it is the way back."""
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

    def unfinished(self, apps: Collection[str]) -> frozenset[str]:
        """Keys that these apps (all, if empty) wait for: of those that they come after, and own."""
        return self._turns.unfinished(apps)

    def along(self, names: Collection[str]) -> set[str]:
        """Other apps that a pass over these should take along: units go between them."""
        return along(names, self._desires.latest())

    async def plan(self, names: Collection[str]) -> Plan:
        """Work out a pass without carrying it out; what has to come along is part of it."""
        chosen = await self._chosen({*names, *self.along(names)}, unseen_is_ready=True)
        return (await self._look(chosen))[1]

    async def reconcile(self, names: Collection[str], *, ended: Callable[[AppPass], None]) -> None:
        """One pass over these apps; each is told of in one of the calls of `ended`."""
        chosen = await self._chosen(names)
        deployments = {one.name: one for one in chosen}
        self._recorder.end_suspensions(names)
        outcome = Outcome()
        observed, plan = await self._look_with_secrets(chosen, outcome)
        self._turns.begin(names, plan, self._desires.latest())
        await self._watch()
        gone = tuple(name for name in names if name not in deployments)
        for name in gone:
            self._board.apps.pop(name, None)
            self._images.wants(name, ())
        ended(AppPass(apps=gone))
        send, receive = anyio.create_memory_object_stream[str](len(deployments))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._execute, plan, outcome, send)
            async for some in _batches(receive):
                ended(
                    await self._end([deployments[name] for name in some], observed, plan, outcome)
                )

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
        observed: Observed,
        plan: Plan,
        outcome: Outcome,
    ) -> AppPass:
        """Conclude for those apps of a pass that have come to their end."""
        steps = _by_app(plan)
        for one in deployments:
            self._forget_health(one, steps.get(one.name, ()))
        try:
            if plan.steps:
                observed = await self._observer.observe_units(deployments, observed)
        except Failure as failure:
            names = tuple(one.name for one in deployments)
            return AppPass(apps=names, failures=dict.fromkeys(names, failure))
        done = self._conclude(deployments, observed, plan, outcome)
        if any(one.wanted is None for one in deployments):
            await self._watch()  # systemd keeps what has left in mind for as long as it is followed
        return done

    def _forget_health(self, deployment: Deployment, steps: Sequence[Step]) -> None:
        """What was known of what a pass has touched does not hold any more."""
        for step in steps:
            if isinstance(step, StartUnit | RestartUnit | StopUnit):
                self._probes.forget(step.unit)
        if any(not isinstance(step, SetHealthInterval) for step in steps):
            self._health.stir(units_of(deployment))

    async def _chosen(
        self, names: Collection[str], *, unseen_is_ready: bool = False
    ) -> list[Deployment]:
        everything = await self._desires.deployments()
        chosen = [everything[name] for name in names if name in everything]
        return self._turns.ordered(
            chosen, everything, self._board.apps, unseen_is_ready=unseen_is_ready
        )

    async def _look(self, deployments: Sequence[Deployment]) -> tuple[Observed, Plan]:
        observed = await self._observer.observe(deployments)
        foreign = await self._folder.foreign_units()
        plan = planner.plan(
            deployments,
            observed,
            self._clock.now(),
            foreign=foreign,
            health=self._desires.settings.health,
            rollout=self._desires.settings.rollout,
            owners=owners_of(self._desires.latest()),
            taken=taken_units(self._desires.latest()),
            elsewhere=elsewhere({one.name for one in deployments}, self._desires.latest()),
            offered=self._desires.secrets(),
        )
        return observed, plan

    async def _look_with_secrets(
        self, deployments: Sequence[Deployment], outcome: Outcome
    ) -> tuple[Observed, Plan]:
        """Make the secrets that lack first: what they change is planned when they are there."""
        observed, plan = await self._look(deployments)
        if any(isinstance(step, PutSecrets) for step in plan.steps):
            revisions = {one.app: one.revision for one in plan.verdicts}
            made = await self._executor.put_secrets(plan, revisions=revisions, outcome=outcome)
            if made:
                observed, plan = await self._look(deployments)
            # What could not be made is not tried twice.
            steps = tuple(step for step in plan.steps if not isinstance(step, PutSecrets))
            plan = msgspec.structs.replace(plan, steps=steps)
        return observed, plan

    async def _watch(self) -> None:
        """Have systemd tell of every unit that podvisor has or is about to have, and of targets."""
        everything = await self._desires.deployments()
        names = {unit for one in everything.values() for unit in units_of(one)}
        names.update(self._desires.targets())
        await self._systemd.watch_units(names)

    def _conclude(
        self,
        deployments: Sequence[Deployment],
        observed: Observed,
        plan: Plan,
        outcome: Outcome,
    ) -> AppPass:
        """Record what stands now, and say what changed."""
        now = self._clock.now()
        self._recorder.note_broken(outcome.broken, observed)
        failures: dict[str, Failure] = {}
        look_again: dict[str, float] = {}
        before = {name: one.revision for name, one in self._ledger.applied().items()}
        stirred: set[str] = set()
        changed: set[str] = set()
        owners = owners_of(self._desires.latest())
        verdicts = {one.app: one for one in plan.verdicts}
        steps = _by_app(plan)
        applied, repairs = self._ledger.applied(), self._ledger.repairs()
        for deployment in deployments:
            name = deployment.name
            verdict = verdicts[name]
            failure = outcome.failures.get(name) or outcome.failures.get("")
            failure = failure or outcome.unmade.get(name)
            if failure:
                failures[name] = failure
            else:
                verdict = self._recorder.with_gate(deployment, verdict, observed)
                self._recorder.record(deployment, verdict, applied.get(name), owners=owners)
            if any(isinstance(step, TryRevision) for step in steps.get(name, ())):
                self._recorder.forget_old_trials(name)
            if any(isinstance(step, Quarantine) for step in steps.get(name, ())):
                stirred.update(self._recorder.free_dependents(deployment))
            self._images.wants(name, _pulls(steps.get(name, ())))
            self._probes.attend(units_of(deployment), _probes(deployment, observed))
            again = [verdict.next_at] if verdict.next_at else []
            if verdict.gate and (at := self._gate_looks_at(name, verdict.gate, now)):
                again.append(at)
            for unit in outcome.broken.keys() & units_of(deployment):
                memory = repairs.get(unit)
                again.append(memory.next_at if memory else now)
            settling = (settles_at(repairs.get(unit)) for unit in units_of(deployment))
            again.extend(at for at in settling if at > now)
            if again:
                look_again[name] = min(again)
            if not failure and any(isinstance(step, RunJob) for step in steps.get(name, ())):
                stirred.add(name)
            if self._show(deployment, verdict, observed, failure):
                changed.add(name)
        if not all(verdicts[one.name].complete for one in deployments):
            stirred.update(self.along(verdicts) - verdicts.keys())
        stirred.update(self._turns.after(changed, self._desires.latest()))
        moved = {
            one.source
            for name, one in self._ledger.applied().items()
            if before.get(name) != one.revision
        }
        return AppPass(
            apps=tuple(one.name for one in deployments),
            failures=failures,
            look_again=look_again,
            moved=frozenset(moved),
            stirred=tuple(sorted(stirred)),
        )

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
        for event in changes_of_state(old, status, now=self._clock.now()):
            self._ledger.append(event)
        before = (old.state, old.revision) if old else None
        return before != (status.state, status.revision)


async def _batches(receive: MemoryObjectReceiveStream[str]) -> AsyncIterator[list[str]]:
    """What has come by each time that somebody asks."""
    with receive:
        async for first in receive:
            waiting = receive.statistics().current_buffer_used
            yield [first, *(receive.receive_nowait() for _ in range(waiting))]


def _by_app(plan: Plan) -> dict[str, list[Step]]:
    """A plan's steps by app: with many apps, looking for each in all steps takes for ever."""
    steps: dict[str, list[Step]] = {}
    for step in plan.steps:
        steps.setdefault(step.app, []).append(step)
    return steps


def _pulls(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(step.image for step in steps if isinstance(step, PullImage))


def _probes(deployment: Deployment, observed: Observed) -> dict[str, Probe]:
    """Probes of the app's units that run now."""
    return {
        name: unit.probe
        for app in (deployment.last_good, deployment.wanted)
        for unit in (app.units if app else ())
        for name in runtime_names(unit.name, unit.instances)
        if unit.probe and (state := observed.units.get(name)) and state.is_up
    }
