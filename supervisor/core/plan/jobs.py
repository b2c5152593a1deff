"""Jobs before a deploy (`[X-Podvisor] Run=before-deploy`): what is put in place for them to run.

A deploy with jobs takes two passes. In the first, only what the jobs need is written of the new
revision, and they run; all else stays as it is, on disk and in systemd, so that whatever is
restarted meanwhile comes back as what it was. When they have ended well, the second does the rest.
If one fails there is no second: the app is at its last good revision, and what was written goes
back to it.
"""

from collections.abc import Mapping

import msgspec

from supervisor.core.files.names import shapes_units
from supervisor.core.files.source_paths import is_below
from supervisor.core.plan.draft import Draft
from supervisor.core.plan.ownership import owned_after
from supervisor.kit.texts import count
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import JobRun, Manifest, Observed, PodmanObject
from supervisor.model.plan import (
    BuildImage,
    EnableUnit,
    OpenManifest,
    Reload,
    ResetFailed,
    RestartUnit,
    RunJob,
    StartUnit,
    Step,
    StopUnit,
    WriteFile,
)
from supervisor.model.quadlet import QUADLETS

_REMADE = {row.kind for row in QUADLETS.values() if row.makes in ("image", "artifact")}
"""What a job needs in its new form, even if the old one is here."""


def pending_jobs(wanted: DesiredApp, observed: Observed) -> tuple[str, ...]:
    """Units that have to run before the app becomes what is wanted, in runtime names."""
    names = [name for name, unit in wanted.runtime_units.items() if unit.before_deploy]
    manifest = observed.app(wanted.name).manifest
    if manifest and manifest.sealed and manifest.content == wanted.content:
        return ()
    run = observed.jobs.get(wanted.name)
    done = run.done if run and run.content == wanted.content else ()
    return tuple(name for name in names if name not in done)


def failed_job(wanted: DesiredApp, observed: Observed) -> Finding | None:
    """Return what keeps a revision out whose job failed, until somebody has it tried again."""
    run = observed.jobs.get(wanted.name)
    if not run or not run.failed or run.content != wanted.content:
        return None
    if run.failed not in pending_jobs(wanted, observed):
        return None
    return wanted.finding(
        f"its job {run.failed} failed, so nothing else was changed: {run.why}",
        wanted.source_path(wanted.runtime_units[run.failed].path),
        f"mend it in the source; or `podvisor sync {wanted.name}` runs it again",
        code=IncidentCode.JOB_FAILED,
        subject=run.failed,
    )


def plan_forgetting(wanted: DesiredApp, observed: Observed, draft: Draft) -> None:
    """Have systemd forget that a job failed of a revision that nobody asks for any more."""
    run = observed.jobs.get(wanted.name)
    if run is None or run.content == wanted.content:
        return
    if observed.unit(run.failed).active == "failed":
        reason = "it failed for a revision that is not wanted any more"
        draft.steps.append(ResetFailed(app=wanted.name, unit=run.failed, reason=reason))


def plan_jobs(
    wanted: DesiredApp,
    last_good: DesiredApp | None,
    pending: tuple[str, ...],
    observed: Observed,
    *,
    attempt: Draft,
    draft: Draft,
) -> None:
    """Add the steps that run the jobs; `attempt` is the whole way to what is wanted."""
    running = [
        name for name in pending if observed.unit(name).active in {"activating", "deactivating"}
    ]
    if running:
        draft.waiting.extend(
            Need(kind=NeedKind.JOB, subject=name, text=name, detail="the job runs")
            for name in running
        )
        return
    needed = _closure(pending, wanted, last_good, observed)
    paths = {
        file.path for file in wanted.files if any(_is_part(file.path, unit) for unit in needed)
    }
    names = {unit.name for unit in needed}
    manifest = observed.app(wanted.name).manifest
    written = [s for s in attempt.steps if isinstance(s, WriteFile) and s.file.path in paths]
    objects = {*owned_after(wanted, observed), *observed.app(wanted.name).objects}
    claim = _claim(wanted, manifest, paths, names, objects)
    if claim != manifest:
        reason = "claims what the app's jobs need"
        draft.steps.append(OpenManifest(app=wanted.name, manifest=claim, reason=reason))
    draft.steps.extend(written)
    links = [s for s in attempt.steps if isinstance(s, EnableUnit) and s.unit in names]
    # A job that has an [Install] is linked only: being enabled is for what stays.
    draft.steps.extend(msgspec.structs.replace(step, install=False) for step in links)
    draft.steps.extend(s for s in attempt.steps if isinstance(s, BuildImage) and s.unit in names)
    shaping = [step.file.path for step in written if shapes_units(step.file.path)]
    shaping.extend(step.path for step in links)
    if shaping:
        draft.steps.append(Reload(reason=f"{wanted.name}: {shaping[0]} is for its jobs"))
    elif manifest and not manifest.sealed:
        draft.steps.append(Reload(reason=f"{wanted.name}: an earlier pass was interrupted"))
    for name in pending:
        reason = "before anything else of the app changes"
        draft.steps.append(
            RunJob(app=wanted.name, unit=name, content=wanted.content, reason=reason)
        )
    later = _told(attempt.steps)
    text = f"{', '.join(pending)} first{f', then {later}' if later else ''}"
    draft.waiting.append(Need(kind=NeedKind.JOB, subject=pending[0], text=text))


def _closure(
    pending: tuple[str, ...], wanted: DesiredApp, last_good: DesiredApp | None, observed: Observed
) -> list[DesiredUnit]:
    """Jobs, and what they need that is not here yet or has to be another one for them."""
    here = last_good.by_name if last_good else {}
    found: dict[str, DesiredUnit] = {}
    queue = list(pending)
    for name in queue:
        unit = wanted.runtime_units.get(name)
        if unit is None or unit.name in found:
            continue
        # What another app still has is not written twice.
        is_here = unit.name in here or observed.unit(name).load == "loaded"
        if name in pending or not is_here or unit.kind in _REMADE:
            found[unit.name] = unit
            queue.extend(unit.requires)
    return list(found.values())


def _is_part(path: str, unit: DesiredUnit) -> bool:
    return (
        path == unit.path or path in unit.drop_ins or any(is_below(path, one) for one in unit.reads)
    )


def _claim(
    wanted: DesiredApp,
    manifest: Manifest | None,
    paths: set[str],
    units: set[str],
    objects: set[PodmanObject],
) -> Manifest:
    """Return the manifest of what stands, and of what is put in place ahead of the rest."""
    files = {file.path: file for file in manifest.files} if manifest else {}
    files.update({file.path: file for file in wanted.files if file.path in paths})
    return Manifest.of(
        manifest or msgspec.structs.replace(wanted, revision="", subject="", author=""),
        files=tuple(sorted(files.values())),
        units=tuple(sorted({*units, *(manifest.units if manifest else ())})),
        sealed=False,
        ahead=wanted.revision,
        objects=tuple(sorted(objects)),
    )


def _told(steps: list[Step]) -> str:
    """Say in a few words what comes after the jobs."""
    verbs: Mapping[type[Step], str] = {StopUnit: "stop", StartUnit: "start", RestartUnit: "restart"}
    words = [
        f"{verbs[type(step)]} {step.unit}"
        for step in steps
        if isinstance(step, StopUnit | StartUnit | RestartUnit)
    ]
    more = f" and {count(len(words) - 3, 'more')}" if len(words) > 3 else ""  # noqa: PLR2004
    return ", ".join(words[:3]) + more


def after_job(run: JobRun | None, content: str, unit: str, *, why: str) -> JobRun:
    """Return the memory after a job has ended; `why` it failed, empty if it ended well."""
    if run is None or run.content != content:
        run = JobRun(content=content)
    if why:
        return msgspec.structs.replace(run, failed=unit, why=why)
    failed = "" if run.failed == unit else run.failed
    return msgspec.structs.replace(
        run, done=(*run.done, unit), failed=failed, why=run.why if failed else ""
    )
