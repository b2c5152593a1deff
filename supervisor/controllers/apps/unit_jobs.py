"""Have systemd start, stop, reload and run units, and take note of what they run with.

Serves `controllers.apps.executor`. What a unit said at the end of a job that failed is part of why.
"""

from contextlib import suppress

import anyio
import anyio.lowlevel
import msgspec

from supervisor.controllers.apps.last_words import LastWords
from supervisor.controllers.ports import Ledger, Systemd
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.health.crash_backoff import reloads_of
from supervisor.core.plan.jobs import after_job
from supervisor.core.status.build_trouble import failed_step
from supervisor.kit.texts import format_duration
from supervisor.model.errors import Failure, Retry
from supervisor.model.observed import JobFailed, JobRun, RepairState
from supervisor.model.plan import (
    BuildImage,
    LeaveUnit,
    ReloadUnit,
    RestartUnit,
    RunJob,
    StartUnit,
    Step,
    StopUnit,
)
from supervisor.model.unit_name import DEFAULT_TARGET

_GRACE_SECONDS = 15.0
_AT_REST = ("inactive", "failed")


class UnitJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for a job and waits for its end. Raises Retry for one after which no step may follow."""

    systemd: Systemd
    words: LastWords
    ledger: Ledger
    settings: CurrentSettings
    owned_root: str
    """The folder that holds the apps' folders."""

    @property
    def _start_seconds(self) -> float:
        return float(self.settings.now.repair.start_timeout)

    async def asked(self, step: Step) -> None:
        """Wait until systemd has answered what was asked of it before: its answers keep the order.

        Why it does not is told to those who asked.
        """
        await anyio.lowlevel.checkpoint()  # they have their turn to ask
        with suppress(Failure):
            await self.systemd.units([getattr(step, "unit", DEFAULT_TARGET)])

    async def build(self, step: BuildImage) -> None:
        """Run the command that makes an image."""
        failed = await self.systemd.run_once(
            f"podvisor-{step.unit}",
            command=step.command,
            folder=step.folder,
            timeout_seconds=float(self.settings.now.repair.pull_timeout),
        )
        failed = await self.words.of_job(failed, step.unit)
        if failed:
            # Which instruction it is, whoever can read the repository may know: not what it said.
            at, said = failed_step(failed.detail)
            where = f"{step.path}, at {at}" if at else step.path
            raise Retry(f"cannot build the image of {step.unit} ({where}): {said}")

    async def stop(self, step: StopUnit) -> None:
        """Stop a unit."""
        failed = await self.systemd.stop(step.unit, timeout_seconds=self._start_seconds)
        failed = await self.words.of_job(failed, step.unit)
        if failed:
            raise Retry(f"cannot stop {step.unit}: {failed.result} {failed.detail}")

    async def start(self, step: StartUnit | RestartUnit) -> JobFailed | None:
        """Start or restart a unit; returns how that ended if not well."""
        # systemd's start limit guards against its own restarts; podvisor has its backoff.
        await self.systemd.reset_failed(step.unit)
        anew = isinstance(step, RestartUnit) or await self._is_older(step)
        act = self.systemd.restart if anew else self.systemd.start
        failed = await act(step.unit, timeout_seconds=self._start_seconds)
        failed = await self.words.of_job(failed, step.unit)
        if failed and failed.result == "refused" and await self._is_up(step.unit):
            # It runs on as what it was, which is not to count as what it should be.
            raise Retry(f"cannot restart {step.unit}: {failed.detail}")
        return failed

    async def _is_older(self, step: StartUnit) -> bool:
        """Whether somebody else began to start it before this pass had its new form loaded.

        A start job would join theirs, and what it was would run and be taken for what it is.
        """
        unit = step.unit
        if step.repair or (await self.systemd.units([unit]))[unit].active in _AT_REST:
            return False
        return (await self.systemd.units([unit], details=[unit]))[unit].before_load

    async def _is_up(self, unit: str) -> bool:
        return (await self.systemd.units([unit]))[unit].active not in _AT_REST

    async def reload(self, step: ReloadUnit) -> None:
        """Have it take up its files."""
        try:
            failed = await self.systemd.reload_unit(step.unit, timeout_seconds=self._start_seconds)
            failed = await self.words.of_job(failed, step.unit)
            if failed:
                raise Retry(f"cannot reload {step.unit}: {failed.result} {failed.detail}")
        except Failure as failure:
            # That it failed is a change of the unit, which names the app: it is not tried at once.
            if step.repair:
                self.ledger.put_repairs([msgspec.structs.replace(step.repair, why=str(failure))])
            raise
        self.ledger.put_repairs([RepairState(unit=reloads_of(step.unit))])

    async def run(self, step: RunJob) -> JobFailed | None:
        """Run a job before a deploy to its end; returns how it ended if not well."""
        states = await self.systemd.units([step.unit], details=[step.unit])
        path = states[step.unit].path
        root = self.owned_root
        if path.startswith(f"{root}/") and not path.startswith(f"{root}/{step.app}/"):
            # Another app is still giving it away: what would run is not this app's job.
            raise Retry(f"cannot run {step.unit}: systemd has it from {path} still")
        await self.systemd.reset_failed(step.unit)
        failed = await self.words.of_job(await self._run_to_its_end(step.unit), step.unit)
        why = str(failed or "")
        run = after_job(self.ledger.get(JobRun, step.app), step.content, step.unit, why=why)
        self.ledger.put(run, step.app)
        return failed

    async def _run_to_its_end(self, unit: str) -> JobFailed | None:
        """Run a oneshot unit; one that takes too long is stopped, and has failed."""
        limit = float(self.settings.now.repair.job_timeout)
        with anyio.move_on_after(limit):
            return await self.systemd.restart(unit, timeout_seconds=limit + _GRACE_SECONDS)
        await self.systemd.stop(unit, timeout_seconds=self._start_seconds)
        detail = f"it had not ended after {format_duration(limit)} ([repair] job_timeout)"
        return JobFailed(unit=unit, result="timeout", detail=detail)

    def remember(self, step: StartUnit | RestartUnit | ReloadUnit | LeaveUnit) -> None:
        """Record what was tried, even in vain: the next try is a repair, with its backoff.

        What is started for a change is something else than what was brought back in vain before.
        """
        if step.inputs:
            self.ledger.put_unit(step.app, step.unit, step.inputs)
        if isinstance(step, StartUnit | RestartUnit):
            self.ledger.put_repairs([step.repair or RepairState(unit=step.unit)])
