"""Carry out a plan: one `match` from step to port call, and no choices of its own.

Phases run one after another; within one, systemd's jobs run together (systemd knows their
order), and so do apps' secrets; everything else in turn. Up to the seal, which follows the one
reload, they are those of all apps; after it each app goes through its own, so that one that takes
long to start keeps nobody. When a step fails, its app's later steps are left out; the next pass
mends what is left, since every step can be repeated.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import assert_never

import anyio
import msgspec

from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.apps.unit_jobs import UnitJobs
from supervisor.controllers.apps.volumes import VolumeController
from supervisor.controllers.desired.contents import contents_of
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.ports import Folder, Ledger, Podman, SourceReader
from supervisor.core.plan.step_text import in_words, subject_of
from supervisor.model.errors import Failure
from supervisor.model.events import Event, EventKind
from supervisor.model.observed import JobFailed, JobRun
from supervisor.model.plan import (
    BuildImage,
    CutTrial,
    DisableUnit,
    EnableUnit,
    ForgetSnapshots,
    InstallCertificate,
    LeaveUnit,
    OpenManifest,
    OrderCertificate,
    Plan,
    PullImage,
    PutSecrets,
    Quarantine,
    Reload,
    ReloadUnit,
    RemoveContainer,
    RemoveFile,
    RemoveNetwork,
    RemovePod,
    RemoveSecret,
    RemoveVolume,
    ResetFailed,
    RestartUnit,
    RestoreVolumes,
    RunJob,
    SealManifest,
    SetHealthInterval,
    SnapshotVolumes,
    StartUnit,
    Step,
    StopUnit,
    TryRevision,
    WriteFile,
)

_TOGETHER = (StopUnit, StartUnit, RestartUnit, ReloadUnit, RunJob, BuildImage, PutSecrets)
_STARTED = (StartUnit, RestartUnit, ReloadUnit, LeaveUnit)
"""Steps after which a unit runs with what they say."""
_BYTES_AT_ONCE = 4 << 20
"""Contents of files that are held in memory at a time, unless a single one is larger."""
_FILES_AT_ONCE = 256
_BEGUN_AT_ONCE = 50
"""Jobs that are begun before systemd has to have answered: what waits for room is dear."""
_SILENT = (
    *(OpenManifest, SealManifest, TryRevision),
    *(PullImage, OrderCertificate, InstallCertificate, RestoreVolumes),
)
"""Bookkeeping, and what writes into the event log itself."""


class Outcome(msgspec.Struct, kw_only=True):
    """How a plan went."""

    failures: dict[str, Failure] = {}
    """App to the failure that cut its steps short; "" for a failure that cut all short."""
    broken: dict[str, JobFailed] = {}
    """Unit to its job that ended badly; the app's other steps went on."""
    unmade: dict[str, Failure] = {}
    """App to why its secrets could not be made; its other steps went on."""
    taken_back: set[str] = set()
    """Apps of which a revision was put in quarantine."""

    def failure_of(self, app: str) -> Failure | None:
        """Return what an app's steps failed of, None if they did not."""
        return self.failures.get(app) or self.failures.get("") or self.unmade.get(app)


class Executor(msgspec.Struct, frozen=True, kw_only=True):
    """Carries out plans over the ports."""

    reader: SourceReader
    folder: Folder
    podman: Podman
    ledger: Ledger
    jobs: UnitJobs
    want_image: Callable[[PullImage], None]
    want_certificate: Callable[[str], None]
    secrets: SecretController
    volumes: VolumeController
    doing: Callable[[Step], AbstractContextManager[None]]
    _turns: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    """Of jobs that end at once each is recorded in a turn of the event loop of its own."""

    async def execute(
        self,
        plan: Plan,
        *,
        outcome: Outcome,
        ended: Callable[[str], None],
    ) -> None:
        """Carry out all steps, and say of each app with a verdict when it has come to its end.

        How it went goes into `outcome`.
        """
        revisions = plan.revisions
        shared = [step for step in plan.steps if step.phase <= SealManifest.phase]
        await self._execute(shared, outcome, revisions)
        others = [step.app for step in plan.steps if step.phase > SealManifest.phase]

        async def finish(app: str) -> None:
            steps = [step for step in plan.steps_of(app) if step.phase > SealManifest.phase]
            try:
                await self._execute(steps, outcome, revisions)
            except Exception as error:  # noqa: BLE001  # a defect: the other apps' jobs go on
                outcome.failures[app] = failure_of(error, doing=f"carrying out app {app}")
            if app in revisions:
                ended(app)

        # Whose network is made anew may be in another app's pass, and has its units started too.
        async with anyio.create_task_group() as tasks:
            for app in dict.fromkeys((*revisions, *others)):
                tasks.start_soon(finish, app)

    async def put_secrets(self, plan: Plan, *, outcome: Outcome) -> frozenset[str]:
        """Carry out this part of a plan; returns the apps that it went well for.

        What it fails for is in `outcome.unmade`: the app's other steps are not cut by that. What
        failed its gate is remembered before: with the secrets that come back, it would look new.
        """
        part = Outcome()
        steps = [step for step in plan.steps if isinstance(step, PutSecrets)]
        apps = {step.app for step in steps}
        first = [step for step in plan.steps if isinstance(step, Quarantine) and step.app in apps]
        await self._execute([*first, *steps], part, plan.revisions)
        outcome.unmade.update(part.failures)
        outcome.taken_back.update(part.taken_back)
        return frozenset(step.app for step in steps if step.app not in part.failures)

    async def _execute(
        self, steps: Collection[Step], outcome: Outcome, revisions: dict[str, str]
    ) -> None:
        for _, group in groupby(steps, key=lambda step: step.phase):
            now = [step for step in group if not self._is_cut(step, outcome)]
            together = [step for step in now if isinstance(step, _TOGETHER)]
            for some in _batches(step for step in now if not isinstance(step, _TOGETHER)):
                if not self._is_cut(some[0], outcome):
                    await self._carry_out(some, outcome, revisions)
            if together:
                async with anyio.create_task_group() as tasks:
                    for at, step in enumerate(together, 1):
                        tasks.start_soon(self._carry_out, [step], outcome, revisions)
                        if at % _BEGUN_AT_ONCE == 0:
                            await self.jobs.asked(together[at - 1])

    @staticmethod
    def _is_cut(step: Step, outcome: Outcome) -> bool:
        return step.app in outcome.failures or "" in outcome.failures

    async def _carry_out(
        self, steps: Sequence[Step], outcome: Outcome, revisions: dict[str, str]
    ) -> None:
        """Do one step, or some with files of one app at once, and log that."""
        step = steps[0]
        job: JobFailed | None = None
        failure: Failure | None = None
        try:
            with self.doing(step):
                job = await self._perform(step, steps)
        except Exception as error:  # noqa: BLE001  # a defect: the other steps go on
            failure = failure_of(error, doing=f"a step ({in_words(step)})")
            outcome.failures[step.app] = failure
        if job and not isinstance(step, RunJob):
            outcome.broken[job.unit] = job
        if isinstance(step, Quarantine) and failure is None:
            outcome.taken_back.add(step.app)
        if not isinstance(step, _TOGETHER):
            self._record(steps, job, failure, revisions)
            return
        with anyio.CancelScope(shield=True):  # it is done
            async with self._turns:
                self._record(steps, job, failure, revisions)

    def _record(
        self,
        steps: Sequence[Step],
        job: JobFailed | None,
        failure: Failure | None,
        revisions: dict[str, str],
    ) -> None:
        """Write down, in one transaction, what came of a step, or of some with files of one app."""
        step = steps[0]
        with self.ledger.together():
            if failure is None and isinstance(step, _STARTED):
                self.jobs.remember(step)
            if failure or job or not isinstance(step, _SILENT):
                self.ledger.append(*self._events(steps, job, failure, revisions))

    def _events(
        self,
        steps: Sequence[Step],
        job: JobFailed | None,
        failure: Failure | None,
        revisions: dict[str, str],
    ) -> Iterator[Event]:
        step = steps[0]
        if failure is None and job is None:
            yield from (self._event(one, revisions) for one in steps)
            return
        detail = str(failure or job)
        event = self._event(step, revisions, ok=False, detail=detail)
        if len(steps) > 1:
            subject = f"{event.subject} and {len(steps) - 1} more"
            event = msgspec.structs.replace(event, subject=subject)
        yield event

    def _event(
        self, step: Step, revisions: dict[str, str], *, ok: bool = True, detail: str = ""
    ) -> Event:
        failed = step.failed if isinstance(step, Quarantine) else None
        return Event(
            kind=EventKind.STEP,
            ok=ok,
            app=step.app,
            unit=getattr(step, "unit", ""),
            revision=revisions.get(step.app, ""),
            step=str(step.__struct_config__.tag),
            subject=subject_of(step),
            reason=step.reason,
            author=failed.author if failed and not failed.blamed else "",
            detail=detail or "\n".join(getattr(step, "said", ())),
        )

    async def _perform(  # a port call for each kind of step
        self, step: Step, together: Sequence[Step]
    ) -> JobFailed | None:
        systemd, folder, podman = self.jobs.systemd, self.folder, self.podman
        match step:
            case PullImage():
                self.want_image(step)
            case OrderCertificate() | InstallCertificate():
                self.want_certificate(step.certificate)
            case PutSecrets():
                await self.secrets.put(step)
            case BuildImage():
                await self.jobs.build(step)
            case StopUnit():
                await self.jobs.stop(step)
            case DisableUnit():
                await systemd.disable(step.unit)
            case RemoveContainer():
                await podman.remove_container(step.container)
            case RemoveNetwork():
                await podman.remove_network(step.network)
            case RemovePod():
                await podman.remove_pod(step.pod)
            case RemoveSecret():
                await self.secrets.remove(step.secret)
            case SnapshotVolumes():
                await self.volumes.snapshot(step)
            case ForgetSnapshots():
                await self.volumes.forget(step.app)
            case RestoreVolumes():
                await self.volumes.restore(step)
            case RemoveVolume():
                await podman.remove_volume(step.volume)
            case TryRevision(trial=rollout) | CutTrial(trial=rollout):
                self.ledger.put_rollout(rollout)
            case Quarantine(failed=rollout):
                self.ledger.put_rollout(rollout)
                self.ledger.drop(JobRun, step.app)  # if it is tried again, its jobs run again
            case OpenManifest() | SealManifest():
                await folder.write_manifest(step.manifest)
            case WriteFile():
                await self._write(step.app, [one for one in together if isinstance(one, WriteFile)])
            case RemoveFile():
                paths = [one.path for one in together if isinstance(one, RemoveFile)]
                await folder.remove_files(step.app, paths)
            case EnableUnit():
                path = f"{folder.root}/{step.app}/{step.path}"
                await systemd.enable(path, install=step.install)
            case Reload():
                await systemd.reload()
            case StartUnit() | RestartUnit():
                return await self.jobs.start(step)
            case ReloadUnit():
                await self.jobs.reload(step)
            case LeaveUnit():
                pass  # it is recorded
            case RunJob():
                return await self.jobs.run(step)
            case SetHealthInterval():
                await podman.set_health_interval(step.container_id, step.seconds)
            case ResetFailed():
                await systemd.reset_failed(step.unit)
            case _:
                assert_never(step)
        return None

    async def _write(self, app: str, steps: Sequence[WriteFile]) -> None:
        """Write some files of an app; no more of their contents is held in memory."""
        files = [step.file for step in steps]
        contents = await contents_of(self.reader, steps[0].source, files)
        await self.folder.write_files(app, [(one.file, contents[one.file.oid]) for one in steps])
        self.ledger.put_repairs(one.repair for one in steps if one.repair)


def _batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Files that are written or removed in turn, of one app, as many as may be held in memory.

    Every other step is by itself.
    """
    batch: list[Step] = []
    room = 0
    for step in steps:
        size = step.file.size if isinstance(step, WriteFile) else 0
        is_next = (
            bool(batch)
            and isinstance(step, WriteFile | RemoveFile)
            and (type(step), step.app) == (type(batch[0]), batch[0].app)
            and size <= room
            and len(batch) < _FILES_AT_ONCE
        )
        if not is_next:
            if batch:
                yield batch
            batch, room = [], _BYTES_AT_ONCE
        batch.append(step)
        room -= size
    if batch:
        yield batch
