"""Export volumes of an app before another release comes, and put them back when a person says so.

Serves `controllers.apps.executor`. What uses the volumes is stopped meanwhile, for a copy of files
that are being written is worth nothing. Why it failed is kept, so that the planner neither tries it
again at once nor goes on without it.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import chain, count

import anyio
import msgspec

from supervisor.controllers.apps.unit_jobs import UnitJobs
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.ports import Documents, Ledger, Podman, VolumeArchive
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.plan.volumes import kept_snapshots, lacks_room, left_half
from supervisor.kit import backoff
from supervisor.kit.clock import Clock
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.observed import RepairState
from supervisor.model.plan import RestoreVolumes, SnapshotVolumes, StopUnit
from supervisor.model.volumes import AppVolumes, VolumeFailure, VolumeSnapshot

_RESUME_SECONDS = 5.0
"""How long the end of a pass that is cancelled waits for what it starts again."""


class VolumeController(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon."""

    archive: VolumeArchive
    podman: Podman
    jobs: UnitJobs
    ledger: Ledger
    settings: CurrentSettings
    clock: Clock
    keep: Callable[[str], int]
    """How many snapshots of an app stay."""

    async def snapshot(self, step: SnapshotVolumes) -> None:
        """Export the volumes of a step. Raises Retry; what was stopped is started again then."""
        order = remembered(self.ledger, step.app).restore
        async with self._remembering(step.app, order.snapshot.id if order else step.before):
            if order:
                await self._check(step.app, order.snapshot, step.stops)
            ids = [one.id for one in remembered(self.ledger, step.app).snapshots]
            await self.archive.keep(step.app, ids)
            room = await self.archive.room(step.app, step.names)
            if why := lacks_room(room):
                hint = f"make room in {room.folder}; it is tried again by itself"
                raise Retry(f"cannot export volumes {step.volumes}: {why}", hint=hint)
            snapshot = await self._save(step)
            known = remembered(self.ledger, step.app)
            known = msgspec.structs.replace(known, snapshots=(*known.snapshots, snapshot))
            kept = kept_snapshots(known, self.keep(step.app))
            self._put(step.app, msgspec.structs.replace(known, snapshots=kept))
            await self.archive.keep(step.app, [one.id for one in kept])

    async def restore(self, step: RestoreVolumes) -> None:
        """Put the volumes of a step back, if the order stands when the first of them is touched.

        Raises Retry. What was stopped stays so then.
        """
        app, order = step.app, step.order
        if remembered(self.ledger, app).restore != order:
            return
        async with self._remembering(app, order.snapshot.id):
            await self._check(app, order.snapshot, step.users)
            await self._stop(app, await self._running(step.users), reason=step.reason)
            known = remembered(self.ledger, app)
            if known.restore != order:
                return  # a person gave it up, or said another one, meanwhile
            if problem := self.ledger.problem():
                raise Retry(f"cannot put back volumes {step.volumes}: {problem}")
            half = tuple(sorted({*known.half, *order.snapshot.volumes}))
            self._put(app, msgspec.structs.replace(known, half=half))
            await self.archive.load(app, order.snapshot, timeout_seconds=self._seconds)
            if up := await self._running(step.users):
                raise Retry(
                    f"cannot put back volumes {step.volumes}: {up[0]} was started meanwhile"
                )
            known = remembered(self.ledger, app)
            if known.restore == order:
                half = left_half(known, order.snapshot)
                self._put(app, msgspec.structs.replace(known, restore=None, half=half))
        self.ledger.log(
            EventKind.STEP,
            app=app,
            revision=order.snapshot.revision,
            step=str(step.__struct_config__.tag),
            subject=step.volumes,
            reason=step.reason,
        )

    async def forget(self, app: str) -> None:
        """Remove all snapshots of an app. Raises Retry."""
        await self.archive.keep(app, ())
        self.ledger.drop(AppVolumes, app)

    @property
    def _seconds(self) -> float:
        return float(self.settings.now.repair.job_timeout)

    async def _save(self, step: SnapshotVolumes) -> VolumeSnapshot:
        is_kept = False
        try:
            await self._stop(step.app, step.stops, reason=step.reason)
            at = self.clock.now()
            identity = self._new_id(step, at)
            sizes = await self.archive.save(
                step.app,
                identity,
                step.names,
                taken=step.taken,
                timeout_seconds=self._seconds,
            )
            if up := await self._running(step.stops):
                raise Retry(f"cannot export volumes {step.volumes}: {up[0]} was started meanwhile")
            is_kept = not step.resumes
        finally:
            if not is_kept:
                await self._start(step.stops)
        return VolumeSnapshot(
            id=identity,
            release=step.release,
            revision=step.revision,
            at=at,
            before=step.before,
            volumes=sizes,
            stopped=step.stops if is_kept else (),
        )

    def _new_id(self, step: SnapshotVolumes, at: float) -> str:
        """Return the id of a snapshot of that moment: of two of one second, each its own."""
        first = f"{step.release or 'unknown'}-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"
        known = {one.id for one in remembered(self.ledger, step.app).snapshots}
        others = (f"{first}-{number}" for number in count(2))
        return next(one for one in chain([first], others) if one not in known)

    async def _check(self, app: str, snapshot: VolumeSnapshot, users: Collection[str]) -> None:
        """Raise Retry if a snapshot cannot be put back, which a person may mend.

        Its files are damaged or gone, or a container that is of none of these units, the `users`,
        runs and would find the volumes emptied.
        """
        try:
            await self.archive.check(app, snapshot)
        except Stalled as error:
            raise Retry(str(error), hint=error.hint) from error
        for one in await self.podman.volume_users(snapshot.volumes):
            # Those that a `.kube` plays have no unit.
            if one.unit not in users and (one.unit or not one.pod):
                volumes = ", ".join(sorted(snapshot.volumes))
                unit = f" ({one.unit})" if one.unit else ""
                raise Retry(
                    f"cannot put back volumes {volumes}: container {one.name}{unit}, which is not"
                    " of the app, uses them and runs",
                    hint="stop it (podvisor suspend its app first); it is tried again by itself",
                )

    async def _running(self, units: Collection[str]) -> list[str]:
        states = await self.jobs.systemd.units(units)
        return [name for name, one in states.items() if not one.has_ended]

    async def _stop(self, app: str, units: Collection[str], *, reason: str) -> None:
        async with anyio.create_task_group() as tasks:
            for unit in units:
                tasks.start_soon(self.jobs.stop, StopUnit(app=app, unit=unit, reason=reason))
        # That they are down is nobody's failure.
        self.ledger.put_repairs(RepairState(unit=unit) for unit in units)

    async def _start(self, units: Collection[str]) -> None:
        """Start again what was stopped, as it was; what does not come up, the next pass repairs."""
        systemd = self.jobs.systemd
        seconds = float(self.settings.now.repair.start_timeout)
        with anyio.move_on_after(_RESUME_SECONDS, shield=True):
            async with anyio.create_task_group() as tasks:
                for unit in units:
                    tasks.start_soon(lambda one: systemd.start(one, timeout_seconds=seconds), unit)

    @asynccontextmanager
    async def _remembering(self, app: str, about: str) -> AsyncIterator[None]:
        """Keep why it failed, and when it may be tried again; or that it did not."""
        try:
            yield
        except Exception as error:
            failure = failure_of(error, doing=f"handling the volumes of app {app}")
            known = remembered(self.ledger, app)
            before = known.failure
            times = before.failures + 1 if before and before.before == about else 1
            failed = VolumeFailure(
                before=about,
                why=f"{failure}; {failure.hint}" if failure.hint else str(failure),
                failures=times,
                next_at=self.clock.now() + backoff.delay(backoff.CHECK_SECONDS, times),
            )
            self._put(app, msgspec.structs.replace(known, failure=failed))
            raise failure from error
        known = remembered(self.ledger, app)
        if known.failure:
            self._put(app, msgspec.structs.replace(known, failure=None))

    def _put(self, app: str, known: AppVolumes) -> None:
        self.ledger.put(known, app)


def remembered(ledger: Documents, app: str) -> AppVolumes:
    """What is remembered of an app's volumes."""
    return ledger.get(AppVolumes, app) or AppVolumes()
