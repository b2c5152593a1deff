"""The plan for one app: which of its states can be had now, and the way there.

`planner.plan` calls it for each app of a pass and puts the steps in their order.
"""

from collections.abc import Collection, Mapping

import msgspec

from supervisor.core.health.gate import is_installed, trial_of
from supervisor.core.plan.blockers import blockers
from supervisor.core.plan.draft import Draft
from supervisor.core.plan.files import plan_files, plan_folder_removal, plan_fresh_load
from supervisor.core.plan.health import plan_health
from supervisor.core.plan.jobs import failed_job, pending_jobs, plan_forgetting, plan_jobs
from supervisor.core.plan.ownership import plan_leftovers, pruned_volumes
from supervisor.core.plan.rollout import ask_gate, cut_short, quarantined, take_back
from supervisor.core.plan.secrets import (
    awaited,
    plan_left,
    plan_puts,
    secret_blockers,
    without_lacking,
)
from supervisor.core.plan.step_text import BOOKKEEPING, in_words
from supervisor.core.plan.units import plan_units
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.errors import Finding
from supervisor.model.observed import Observed, PodmanObject
from supervisor.model.plan import (
    DisableUnit,
    PullImage,
    PutSecrets,
    RemoveContainer,
    ResetFailed,
    RestartUnit,
    StartUnit,
    Step,
    StopUnit,
    Verdict,
    WriteFile,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import GateState
from supervisor.model.settings import HealthSettings, RolloutSettings
from supervisor.model.unit_name import is_template, template_of

_LEFT_SECONDS = 5.0
_GONE = "no longer in the source"


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
    folder = observed.apps.get(deployment.name)
    by_hand = folder.by_hand if folder else ()
    found_here = [one for one in deployment.findings if one.absent not in by_hand]
    draft = Draft(app=deployment.name, findings=found_here)
    wanted, last_good = deployment.wanted, deployment.last_good
    if deployment.keep and deployment.keep_reason:
        hint = "podvisor sync --prune-all removes it"
        message = f"kept as it is: {deployment.keep_reason}"
        draft.findings.append(Finding(message=message, app=draft.app, hint=hint, fatal=False))
    if wanted:
        draft.findings.extend(blockers(wanted, observed, foreign))
        draft.findings.extend(quarantined(deployment, observed))
        draft.findings.extend(secret_blockers(wanted, observed, offered))
        if found := failed_job(wanted, observed):
            draft.findings.append(found)
    refused = any(finding.fatal for finding in draft.findings)
    draft.findings.extend(deployment.refusal)
    on_trial = wanted and trial_of(wanted, observed) and is_installed(wanted, observed)
    changes = not wanted or (deployment.changes and not on_trial)
    has_to_wait = deployment.waits and changes
    goes_on = not refused and not has_to_wait
    draft.steps.extend(cut_short(deployment, observed, now, goes_on=goes_on))
    if has_to_wait and not refused:
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
        waiting = [f"image {step.image}" for step in pulls]
        waiting.extend(f"secret {name} of app {app}" for name, app in others.items())
        waiting.extend(f"secret {p.secret.name}: {p.reason}" for p in (puts.puts if puts else ()))
        lacking = next(iter(waiting), "")
        word = ask_gate(deployment, attempt, observed, now, settings=rollout, lacking=lacking)
        if word and word.state is GateState.FAILED:
            take_back(deployment, word, observed, now, draft)
            refused = True
        elif is_ready:
            names = {secret.name for secret in wanted.secrets}
            left: list[Step] = [*plan_left(wanted.name, names, offered, observed)]
            if wanted.prune_volumes and not deployment.spare_volumes:
                left.extend(pruned_volumes(wanted.name, wanted, observed, owners))
            if attempt.steps and left:
                # What uses them may still run: they go when all else is done.
                draft.look_again(now + _LEFT_SECONDS)
            elif word is None or word.state is GateState.PASSED:
                draft.steps.extend(left)
            draft.extend(attempt)
            plan_forgetting(wanted, observed, draft)
            verdict = draft.verdict(revision=wanted.revision, complete=True)
            return draft.steps, msgspec.structs.replace(verdict, gate=word)
        else:
            if word and word.look_at:
                draft.look_again(word.look_at)
            draft.steps.extend(pulls)
            draft.waiting.extend(waiting)
            if puts:
                draft.steps.append(puts)
            if last_good and last_good.revision == wanted.revision:
                missing = {step.image for step in pulls}
                attempt.steps[:] = [
                    step for step in attempt.steps if not _starts_without(step, wanted, missing)
                ]
                attempt.steps[:] = without_lacking(attempt.steps, wanted, observed)
                draft.extend(attempt)
    elif not wanted and not refused and not deployment.keep and not deployment.waits:
        is_gone = _remove_app(deployment, observed, owners, draft)
        draft.steps.extend(plan_left(deployment.name, (), offered, observed))
        return draft.steps, draft.verdict(revision="", complete=is_gone)
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
    _remove_units(app, other, observed, owners, draft)
    plan_leftovers(app, observed, owners, draft)
    files = plan_files(app, observed, now, draft)
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
        for path in (folder.unowned_files if folder else ())
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
) -> bool:
    """Take away everything that is left of an app; returns whether that is all.

    Its volumes go last, if it says so: what is left of its manifest remembers them until then.
    """
    folder = observed.apps.get(deployment.name)
    if folder is None or folder.manifest is None:
        return True
    last_good, manifest = deployment.last_good, folder.manifest
    says_so = last_good is not None and last_good.prune_volumes
    prune = not manifest.files or (says_so and not deployment.spare_volumes)
    why = deployment.left_out
    reason = f"left out ({why}); its volumes stay" if why else _GONE
    volumes = pruned_volumes(draft.app, None, observed, owners) if prune else []
    if manifest.files:
        _remove_units(None, last_good, observed, owners, draft, reason=reason)
        plan_leftovers(None, observed, owners, draft, reason=reason)
    left = tuple(PodmanObject(UnitKind.VOLUME, step.volume) for step in volumes)
    plan_folder_removal(deployment.name, manifest, draft, left=left, reason=reason)
    draft.steps.extend(volumes)
    return not volumes


def _remove_units(
    app: DesiredApp | None,
    other: DesiredApp | None,
    observed: Observed,
    owners: Mapping[str, str],
    draft: Draft,
    *,
    reason: str = _GONE,
) -> None:
    """Stop what the app has and will not have, and clean up after it.

    `other` is what the app was, as far as that is known; which instances of a template were
    started is in the ledger.
    """
    folder, known = observed.apps.get(draft.app), observed.applied.get(draft.app)
    units = {unit.name: unit for unit in (other.units if other else ())}
    installed = folder.manifest.units if folder and folder.manifest else ()
    had = {name: None for name in (known.units if known else ()) if template_of(name) in installed}
    for name in installed:
        if name in units:
            had.update(dict.fromkeys(units[name].runtime_names))
        elif not is_template(name):
            had[name] = None
    stays = app.runtime_units if app else {}
    for name in had:
        if name not in stays and owners.get(template_of(name), draft.app) == draft.app:
            _remove_unit(name, observed, draft, reason)
    plain = {unit.path for unit in (app.units if app else ()) if unit.kind is UnitKind.PLAIN}
    links = folder.links.values() if folder else ()
    for name in sorted({path.rpartition("/")[2] for path in links if path not in plain}):
        if owners.get(name, draft.app) == draft.app:
            draft.steps.append(DisableUnit(app=draft.app, unit=name, reason=reason))


def _remove_unit(name: str, observed: Observed, draft: Draft, reason: str) -> None:
    app = draft.app
    state = observed.units.get(name)
    if state and state.active != "inactive":
        if state.active != "failed":
            draft.steps.append(StopUnit(app=app, unit=name, reason=reason))
        draft.steps.append(ResetFailed(app=app, unit=name, reason=reason))
    draft.steps.extend(
        RemoveContainer(app=app, container=container.name, reason=f"left behind by {name}")
        for container in observed.inventory.containers or ()
        if container.unit == name
    )


def _starts_without(step: Step, app: DesiredApp, missing: Collection[str]) -> bool:
    """Whether a step starts a unit whose image is not here."""
    unit = app.runtime_units.get(step.unit) if isinstance(step, StartUnit | RestartUnit) else None
    return unit is not None and not set(missing).isdisjoint(unit.images)


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
        if unit.path in writing or starting.intersection(unit.runtime_names):
            missing.update((image, unit.name) for image in unit.images if image not in present)
    return [
        PullImage(app=app.name, image=image, reason=f"{unit} needs it, and it is not here")
        for image, unit in sorted(missing.items())
    ]
