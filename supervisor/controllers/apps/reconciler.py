"""Reconcile apps: observe, plan, execute, record. Keys `app:NAME`; all that are due in one pass.

They are observed, planned and written together, with one reload between all files and all starts.
Then each comes to its end when its own units have started, and is free for the next pass.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

import anyio
import anyio.lowlevel
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from supervisor.controllers.apps.app_pass import AppPass
from supervisor.controllers.apps.conclusion import Concluder
from supervisor.controllers.apps.dependents import AppDependencies
from supervisor.controllers.apps.executor import Executor, Outcome
from supervisor.controllers.apps.planner import AppPlanner, Look
from supervisor.controllers.apps.recorder import Recorder
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import each_now, failure_of
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Systemd
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.kit.streams import batches
from supervisor.model.app import Deployment
from supervisor.model.plan import BuildImage, Plan, PutSecrets, TryRevision

_ENDED_AT_ONCE = 20
"""Apps that are concluded in one turn of the event loop."""


class AppReconciler(msgspec.Struct, frozen=True, kw_only=True):
    """Brings apps to their desired state and keeps them there."""

    desired_state: DesiredState
    planner: AppPlanner
    executor: Executor
    recorder: Recorder
    concluder: Concluder
    dependencies: AppDependencies
    systemd: Systemd
    board: StatusBoard

    async def name_all(self, _: str) -> list[str]:
        """Reconcile `all-apps`: name every app that should be, or still is."""
        await self.desired_state.news()
        # One that was refused and is gone now stands on the board alone.
        names = {*await self.desired_state.deployments(), *self.board.apps}
        return Kind.APP.keys(sorted(names))

    async def name_changed(self, _: str) -> list[str]:
        """Reconcile `changed-apps`: name those of which something else is asked than before."""
        return Kind.APP.keys(await self.desired_state.news())

    def along(self, names: Collection[str]) -> set[str]:
        """Other apps that a pass over these should take along; see `AppPlanner`."""
        return self.planner.along(names)

    async def reconcile(self, names: Collection[str], *, ended: Callable[[AppPass], None]) -> None:
        """One pass over these apps; each is told of in one of the calls of `ended`."""
        try:
            await self._reconcile(names, ended)
        finally:
            self.board.end(names)

    async def _reconcile(self, names: Collection[str], ended: Callable[[AppPass], None]) -> None:
        self.desired_state.ask_again(names)
        chosen = await self.planner.choose(names)
        _, failures = each_now(chosen, self.recorder.end_suspension, doing="resuming")
        outcome = Outcome()
        able = [one for one in chosen if one.name not in failures]
        look = await self._look_with_secrets(able, outcome)
        failures.update(look.failures)
        deployments = {one.name: one for one in able if one.name not in failures}
        self.dependencies.begin(names, look.plan, self.desired_state.latest())
        await self._watch()
        gone = tuple(name for name in names if name not in {one.name for one in chosen})
        ended(self.concluder.gone(gone))
        ended(self.concluder.unseen([one for one in chosen if one.name in failures], failures))
        send, receive = anyio.create_memory_object_stream[str](len(deployments))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._execute, look.plan, outcome, send)
            async for some in batches(receive):
                await self._end([deployments[name] for name in some], look, outcome, ended)

    async def _execute(
        self, plan: Plan, outcome: Outcome, send: MemoryObjectSendStream[str]
    ) -> None:
        def tell(app: str) -> None:
            with suppress(anyio.BrokenResourceError):  # the pass is cancelled: nobody hears
                send.send_nowait(app)

        with send:
            await self.executor.execute(plan, outcome=outcome, ended=tell)

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
        try:
            for one in deployments:
                steps = look.plan.steps_of(one.name)
                # Building takes as long as it takes: what was built has the time of a trial.
                began = any(isinstance(step, TryRevision) for step in steps)
                if began and any(isinstance(step, BuildImage) for step in steps):
                    self.recorder.suspensions.renew_trials(one.name)
            look = await self.planner.look_again(deployments, look)
            await anyio.lowlevel.checkpoint()
        except Exception as error:  # noqa: BLE001  # a defect
            failure = failure_of(error, doing="ending a pass")
            done = self.concluder.unseen(deployments, {one.name: failure for one in deployments})
            self._ended(done, ended)
            return
        for at in range(0, len(deployments), _ENDED_AT_ONCE):
            some = deployments[at : at + _ENDED_AT_ONCE]
            done = await self.concluder.conclude(some, look, outcome)
            left = [one.name for one in some if one.wanted is None]
            try:
                if left:
                    await self._watch()  # systemd keeps what has left in mind while it is followed
            except Exception as error:  # noqa: BLE001  # the next pass over them follows anew
                failure = failure_of(error, doing="following units")
                done.failures.update(dict.fromkeys(left, failure))
            self._ended(done, ended)
            await anyio.lowlevel.checkpoint()

    def _ended(self, done: AppPass, ended: Callable[[AppPass], None]) -> None:
        """Let what came of a pass be seen; up to now its apps are shown as being worked on."""
        self.board.end(done.apps)
        ended(done)

    async def _look_with_secrets(self, deployments: Sequence[Deployment], outcome: Outcome) -> Look:
        """Make the secrets that lack first: what they change is planned when they are there."""
        look = await self.planner.look(deployments)
        self.board.begin(deployments, look.plan)
        if any(isinstance(step, PutSecrets) for step in look.plan.steps):
            if await self.executor.put_secrets(look.plan, outcome=outcome):
                look = await self.planner.look(deployments)
            # What could not be made is not tried twice.
            steps = tuple(step for step in look.plan.steps if not isinstance(step, PutSecrets))
            plan = msgspec.structs.replace(look.plan, steps=steps)
            look = msgspec.structs.replace(look, plan=plan)
        return look

    async def _watch(self) -> None:
        """Have systemd tell of every unit that podvisor has or is about to have, and of targets."""
        everything = self.desired_state.latest().values()
        names = (one.runtime_names for one in everything)
        instances = self.planner.instances()
        await self.systemd.watch_units(self.desired_state.targets().union(instances, *names))
