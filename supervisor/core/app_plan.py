"""The plan for one app: which of its states can be had now, and the way there.

`planner.plan` calls it for each app of a pass and puts the steps in their order.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from supervisor.core.draft import Draft
from supervisor.core.file_plan import plan_files, plan_folder_removal, plan_fresh_load
from supervisor.core.gate import is_installed, trial_of
from supervisor.core.health import plan_health
from supervisor.core.jobs import failed_job, pending_jobs, plan_forgetting, plan_jobs
from supervisor.core.names import PLAIN_SUFFIXES, runtime_names
from supervisor.core.overlay import source_path
from supervisor.core.rollout_plan import ask_gate, quarantined, take_back
from supervisor.core.secret_plan import (
    awaited,
    plan_left,
    plan_puts,
    secret_blockers,
    without_lacking,
)
from supervisor.core.steps import BOOKKEEPING, in_words
from supervisor.core.unit_plan import plan_units
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit, UnitKind
from supervisor.model.errors import Finding
from supervisor.model.observed import Observed
from supervisor.model.plan import (
    DisableUnit,
    PullImage,
    PutSecrets,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    ResetFailed,
    RestartUnit,
    StartUnit,
    Step,
    StopUnit,
    Verdict,
    WriteFile,
)
from supervisor.model.rollout import GateState
from supervisor.model.settings import HealthSettings, RolloutSettings

_SECRETS_LEFT_SECONDS = 5.0
_ADOPT = "(taking it over is for `podvisor adopt`, which is not there yet)"


def plan_app(
    deployment: Deployment,
    observed: Observed,
    now: float,
    *,
    foreign: Mapping[str, str],
    owners: Mapping[str, str],
    health: HealthSettings,
    rollout: RolloutSettings,
    offered: Mapping[str, str],
) -> tuple[list[Step], Verdict]:
    """Plan one app.

    `foreign` maps unit names that the user's own files define to those files, `owners` those
    that some app wants to that app: a unit that moves to another app is not stopped. `offered` maps
    the secrets that any app describes to that app.
    """
    draft = Draft(app=deployment.name, findings=list(deployment.findings))
    wanted, last_good = deployment.wanted, deployment.last_good
    if deployment.keep and deployment.keep_reason:
        hint = "podvisor sync --prune-all removes it"
        message = f"kept as it is: {deployment.keep_reason}"
        draft.findings.append(Finding(message=message, app=draft.app, hint=hint, fatal=False))
    if wanted:
        draft.findings.extend(_blockers(wanted, observed, foreign))
        draft.findings.extend(quarantined(deployment, observed))
        draft.findings.extend(secret_blockers(wanted, observed, offered))
        if found := failed_job(wanted, observed):
            draft.findings.append(found)
    refused = any(finding.fatal for finding in draft.findings)
    on_trial = wanted and trial_of(wanted, observed) and is_installed(wanted, observed)
    changes = not wanted or (deployment.changes and not on_trial)
    if deployment.waits and changes and not refused:
        draft.waiting.extend(one.text for one in deployment.waits)
        draft.after.extend(one.app for one in deployment.waits)
    elif wanted and not refused:
        attempt = _converge(wanted, last_good, observed, now, owners)
        plan_health(wanted, observed, now, health, attempt)
        jobs = pending_jobs(wanted, observed)
        pulls = _missing_images(wanted, attempt.steps, observed, jobs)
        # Secrets come last of what is had ahead: what runs must not meet new ones too early.
        others = awaited(wanted, observed, offered)
        puts = None if pulls else plan_puts(wanted, observed, lacking_only=bool(others))
        is_ready = not pulls and not puts and not others
        if is_ready and jobs:
            plan_jobs(wanted, last_good, jobs, observed, attempt=attempt, draft=draft)
            if last_good:
                draft.extend(_repairs(_converge(last_good, last_good, observed, now, owners)))
            revision = last_good.revision if last_good else ""
            return draft.steps, draft.verdict(revision=revision, complete=False)
        if is_ready:
            word = ask_gate(deployment, attempt, observed, now, settings=rollout)
            if word and word.state is GateState.FAILED:
                take_back(deployment, word, observed, now, draft)
                refused = True
            else:
                names = {secret.name for secret in wanted.secrets}
                left = list(plan_left(wanted.name, names, offered, observed))
                if attempt.steps and left:
                    # What uses them may still run: they go when all else is done.
                    draft.look_again(now + _SECRETS_LEFT_SECONDS)
                elif word is None or word.state is GateState.PASSED:
                    draft.steps.extend(left)
                draft.extend(attempt)
                plan_forgetting(wanted, observed, draft)
                verdict = draft.verdict(revision=wanted.revision, complete=True)
                return draft.steps, msgspec.structs.replace(verdict, gate=word)
        draft.steps.extend(pulls)
        draft.waiting.extend(f"image {step.image}" for step in pulls)
        draft.waiting.extend(f"secret {name} of app {app}" for name, app in others.items())
        if puts:
            draft.steps.append(puts)
            draft.waiting.extend(f"secret {put.secret.name}: {put.reason}" for put in puts.puts)
        if not is_ready and last_good and last_good.revision == wanted.revision:
            missing = {step.image for step in pulls}
            attempt.steps[:] = [
                step for step in attempt.steps if not _starts_without(step, wanted, missing)
            ]
            attempt.steps[:] = without_lacking(attempt.steps, wanted, observed)
            draft.extend(attempt)
    elif not wanted and not refused and not deployment.keep and not deployment.waits:
        _remove_app(deployment, observed, owners, draft)
        draft.steps.extend(plan_left(deployment.name, (), offered, observed))
        return draft.steps, draft.verdict(revision="", complete=True)
    if last_good and (wanted is None or last_good.revision != wanted.revision or refused):
        attempt = _converge(last_good, wanted, observed, now, owners)
        plan_health(last_good, observed, now, health, attempt)
        attempt.steps[:] = without_lacking(attempt.steps, last_good, observed)
        pulls = _missing_images(last_good, attempt.steps, observed, ())
        missing = {step.image for step in pulls}
        attempt.steps[:] = [
            step for step in attempt.steps if not _starts_without(step, last_good, missing)
        ]
        missing.difference_update(step.image for step in draft.steps if isinstance(step, PullImage))
        draft.steps.extend(step for step in pulls if step.image in missing)
        draft.waiting.extend(f"image {image}" for image in sorted(missing))
        puts = plan_puts(last_good, observed)
        if puts and not any(isinstance(step, PutSecrets) for step in draft.steps):
            draft.steps.append(puts)
        draft.extend(attempt)
    revision = last_good.revision if last_good else ""
    return draft.steps, draft.verdict(revision=revision, complete=False)


def left_alone(
    steps: list[Step], verdict: Verdict, observed: Observed
) -> tuple[list[Step], Verdict]:
    """Take from a plan what is not to be done while its app is suspended: all of it."""
    suspension = observed.suspended.get(verdict.app)
    if suspension is None:
        return steps, verdict
    held_back = tuple(in_words(step) for step in steps if not isinstance(step, BOOKKEEPING))
    return [], msgspec.structs.replace(
        verdict, complete=False, held_back=held_back, next_at=suspension.until, gate=None
    )


def _converge(
    app: DesiredApp,
    other: DesiredApp | None,
    observed: Observed,
    now: float,
    owners: Mapping[str, str],
) -> Draft:
    """Bring the machine to `app`: what left it, its files, its units.

    `other` is what it is brought from, or may have been on the way to.
    """
    draft = Draft(app=app.name)
    folder = observed.apps.get(app.name)
    known = {unit.name: unit for unit in other.units} if other else {}
    here = {unit.name for unit in app.units}
    for unit in folder.manifest.units if folder and folder.manifest else ():
        if unit not in here and owners.get(unit, app.name) == app.name:
            _remove_unit(unit, known.get(unit), observed, draft, prune=app.prune_volumes)
    files = plan_files(app, observed, draft)
    plan_units(app, observed, now, files, draft)
    plan_fresh_load(app, observed, draft)
    draft.findings.extend(
        Finding(
            message=f"{path} is in podvisor's folder of {app.name}, but is not podvisor's",
            app=app.name,
            path=path,
            hint="left alone; move it into the source, or out of the folder",
            fatal=False,
        )
        for path in (folder.strangers if folder else ())
    )
    return draft


def _repairs(attempt: Draft) -> Draft:
    """Keep of the way back to the last good state only what brings its units back."""
    attempt.steps[:] = [
        step for step in attempt.steps if isinstance(step, StartUnit) and step.repair
    ]
    attempt.findings.clear()
    attempt.adopt.clear()
    return attempt


def _remove_app(
    deployment: Deployment, observed: Observed, owners: Mapping[str, str], draft: Draft
) -> None:
    """Take away everything that is left of an app."""
    folder = observed.apps.get(deployment.name)
    if folder is None or folder.manifest is None:
        return
    last_good = deployment.last_good
    known = {unit.name: unit for unit in last_good.units} if last_good else {}
    prune = last_good is not None and last_good.prune_volumes
    for unit in folder.manifest.units:
        if owners.get(unit, deployment.name) == deployment.name:
            _remove_unit(unit, known.get(unit), observed, draft, prune=prune)
    reason = "no longer in the source"
    plan_folder_removal(deployment.name, folder.manifest, draft, reason=reason)


def _remove_unit(
    unit: str, known: DesiredUnit | None, observed: Observed, draft: Draft, *, prune: bool
) -> None:
    """Stop a unit that left, and clean up after it; `known` is what it was, if that is known."""
    app, reason = draft.app, "no longer in the source"
    running = {
        name: state
        for name in runtime_names(unit, known.instances if known else ())
        if (state := observed.units.get(name))
    }
    for name, state in running.items():
        if state.active not in {"inactive", "failed"}:
            draft.steps.append(StopUnit(app=app, unit=name, reason=reason))
        draft.steps.append(ResetFailed(app=app, unit=name, reason=reason))
    kind = known.kind if known else None
    if kind is UnitKind.PLAIN or (known is None and unit.endswith(PLAIN_SUFFIXES[1:])):
        draft.steps.append(DisableUnit(app=app, unit=unit, reason=reason))
    for container in observed.inventory.containers or ():
        if container.unit in running:
            draft.steps.append(
                RemoveContainer(app=app, container=container.name, reason=f"left behind by {unit}")
            )
    if known and kind is UnitKind.NETWORK:
        draft.steps.append(RemoveNetwork(app=app, network=known.object_name, reason=reason))
    if known and kind is UnitKind.VOLUME and prune:
        draft.steps.append(
            RemoveVolume(
                app=app,
                volume=known.object_name,
                reason=f"{reason}, and the app says Prune=volumes",
            )
        )


def _blockers(app: DesiredApp, observed: Observed, foreign: Mapping[str, str]) -> list[Finding]:
    """Names that are taken by what podvisor does not own."""
    folder = observed.apps.get(app.name)
    mine = frozenset(folder.manifest.units if folder and folder.manifest else ())
    findings = []
    for unit in app.units:
        taken = _taken_by(unit, mine, observed, foreign)
        if taken:
            what, mend = taken
            findings.append(
                Finding(
                    message=f"{what} and is not podvisor's; nothing was overwritten",
                    source=app.source,
                    app=app.name,
                    path=source_path(app, unit.path),
                    hint=f"{mend} {_ADOPT}",
                )
            )
    findings.extend(_foreign_files(app, observed))
    findings.extend(_closed_folders(app, observed))
    return findings


def _closed_folders(app: DesiredApp, observed: Observed) -> Iterator[Finding]:
    """Folders into which nothing can be written, since a container took them to itself."""
    folder = observed.apps.get(app.name)
    if folder is None:
        return
    there = {(file.path, file.oid, file.kind) for file in folder.files}
    for closed in folder.closed:
        place = f"{observed.owned_root}/{app.name}/{closed}"
        changes = [
            file
            for file in app.files
            if file.path.rpartition("/")[0] == closed
            and (file.path, file.oid, file.kind) not in there
        ]
        if changes:
            yield Finding(
                message=f"cannot write into {place}: a container took it to itself",
                source=app.source,
                app=app.name,
                path=source_path(app, changes[0].path),
                hint="have it mount a folder of which the source holds no file, or a volume",
            )
        else:
            yield Finding(
                message=f"cannot look into {place}: a container took it to itself;"
                " what was installed there is taken for unchanged",
                source=app.source,
                app=app.name,
                hint="have it mount a folder of which the source holds no file, or a volume",
                fatal=False,
            )


def _foreign_files(app: DesiredApp, observed: Observed) -> Iterator[Finding]:
    """Files that stand where the app's would be written, and that podvisor did not put there."""
    folder = observed.apps.get(app.name)
    if folder is None or (folder.manifest is None and app.name in observed.applied):
        return  # of an app that was here, what lies in its folder is podvisor's
    owned = {file.path for file in folder.manifest.files} if folder.manifest else frozenset()
    wanted = {file.path: file for file in app.files}
    for there in folder.files:
        file = wanted.get(there.path)
        if file and there.path not in owned and (there.oid, there.kind) != (file.oid, file.kind):
            path = f"{observed.owned_root}/{app.name}/{there.path}"
            yield Finding(
                message=f"{path} exists already and is not podvisor's; nothing was overwritten",
                source=app.source,
                app=app.name,
                path=source_path(app, file.path),
                hint=f"move it out of the folder {_ADOPT}",
            )


def _taken_by(
    unit: DesiredUnit, mine: frozenset[str], observed: Observed, foreign: Mapping[str, str]
) -> tuple[str, str] | None:
    """Say what stands in a unit's way, and how to mend that."""
    path = foreign.get(unit.name, "")
    if unit.name in mine:
        return (f"{unit.name} is defined by {path} too", f"remove {path}") if path else None
    state = observed.units.get(unit.name)
    if not path and state and state.load == "loaded" and not _is_ours(unit.name, observed):
        path = "" if state.path.startswith(f"{observed.owned_root}/") else state.path
    if path:
        return f"unit {unit.name} exists already ({path})", f"rename one of them, or remove {path}"
    if unit.kind is UnitKind.CONTAINER:
        for container in observed.inventory.containers or ():
            taken = container.name == unit.object_name and container.unit != unit.name
            if taken and not _is_ours(container.unit, observed):
                mend = f"set ContainerName= to another name, or `podman rm {container.name}`"
                return f"a container named {container.name} exists already", mend
    return None


def _starts_without(step: Step, app: DesiredApp, missing: Collection[str]) -> bool:
    """Whether a step starts a unit whose image is not here."""
    return isinstance(step, StartUnit | RestartUnit) and any(
        step.unit in runtime_names(unit.name, unit.instances)
        for unit in app.units
        if not set(missing).isdisjoint(unit.images)
    )


def _is_ours(unit: str, observed: Observed) -> bool:
    """Whether a unit is podvisor's. If another app has it, that one is giving it up.

    Else `core.conflicts` would have refused whoever wants it.
    """
    return any(
        unit in folder.manifest.units for folder in observed.apps.values() if folder.manifest
    ) or any(unit in app.units for app in observed.applied.values())


def _missing_images(
    app: DesiredApp, steps: Collection[Step], observed: Observed, jobs: Collection[str]
) -> list[PullImage]:
    """Images to have before any of these steps: of what starts, and of what is new."""
    present = observed.inventory.images
    if present is None:
        return []
    starting = {step.unit for step in steps if isinstance(step, StartUnit | RestartUnit)}
    starting.update(jobs)
    writing = {step.file.path for step in steps if isinstance(step, WriteFile)}
    missing: dict[str, str] = {}
    for unit in app.units:
        names = runtime_names(unit.name, unit.instances)
        if unit.path in writing or starting.intersection(names):
            missing.update((image, unit.name) for image in unit.images if image not in present)
    return [
        PullImage(app=app.name, image=image, reason=f"{unit} needs it, and it is not here")
        for image, unit in sorted(missing.items())
    ]
