"""The plan for one app: which of its states can be had now, and the way there.

`planner.plan` calls it for each app of a pass and puts the steps in their order.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from supervisor.core.health.gate import is_installed, trial_of
from supervisor.core.plan.blockers import blockers
from supervisor.core.plan.certificates import awaited_certificates, certificate_blockers
from supervisor.core.plan.check_intervals import plan_check_intervals
from supervisor.core.plan.draft import Draft, without_starts
from supervisor.core.plan.files import plan_files, plan_folder_removal, plan_fresh_load
from supervisor.core.plan.jobs import failed_job, pending_jobs, plan_forgetting, plan_jobs
from supervisor.core.plan.needs import blocked_units, ends_for_good, unmet_images, unmet_needs
from supervisor.core.plan.ownership import plan_leftovers, pruned_volumes
from supervisor.core.plan.rolling import in_turns
from supervisor.core.plan.rollout import ask_gate, cut_short, quarantined, take_back
from supervisor.core.plan.secrets import plan_left, plan_puts, secret_blockers
from supervisor.core.plan.step_text import BOOKKEEPING, in_words
from supervisor.core.plan.unhealthy import restart_unhealthy
from supervisor.core.plan.units import plan_units
from supervisor.core.plan.volumes import keep_down, plan_volumes, start_again
from supervisor.kit.texts import count
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.need import NeedKind
from supervisor.model.observed import Observed, PodmanObject
from supervisor.model.plan import (
    DisableUnit,
    ForgetSnapshots,
    PullImage,
    PutSecrets,
    RemoveContainer,
    ResetFailed,
    StartUnit,
    Step,
    StopUnit,
    Verdict,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import GateState
from supervisor.model.settings import HealthSettings, RolloutSettings
from supervisor.model.unit_name import is_template, template_of

_LEFT_SECONDS = 5.0
_GONE = "no longer in the source"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan for one app is made from."""

    deployment: Deployment
    observed: Observed
    now: float
    owners: Mapping[str, str]
    """Units that some app wants, each with that app: one that moves there is not stopped."""
    offered: Mapping[str, str]
    """Secrets that some app describes, each with that app."""
    certificates: Mapping[str, str]
    """Certificates that some app describes, each with that app."""
    health: HealthSettings
    rollout: RolloutSettings


def plan_app(given: Given) -> tuple[list[Step], Verdict]:
    """Plan one app."""
    deployment = given.deployment
    wanted, last_good = deployment.wanted, deployment.way_back
    draft = Draft(app=deployment.name, findings=list(_findings(given)))
    refused = any(finding.fatal for finding in draft.findings)
    draft.findings.extend(deployment.refusal)
    has_to_wait = deployment.waits and _changes(given)
    goes_on = not refused and not has_to_wait
    draft.steps.extend(cut_short(deployment, given.observed, given.now, goes_on=goes_on))
    if refused:
        pass
    elif has_to_wait:
        draft.waiting.extend(deployment.waits)
    elif wanted:
        if verdict := _plan_wanted(given, wanted, draft):
            return draft.steps, verdict
    elif not deployment.keep and not deployment.waits:
        is_gone = _remove_app(given, draft)
        draft.steps.extend(plan_left(deployment.name, (), given.offered, given.observed))
        return draft.steps, draft.verdict(revision="", complete=is_gone)
    is_another = wanted is None or refused or (last_good and last_good.content != wanted.content)
    if given.observed.known_volumes(deployment.name).half:
        keep_down(deployment, given.observed, draft)
    elif last_good and is_another:
        _plan_last_good(given, last_good, draft)
    revision = last_good.revision if last_good else ""
    return draft.steps, draft.verdict(revision=revision, complete=False)


def _findings(given: Given) -> Iterator[Finding]:
    """Yield what was found of what is asked; the fatal ones keep it out."""
    deployment, observed = given.deployment, given.observed
    by_hand = observed.app(deployment.name).by_hand
    yield from (one for one in deployment.findings if one.absent not in by_hand)
    if deployment.keep and deployment.keep_reason:
        yield Finding(
            message=f"kept as it is: {deployment.keep_reason}",
            app=deployment.name,
            hint="it is removed when you say so",
            command="podvisor sync --prune-all",
            fatal=False,
        )
    if wanted := deployment.wanted:
        yield from blockers(wanted, observed)
        yield from quarantined(deployment, observed)
        yield from secret_blockers(wanted, observed, given.offered)
        yield from certificate_blockers(wanted, given.certificates, there=observed.certificates)
        if found := failed_job(wanted, observed):
            yield found


def _changes(given: Given) -> bool:
    """Whether what is asked is another thing than what is here, or is being tried here."""
    wanted, observed = given.deployment.wanted, given.observed
    if wanted is None:
        return True
    on_trial = trial_of(wanted, observed) and is_installed(wanted, observed)
    return given.deployment.changes and not on_trial


def _plan_wanted(given: Given, wanted: DesiredApp, draft: Draft) -> Verdict | None:
    """Bring the app to what is wanted, or first what that needs.

    Returns None if the app is to be as it was last good meanwhile.
    """
    deployment, observed, now = given.deployment, given.observed, given.now
    last_good = deployment.way_back
    attempt = _converge(given, wanted, last_good)
    start_again(wanted, observed, now, attempt)
    jobs = pending_jobs(wanted, observed)
    needs, meeting = unmet_needs(
        wanted,
        attempt.steps,
        observed,
        jobs=jobs,
        offered=given.offered,
        certificates=given.certificates,
    )
    steps, half = len(draft.steps), observed.known_volumes(wanted.name).half
    goes_first = half or not needs
    if goes_first and plan_volumes(deployment, attempt, observed, now, draft, jobs=jobs):
        if len(draft.steps) == steps and not half:
            if last_good and last_good.content == wanted.content:
                draft.extend(_repairs(wanted, attempt, observed))
            return None
        draft.leave(attempt)
        revision = last_good.revision if last_good else ""
        return draft.verdict(revision=revision, complete=False)
    if jobs and not needs:
        plan_jobs(wanted, last_good, jobs, observed, attempt=attempt, draft=draft)
        if last_good:
            repairs = _repairs(last_good, _way(given, last_good, last_good), observed)
            draft.extend(repairs)
        draft.leave(attempt)
        revision = last_good.revision if last_good else ""
        return draft.verdict(revision=revision, complete=False)
    word = ask_gate(deployment, attempt, observed, now, settings=given.rollout, lacking=needs)
    if word and word.state is GateState.FAILED:
        take_back(deployment, word, observed, now, draft)
        return None
    if needs:
        if word and word.look_at:
            draft.look_again(word.look_at)
        draft.steps.extend(meeting)
        draft.waiting.extend(needs)
        if last_good and last_good.content == wanted.content:
            _keep_up(given, wanted, attempt, draft)
        else:
            draft.leave(attempt)
        return None
    left = list(_left(given, wanted))
    if attempt.steps and left:
        # What uses them may still run: they go when all else is done.
        draft.look_again(now + _LEFT_SECONDS)
    elif word is None or word.state is GateState.PASSED:
        draft.steps.extend(left)
    now_due, rolling = _now_due(given, wanted, attempt)
    draft.extend(now_due)
    plan_forgetting(wanted, observed, draft)
    verdict = draft.verdict(revision=wanted.revision, complete=True)
    return msgspec.structs.replace(verdict, gate=word, rolling=rolling)


def _left(given: Given, wanted: DesiredApp) -> Iterator[Step]:
    """Yield the removals of what was made for the app as it was, and is not to stay."""
    names = {secret.name for secret in wanted.secrets}
    yield from plan_left(wanted.name, names, given.offered, given.observed)
    if wanted.options.prune_volumes and not given.deployment.spare_volumes:
        yield from pruned_volumes(wanted.name, wanted, given.observed, given.owners)


def _plan_last_good(given: Given, last_good: DesiredApp, draft: Draft) -> None:
    """Keep the app as it was last good, as far as what it needs is there; that is had, too."""
    observed = given.observed
    attempt = _converge(given, last_good, given.deployment.wanted)
    others = {NeedKind.SECRET, NeedKind.CERTIFICATE}
    startable = without_starts(attempt.steps, blocked_units(last_good, observed, kinds=others))
    asked = {step.image for step in draft.steps if isinstance(step, PullImage)}
    for need, pull in unmet_images(last_good, startable, observed):
        if pull.image not in asked:
            draft.waiting.append(need)
            draft.steps.append(pull)
    puts = plan_puts(last_good, observed)
    if puts and not any(isinstance(step, PutSecrets) for step in draft.steps):
        draft.steps.append(puts)
    starting, told = attempt.touched, {(need.kind, need.subject) for need in draft.waiting}
    draft.waiting.extend(
        need
        for need in awaited_certificates(last_good, observed, given.certificates)
        if (need.kind, need.subject) not in told and not starting.isdisjoint(need.units)
    )
    _keep_up(given, last_good, attempt, draft)


def _keep_up(given: Given, app: DesiredApp, attempt: Draft, draft: Draft) -> None:
    """Take what can be done now of the way to an app of which something is lacking.

    What runs is not ended for what could not start again.
    """
    if ends_for_good(app, attempt.steps, given.observed):
        attempt = _repairs(app, attempt, given.observed)
    attempt.steps = without_starts(attempt.steps, blocked_units(app, given.observed))
    due, _ = _now_due(given, app, attempt)
    draft.extend(due)


def _now_due(given: Given, app: DesiredApp, attempt: Draft) -> tuple[Draft, tuple[str, ...]]:
    """Return what of the way to `app` can be done now, and the units whose turn comes later.

    The way back is taken at once, by all that have left it.
    """
    observed, due = given.observed, attempt
    rolling: tuple[str, ...] = ()
    if app is given.deployment.wanted or is_installed(app, observed):
        due, rolling = in_turns(app, attempt, observed, given.now, given.rollout)
    plan_fresh_load(app, observed, due)
    return due, rolling


def left_alone(
    steps: list[Step], verdict: Verdict, observed: Observed
) -> tuple[list[Step], Verdict]:
    """Take from a plan what is not to be done while its app is suspended: all of it."""
    suspension = observed.suspended.get(verdict.app)
    if suspension is None:
        return steps, verdict
    due = (step for step in (*steps, *verdict.afterwards) if not isinstance(step, BOOKKEEPING))
    held_back = tuple(map(in_words, due))
    return [], msgspec.structs.replace(
        verdict,
        complete=False,
        held_back=held_back,
        afterwards=(),
        next_at=suspension.until,
        gate=None,
    )


def _converge(given: Given, app: DesiredApp, other: DesiredApp | None) -> Draft:
    """As `_way`, and keep it healthy there."""
    draft = _way(given, app, other)
    restart_unhealthy(app, given.observed, given.now, draft)
    plan_check_intervals(app, given.observed, given.now, given.health, draft)
    return draft


def _way(given: Given, app: DesiredApp, other: DesiredApp | None) -> Draft:
    """Bring the machine to `app`: what left it, its files, its units.

    `other` is what it is brought from, or may have been on the way to.
    """
    observed, now = given.observed, given.now
    draft = Draft(app=app.name)
    _remove_units(given, app, other, draft)
    plan_leftovers(app, observed, given.owners, draft)
    files = plan_files(app, observed, now, draft)
    plan_units(app, observed, now, files, draft)
    draft.findings.extend(
        Finding(
            message=f"{path} is in podvisor's folder of {app.name}, but is not podvisor's",
            app=app.name,
            path=path,
            hint="left alone; move it into the source, or out of the folder",
            fatal=False,
        )
        for path in observed.app(app.name).unowned_files
    )
    return draft


def _repairs(app: DesiredApp, attempt: Draft, observed: Observed) -> Draft:
    """Keep of the way to an app only what brings units back, of which nothing is lacking."""
    able = without_starts(attempt.steps, blocked_units(app, observed))
    steps = [step for step in able if isinstance(step, StartUnit) and step.repair]
    return msgspec.structs.replace(attempt, steps=steps, findings=[], adopt={})


def _remove_app(given: Given, draft: Draft) -> bool:
    """Take away everything that is left of an app; returns whether that is all.

    Its volumes go last, if it says so: what is left of its manifest remembers them until then.
    """
    deployment, observed, owners = given.deployment, given.observed, given.owners
    last_good, manifest = deployment.last_good, observed.app(deployment.name).manifest
    if manifest is None:
        return True
    says_so = last_good is not None and last_good.options.prune_volumes
    prune = not manifest.files or (says_so and not deployment.spare_volumes)
    why = deployment.left_out
    reason = f"left out ({why}); its volumes stay" if why else _GONE
    volumes = pruned_volumes(draft.app, None, observed, owners) if prune else []
    if manifest.files:
        _remove_units(given, None, last_good, draft, reason=reason)
        plan_leftovers(None, observed, owners, draft, reason=reason)
    left = tuple(PodmanObject(UnitKind.VOLUME, step.volume) for step in volumes)
    plan_folder_removal(deployment.name, manifest, draft, left=left, reason=reason)
    draft.steps.extend(volumes)
    if prune and draft.app in observed.volumes:
        why = "its volumes go with it, as the app says Prune=volumes"
        draft.steps.append(ForgetSnapshots(app=draft.app, reason=why))
    return not volumes


def _remove_units(
    given: Given,
    app: DesiredApp | None,
    other: DesiredApp | None,
    draft: Draft,
    *,
    reason: str = _GONE,
) -> None:
    """Stop what the app has and will not have, and clean up after it.

    `other` is what the app was, as far as that is known; which instances of a template were
    started is in the ledger.
    """
    observed, owners = given.observed, given.owners
    folder, known = observed.app(draft.app), observed.applied.get(draft.app)
    units = other.by_name if other else {}
    started = known.units if known else ()
    had = {name: None for name in started if template_of(name) in folder.units}
    for name in folder.units:
        if name in units:
            had.update(dict.fromkeys(units[name].runtime_names))
        elif not is_template(name):
            had[name] = None
    stays = app.runtime_units if app else {}
    replicas = {unit.name: unit for unit in (app.units if app else ()) if unit.has_replicas}
    kept = {*stays, *(app.needs if app else ()), *observed.needed_by}
    there = {*had, *observed.units}.difference(kept) if replicas else ()
    for name in _surplus(replicas, there):
        had.pop(name, None)
        number = count(len(replicas[template_of(name)].instances), "replica")
        _remove_unit(name, observed, draft, f"no more than {number} should run")
    for name in had:
        if name not in stays and owners.get(template_of(name), draft.app) == draft.app:
            _remove_unit(name, observed, draft, reason)
    plain = {unit.path for unit in (app.units if app else ()) if unit.kind is UnitKind.PLAIN}
    links = set(folder.links.values()) - plain
    for name in sorted({path.rpartition("/")[2] for path in links}):
        if owners.get(name, draft.app) == draft.app:
            draft.steps.append(DisableUnit(app=draft.app, unit=name, reason=reason))


def _surplus(replicas: Mapping[str, DesiredUnit], names: Iterable[str]) -> list[str]:
    """Of these units, the instances of these templates that are not to be; the highest first."""
    there = [name for name in names if name not in replicas and template_of(name) in replicas]
    return sorted(there, key=lambda name: (len(name), name), reverse=True)


def _remove_unit(name: str, observed: Observed, draft: Draft, reason: str) -> None:
    app = draft.app
    state = observed.unit(name)
    if state.active != "inactive":
        if state.active != "failed":
            draft.steps.append(StopUnit(app=app, unit=name, reason=reason))
        draft.steps.append(ResetFailed(app=app, unit=name, reason=reason))
    draft.steps.extend(
        RemoveContainer(app=app, container=container.name, reason=f"left behind by {name}")
        for container in observed.inventory.containers or ()
        if container.unit == name
    )
