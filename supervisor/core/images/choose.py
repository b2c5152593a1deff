"""Which version of each of its images an app should run: a pure function of what is known.

A version that is newer makes a new release of the app, which its gate judges as any other. What
may not run (yet) is told, with the reason. Never do the files of an app and its images change
together, for then the gate's verdict would be about both; but for an image that the new files name
or follow anew (another name, policy or filter, or another tag to follow: another question, of which
there is no version that runs), or that a person pins. What compares tags, and opens windows, is
loaded with the first version that is newer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import tzinfo

import msgspec

from supervisor.core.images.concerns import repository_of
from supervisor.core.images.rules import effective, update_mode
from supervisor.kit.texts import with_why
from supervisor.model.image import (
    HeldUpdate,
    ImageAhead,
    ImageKnowledge,
    ImageOrder,
    ImagePolicy,
    ImageRule,
    ImageVersion,
    Pin,
    PolicyKind,
    UpdateMode,
    UpdateTerms,
)
from supervisor.model.rollout import Outcome, Rollout
from supervisor.model.settings import ImageSettings
from supervisor.model.source import AppRevision


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an app stands, as far as its images are concerned."""

    app: str
    base: str
    """Of what its source asks for; as of `AppRevision`."""
    good: AppRevision | None = None
    """What passed its gate last, or is installed where nothing has."""
    rollouts: Sequence[Rollout] = ()
    """The oldest first."""
    orders: Mapping[str, ImageOrder] = {}
    """By the question's key."""
    still: str = ""
    """Why nothing of it is to move, as it is held or suspended; empty if that is not so."""
    until: float = 0.0
    """When that ends by itself, seconds since the epoch; 0 is "when a person says so"."""
    idle: Collection[str] = ()
    """Paths of the files whose image nothing is to run now, as what names it is scaled to 0."""


class Choice(msgspec.Struct, kw_only=True):
    """What was chosen for an app."""

    pins: list[Pin] = []
    updates: list[HeldUpdate] = []
    ahead: list[ImageAhead] = []
    """Images to pull although they are not run."""
    soon: list[ImageAhead] = []
    """Images of versions that are newer, and to be run now."""
    unknown: list[ImageRule] = []
    """Of which no version is known."""

    @property
    def look_at(self) -> float:
        """When to choose anew, by the time alone; 0 is never."""
        return min((one.until for one in self.updates if one.until), default=0.0)


class Choosing(msgspec.Struct, frozen=True, kw_only=True):
    """Chooses, for all apps of one moment."""

    knowledge: Mapping[str, ImageKnowledge]
    """By the question's key."""
    settings: ImageSettings
    now: float
    zone: tzinfo | None = None
    """Of the windows; None is this host's."""

    def choose(self, rules: Sequence[ImageRule], standing: Standing) -> Choice:
        """Choose for an app whose units say these rules."""
        choice = Choice()
        asked: dict[str, list[ImageRule]] = {}
        for rule in rules:
            asked.setdefault(rule.question.key, []).append(rule)
        for key, some in asked.items():
            terms = [effective(rule, standing.app, self.settings) for rule in some]
            version = self._version(key, some, terms, standing, choice)
            if version is None:
                if update_mode(terms) is not UpdateMode.OFF:
                    choice.unknown.extend(some)
                continue
            choice.pins.extend(
                Pin(path=rule.path, question=key, runs=version.runs, tag=version.tag)
                for rule in some
            )
        choice.pins.sort()
        return choice

    def _version(
        self,
        key: str,
        rules: Sequence[ImageRule],
        terms: Sequence[UpdateTerms],
        standing: Standing,
        choice: Choice,
    ) -> ImageVersion | None:
        """Return what all units that ask this question are to run; `terms` are theirs."""
        order = standing.orders.get(key)
        known = self.knowledge.get(key)
        newest = known.newest if known else None
        current, mode = _current(key, standing), update_mode(terms)
        if order and order.pinned:
            # What failed its gate at the pin's version runs on as it was: that does not wait.
            pin_failed = any(
                one.outcome is Outcome.FAILED
                and any((pin.question, pin.runs) == (key, order.pinned.runs) for pin in one.pins)
                for one in standing.rollouts
            )
            runs_on = pin_failed and current and newest and current.runs == newest.runs
            if newest and newest.runs != order.pinned.runs and not runs_on:
                why = with_why(f"pinned to {order.pinned}", order.reason)
                choice.updates.append(_held(standing, rules, newest, why))
            return order.pinned
        if mode is UpdateMode.OFF:
            return current
        if current is None or known is None or newest is None or newest.runs == current.runs:
            # What the same digest is called may have changed; that is no other release.
            return current or newest
        tried = _on_trial(key, standing)
        if tried and tried.runs == newest.runs:
            return newest
        why, until, early = "", 0.0, False
        if (failed := failed_images(standing.rollouts).get((key, newest.runs))) is not None:
            choice.updates.append(_held(standing, rules, newest, failed, failed=True))
            return tried or _superseded(key, standing) or current
        if standing.still:
            why, until = standing.still, standing.until
        elif all(rule.path in standing.idle for rule in rules):
            # Nothing could be judged of it: it would count as good.
            why = "nothing of it runs, as it is scaled to 0: it is tried with the first that does"
        elif _is_older(newest, current, known.question.policy):
            back = f"podvisor pin {standing.app} {repository_of(rules[0].question)} {newest.tag}"
            why = f"it is older than {current.tag}, which runs ({back} goes back to it)"
        elif not (order and order.now == newest.runs):
            why, until = self._early(newest, terms)
            early = bool(why)
        if not why and (standing.good is None or standing.good.base != standing.base):
            why = "another revision of the app comes first"
        ahead = ImageAhead(image=newest.runs, authfile=known.question.authfile)
        if not why:
            choice.soon.append(ahead)
            return newest
        update = _held(standing, rules, newest, why, until)
        choice.updates.append(msgspec.structs.replace(update, early=early))
        if mode is UpdateMode.DOWNLOAD:
            choice.ahead.append(ahead)
        return tried or current

    def _early(self, newest: ImageVersion, terms: Collection[UpdateTerms]) -> tuple[str, float]:
        """Say why a version is not to be run by itself (yet), and until when; empty if it is.

        The time is 0 where time alone changes nothing.
        """
        mode = update_mode(terms)
        if mode is not UpdateMode.AUTO:
            return f"update is {mode}", 0.0
        ripe = (newest.pushed_at or newest.seen_at) + max(one.cooldown for one in terms)
        if ripe > self.now:
            return "it is too new (cooldown)", ripe
        from supervisor.core.images.calendar import opens  # noqa: PLC0415

        for window in {one.window: None for one in terms if one.window}:
            if (at := opens(window, self.now, zone=self.zone)) != self.now:
                return f"its window is {window}", at
        return "", 0.0


def _is_older(one: ImageVersion, other: ImageVersion, by: ImagePolicy) -> bool:
    """Whether a version comes before another by the policy; of one tag the digest tells nothing."""
    if by.kind is PolicyKind.DIGEST or one.tag == other.tag:
        return False
    from supervisor.core.images.policy import comes_after  # noqa: PLC0415

    return comes_after(other.tag, one.tag, by)


def _current(key: str, standing: Standing) -> ImageVersion | None:
    """Return what runs for a question, or did when the app was as it should be last."""
    pins = standing.good.pins if standing.good else ()
    for pin in pins:
        if pin.question == key:
            return ImageVersion(runs=pin.runs, tag=pin.tag)
    return None


def _on_trial(key: str, standing: Standing) -> ImageVersion | None:
    """Return the version of which a release is being tried: until its gate, or one that may run."""
    for one in reversed(standing.rollouts):
        if one.outcome is Outcome.TRIAL and not one.ended_at and one.base == standing.base:
            for pin in one.pins:
                if pin.question == key:
                    return ImageVersion(runs=pin.runs, tag=pin.tag)
    return None


def _superseded(key: str, standing: Standing) -> ImageVersion | None:
    """Return the newest version since the last good one that was given up for a newer one only."""
    if standing.still or standing.good is None or standing.good.base != standing.base:
        return None
    failed = failed_images(standing.rollouts)
    for one in reversed(standing.rollouts):
        if one.outcome is Outcome.GOOD:
            break
        if one.superseded and one.base == standing.base:
            for pin in one.pins:
                if pin.question == key and (key, pin.runs) not in failed:
                    return ImageVersion(runs=pin.runs, tag=pin.tag)
    return None


def failed_images(rollouts: Iterable[Rollout]) -> dict[tuple[str, str], str]:
    """Return the versions that failed an app's gate here, with why: question's key, and `runs`."""
    return {
        (pin.question, pin.runs): one.reason
        for one in rollouts
        if one.outcome is Outcome.FAILED
        for pin in one.blamed
    }


def _held(
    standing: Standing,
    rules: Sequence[ImageRule],
    version: ImageVersion,
    why: str,
    until: float = 0.0,
    *,
    failed: bool = False,
) -> HeldUpdate:
    question = rules[0].question
    return HeldUpdate(
        app=standing.app,
        question=question.key,
        image=question.image,
        version=version,
        why=why,
        until=until,
        failed=failed,
    )
