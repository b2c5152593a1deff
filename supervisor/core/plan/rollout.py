"""A revision on trial: when it begins, and the way back when its gate fails it.

Asked by `core.plan.app` once the steps towards the revision are known; `core.health.gate` judges.
"""

from collections.abc import Container, Iterable, Iterator, Sequence

import msgspec

from supervisor.core.health import gate
from supervisor.core.health.release import images_between, with_author
from supervisor.core.health.release import in_words as in_words_of
from supervisor.core.plan.draft import Draft
from supervisor.core.plan.step_text import in_words
from supervisor.core.plan.unit_inputs import recorded
from supervisor.kit.texts import short_id
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.errors import Finding, Stalled
from supervisor.model.image import Pin
from supervisor.model.incident import IncidentCode
from supervisor.model.need import Need, undone
from supervisor.model.observed import Observed
from supervisor.model.plan import (
    CutTrial,
    Quarantine,
    RestartUnit,
    SetHealthInterval,
    StartUnit,
    Step,
    TryRevision,
)
from supervisor.model.rollout import Gate, Outcome, Rollout
from supervisor.model.settings import RolloutSettings


def ask_gate(
    deployment: Deployment,
    attempt: Draft,
    observed: Observed,
    now: float,
    *,
    settings: RolloutSettings,
    lacking: Sequence[Need] = (),
) -> Gate | None:
    """Ask the gate about a revision that is to stand; one that is not on trial goes on it.

    So does one whose trial something newer cut short, when it comes again. A trial is asked about
    in every pass, whatever is still to be done: what never ends must not keep it from its verdict.

    `attempt` holds the steps towards `wanted`; `lacking` is what they wait for, empty if they can
    be done now. None means that there is nothing to judge.
    """
    wanted = deployment.wanted
    if wanted is None or gate.stands(wanted, observed.applied):
        return None
    changes = [step for step in attempt.steps if _is_change(step)]
    untried = {step.unit for step in changes if isinstance(step, StartUnit | RestartUnit)}
    trial = gate.trial_of(wanted, observed)
    if trial is None:
        if lacking:
            return None
        known = observed.rollouts.get(wanted.name, ())
        trial = gate.begin_trial(
            wanted,
            observed,
            last_good=deployment.last_good,
            images=_images(wanted, observed, attempt.steps),
            changing=untried,
            now=now,
        )
        was = next((one for one in known if one.release == trial.release), None)
        was_good = was is not None and (was.outcome is Outcome.GOOD or was.was_good)
        by = _ordered_by(deployment, wanted, was)
        trial = msgspec.structs.replace(trial, was_good=was_good, by=by)
        reason = f"{in_words_of(wanted, deployment.last_good)} is on trial"
        attempt.steps.insert(0, TryRevision(app=wanted.name, trial=trial, reason=reason))
        # What is down now, before anything of it is done, is not its fault.
        left = "nothing of it is done yet"
        untried = set(wanted.runtime_units)
    elif changes:
        left = observed.hindered.get(wanted.name) or f"not done yet: {in_words(changes[0])}"
    else:
        left = str(lacking[0]) if lacking else undone(attempt.waiting)
    strict = has_way_back(deployment, observed, settings)
    return gate.judge(
        wanted, observed, trial, now, settings, strict=strict, undone=left, untried=untried
    )


def _ordered_by(deployment: Deployment, wanted: DesiredApp, was: Rollout | None) -> str:
    """Say who ordered that this be tried; `was` is what was known of the release before."""
    if deployment.held:
        return deployment.held.by
    new = {(pin.question, pin.runs) for pin in images_between(deployment.last_good, wanted)}
    for one in deployment.orders:
        version = one.pinned.runs if one.pinned else one.now
        if (one.question, version) in new:
            return one.by
    return was.by if was and was.outcome is Outcome.TRIAL else ""


def _images(app: DesiredApp, observed: Observed, steps: Iterable[Step]) -> dict[str, str]:
    """Return the images that an app runs with once these steps are done.

    What runs on does so with what it was started with.
    """
    starting = {step.unit for step in steps if isinstance(step, StartUnit | RestartUnit)}
    here, applied = observed.inventory.images or {}, observed.applied.get(app.name)
    images = {one: here[one] for unit in app.units for one in unit.images if one in here}
    for name, unit in app.runtime_units.items():
        if name not in starting and (old := recorded(name, applied, observed)):
            images.update({one: old.images[one] for one in unit.images if one in old.images})
    return images


def cut_short(
    deployment: Deployment, observed: Observed, now: float, *, goes_on: bool
) -> Iterator[CutTrial]:
    """End the trials of revisions that are not what the app is brought to now.

    `goes_on`: what is wanted can be had. If one comes again, it is tried anew.
    """
    wanted = deployment.wanted.content if deployment.wanted and goes_on else ""
    for one in observed.rollouts.get(deployment.name, ()):
        if gate.is_on(one) and one.content != wanted:
            reason = _why_cut(deployment, one, observed, goes_on=goes_on)
            outcome = Outcome.GOOD if one.was_good else one.outcome
            why = "" if one.was_good else reason
            ended = msgspec.structs.replace(
                one,
                ended_at=now,
                outcome=outcome,
                superseded=not _is_ordered(deployment),
                reason=why,
            )
            yield CutTrial(app=deployment.name, trial=ended, reason=reason)


def _is_ordered(deployment: Deployment) -> bool:
    """Whether people say what the app is at."""
    return deployment.held is not None or any(one.pinned for one in deployment.orders)


def _why_cut(deployment: Deployment, tried: Rollout, observed: Observed, *, goes_on: bool) -> str:
    """Say what became of a release on trial, and for which newer one."""
    wanted, last_good = deployment.wanted, deployment.last_good
    newest = in_words_of(wanted, tried) if wanted else short_id(deployment.wanted_revision)
    if newest in ("", short_id(tried.revision)):
        return "was cut short"
    why = f"was still on trial when {newest} came"
    here = observed.inventory.images
    images = {image for unit in (wanted.units if wanted else ()) for image in unit.images}
    is_awaited = here is not None and not images <= here.keys()
    if (goes_on and not is_awaited) or last_good is None or last_good.content == tried.content:
        return why
    which = "waits for its image" if goes_on else "cannot be had now"
    return f"was taken back to {in_words_of(last_good, tried)}: it {why}, which {which}"


def has_way_back(deployment: Deployment, observed: Observed, settings: RolloutSettings) -> bool:
    """Whether the app is to be taken back, to one that was good, when its wanted revision fails."""
    wanted, last_good = deployment.wanted, deployment.last_good
    applied = observed.applied.get(deployment.name)
    if wanted is None or last_good is None or applied is None:
        return False
    was_good = last_good.content == applied.content != wanted.content
    return was_good and settings.rollback and wanted.options.rollback


def take_back(
    deployment: Deployment, word: Gate, observed: Observed, now: float, draft: Draft
) -> None:
    """Put the revision that failed in quarantine; the way back is that of any other refusal."""
    wanted = deployment.wanted
    trial = gate.trial_of(wanted, observed) if wanted else None
    if wanted is None or trial is None:
        return
    new = images_between(deployment.last_good, wanted)
    blamed = blamed_of(wanted, new, word.unit, observed)
    failed = msgspec.structs.replace(gate.ended(trial, word, now), blamed=blamed, was_good=False)
    reason = f"{in_words_of(wanted, deployment.last_good)} failed: {word.reason}"
    draft.steps.append(Quarantine(app=wanted.name, failed=failed, reason=reason))
    draft.findings.extend(_findings(deployment, failed))


def blamed_of(
    wanted: DesiredApp, new: tuple[Pin, ...], unit: str, observed: Observed
) -> tuple[Pin, ...]:
    """Say which of the new versions of images is not to be chosen again, as this unit failed.

    That of what it needs, if that is down; else its own. If it is not the one at fault, what is
    left of them fails in its turn.
    """
    units = wanted.runtime_units
    failed = units.get(unit)
    if failed is None:
        return new
    needs = (units[one] for one in failed.requires if one in units)
    down = (one for one in needs if not any(observed.unit(n).is_up for n in one.runtime_names))
    for one in (*down, failed):
        if pins := tuple(pin for pin in new if pin.runs in one.images):
            return pins
    return new


def quarantined(deployment: Deployment, observed: Observed) -> Iterator[Finding]:
    """Refuse a revision that failed its gate before."""
    wanted = deployment.wanted
    known = gate.rollout_of(wanted, observed) if wanted else None
    if known and known.outcome is Outcome.FAILED:
        yield from _findings(deployment, known)


def _findings(deployment: Deployment, failed: Rollout) -> Iterator[Finding]:
    if deployment.wanted and deployment.last_good:
        runs = in_words_of(deployment.last_good, failed)
        what = with_author(in_words_of(failed, deployment.last_good), failed)
        yield deployment.wanted.finding(
            f"{what} was taken back to {runs}, as {failed.reason}",
            hint="push a newer one, or have it tried again",
            command=f"podvisor retry {deployment.name}",
            code=IncidentCode.APP_REVERTED,
            log=failed.log,
        )


def older_release(rollouts: Sequence[Rollout], wish: str, *, passed: Container[str]) -> Rollout:
    """Return the release to go back to; `wish` may be the beginning of its id or its revision.

    If it is empty, that is the last one that was good, but for those in `passed`; of a revision
    that ran with several versions of its images likewise. Raises Stalled if there is none, if more
    than one begins so, or if it failed here.
    """
    hint = "podvisor history shows those that were tried"
    found = _named(rollouts, wish, hint=hint) if wish else rollouts
    last = {one.content: one for one in found}
    # Named, those of one content are one.
    chosen = sorted(last.values(), key=lambda one: one.order) if wish else found
    good = [
        one
        for one in chosen
        if one.outcome is last[one.content].outcome is Outcome.GOOD and one.release not in passed
    ]
    if good:
        return good[-1]
    if not wish:
        raise Stalled(
            "cannot roll back: no earlier revision was good here", hint=f"{hint}: name one"
        )
    newest = chosen[-1]
    if newest.outcome is Outcome.FAILED:
        why = f"{short_id(newest.revision)} failed here: {newest.reason}"
        raise Stalled(f"cannot roll back: {why}", hint=hint)
    return newest


def _named(rollouts: Sequence[Rollout], wish: str, *, hint: str) -> list[Rollout]:
    """Return the releases of a revision, or one, by what a person says of it."""
    found = [one for one in rollouts if one.revision.startswith(wish)]
    names = {one.revision for one in found}
    if not found:
        found = [one for one in rollouts if one.release.startswith(wish)]
        names = {one.content for one in found}
    if len(names) == 1:
        return found
    what = "more than one revision begins" if found else "no revision that was tried here begins"
    raise Stalled(f"cannot roll back: {what} with {wish}", hint=hint)


def _is_change(step: Step) -> bool:
    """Whether a step brings the app to its revision, rather than keeping it well there."""
    if isinstance(step, StartUnit | RestartUnit):
        return step.repair is None
    return not isinstance(step, SetHealthInterval)
