"""Why an app or a unit is as it is, in sentences: from the event log and the ledger's documents.

Takes what `core.status.why_material` names. What the ledger does not tell (any more) is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any

import msgspec

from supervisor.core.health.release import images_between
from supervisor.core.images.words import pin_in_words
from supervisor.core.status.in_words import health_in_words
from supervisor.core.status.overview import Line, overview
from supervisor.core.status.why_material import Material
from supervisor.core.status.why_units import last_steps, step_in_words, what_came_before
from supervisor.kit.texts import (
    count,
    joined,
    one_line,
    quoted,
    rough_duration,
    short_id,
    with_why,
)
from supervisor.model.events import Event, EventKind
from supervisor.model.image import Pin
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Hold, Outcome, Rollout
from supervisor.model.status import AppState
from supervisor.model.why import Cause, Fact, FactKind, Why

_MOST_UNITS = 5
"""Of an app, of which it is said what was done to them last."""
_SOON_SECONDS = 600.0
"""Between what tells of a revision and its being read, at most."""
_AT_ONCE_SECONDS = 30.0
"""Between an order or a start and the first read since the daemon's start, at most."""
_ANYBODY = "a person"
_LONGEST = 400


def why(material: Material, now: float) -> Why:
    """Say what runs, what was ordered and done since, and how it is now, each with its causes."""
    facts = [
        *_release(material),
        *_newer(material),
        *_orders(material, now),
        *_units(material),
        *_state(material, now),
    ]
    return Why(
        app=material.app,
        unit=material.unit,
        running=material.running,
        facts=tuple(map(_clean, facts)),
    )


def _clean(fact: Fact) -> Fact:
    causes = tuple(
        msgspec.structs.replace(one, text=_line(one.text), at=_moment(one.at))
        for one in fact.causes
    )
    return msgspec.structs.replace(fact, text=_line(fact.text), at=_moment(fact.at), causes=causes)


def _line(text: str) -> str:
    return one_line(joined(text), _LONGEST)


def _moment(at: float) -> float:
    return at if isfinite(at) and at > 0 else 0.0


# What runs


def _release(material: Material) -> Iterator[Fact]:
    """Say which release runs, and what brought it."""
    app, applied = material.app, material.applied
    if applied is None or not applied.revision:
        if gone := _last(material.events, EventKind.REMOVED):
            reason = f"{app} is gone: {gone.reason}"
            yield Fact(about=FactKind.RELEASE, text=reason, at=gone.time)
        elif not material.rollouts:
            text = f"nothing of {app} has passed its gate yet"
            yield Fact(about=FactKind.RELEASE, text=text)
        return
    tried = next((one for one in material.rollouts if one.release == applied.release), None)
    subject = _quoted(tried.subject) if tried else ""
    source = f" of source {applied.source}" if applied.source else ""
    text = f"{app} {'was last good at' if material.trial else 'runs'} "
    text += f"{short_id(applied.revision)}{subject}{source}"
    if tried and tried.outcome is Outcome.GOOD and _lasted(tried):
        text += f", which passed its gate after {_lasted(tried)}"
    yield Fact(
        about=FactKind.RELEASE,
        text=text,
        at=applied.applied_at,
        causes=tuple(_why_released(material, applied, tried)),
    )


def _lasted(tried: Rollout) -> str:
    seconds = tried.ended_at - tried.began_at
    return rough_duration(seconds) if isfinite(seconds) and seconds >= 0 else ""


def _why_released(
    material: Material, applied: AppliedApp, tried: Rollout | None
) -> Iterator[Cause]:
    held = material.held
    if held and held.release == applied.release:
        yield _why_held(material, held)
        return
    before = _before(material, tried)
    began_at = tried.began_at if tried else applied.applied_at
    if tried and (pins := images_between(before, tried)):
        yield from _why_images(material, pins, began_at)
    else:
        yield from _why_tried(tried)
        yield from _why_revision(material, applied, began_at)


def _why_held(material: Material, held: Hold) -> Cause:
    told = _last(material.events, EventKind.HELD)
    reason = told.reason if told else f"{_ANYBODY} rolled it back"
    text = f"{_named(reason, held.by)}, while its source asked for {short_id(held.instead_of)}"
    return Cause(text=text, at=held.at, event=told.id if told else 0)


def _named(text: str, by: str) -> str:
    """Say of what a person did who that was, if that is known."""
    return text.replace(_ANYBODY, by, 1) if by else text


def _why_tried(tried: Rollout | None) -> Iterator[Cause]:
    if tried and tried.by:
        yield Cause(text=f"{tried.by} had it tried", at=tried.began_at)


def _before(material: Material, tried: Rollout | None) -> Rollout | None:
    """Return the good release before this one."""
    if tried is None:
        return None
    older = [one for one in material.rollouts if one.order < tried.order]
    return next((one for one in reversed(older) if one.outcome is Outcome.GOOD), None)


def _why_images(material: Material, pins: Sequence[Pin], began_at: float) -> Iterator[Cause]:
    """Say of images that are other ones than before what brought them."""
    kinds = (EventKind.IMAGE, EventKind.PINNED, EventKind.RESUMED)
    for pin in pins:
        image = pin.question.partition(" ")[0]
        told = _last(
            material.events,
            *kinds,
            fits=lambda one, image=image: (  # type: ignore[misc]  # bound for this turn
                one.ok and one.subject == image and one.time <= began_at
            ),
        )
        reason = _named(told.reason, told.by) if told else ""
        text = with_why(f"its image is {pin_in_words(pin)} now", reason)
        yield Cause(text=text, at=told.time if told else 0.0, event=told.id if told else 0)


def _why_revision(
    material: Material, one: AppliedApp | Rollout | Event, before: float
) -> Iterator[Cause]:
    """Say when the source of this came to its revision, whose it is, and how that was noticed."""
    source, revision, author = one.source, one.revision, one.author
    if not revision:
        return
    came = [one for one in material.of_sources if one.source == source and one.time <= before + 1]
    if told := _last(came, EventKind.REVISION, fits=lambda told: told.revision == revision):
        subject, author, on = told.reason, told.author, ""
    elif told := _last(came, EventKind.REVISION):
        # Of commits that came together, only the newest has an entry.
        subject = "" if isinstance(one, Event) else one.subject
        on = f", and on to {short_id(told.revision)}"
    else:
        if author:
            yield Cause(text=f"the author of {short_id(revision)} is {quoted(author)}")
        return
    whose = f" (author {quoted(author)})" if author else ""
    text = f"source {source} came to {short_id(revision)}{_quoted(subject)}{whose}{on}"
    yield Cause(text=text, at=told.time, event=told.id)
    yield _why_noticed(material, told)


def _why_noticed(material: Material, revision: Event) -> Cause:
    """Say what had a source read: the newest of what was told of it since it was as before."""
    before = revision.unchanged_at
    for one in reversed(material.of_sources):
        if one.id >= revision.id or not revision.id:
            continue
        is_its = one.source == revision.source
        if (is_its and one.kind is EventKind.REVISION) or one.time < revision.time - _SOON_SECONDS:
            break
        if before and one.time <= before:
            break  # the read of then was the answer to it
        if is_its and one.kind is EventKind.WEBHOOK and one.ok and one.reason:
            return Cause(text=f"a webhook told of it: {one.reason}", at=one.time, event=one.id)
        is_at_once = before or one.time >= revision.time - _AT_ONCE_SECONDS
        if one.kind is EventKind.ORDERED and one.subject == "sync" and is_at_once:
            text = f"{one.by or _ANYBODY} ordered a sync"
            return Cause(text=text, at=one.time, event=one.id)
        if one.kind is EventKind.STARTED and is_at_once:
            text = "podvisor had just started, and read its sources"
            return Cause(text=text, at=one.time, event=one.id)
    return Cause(text="podvisor saw it when it looked at the source; no webhook told of it")


# What is newer


def _newer(material: Material) -> Iterator[Fact]:
    """Say of a newer release what became of it: it is on trial, was taken back or is refused."""
    newest = material.rollouts[-1] if material.rollouts else None
    if newest and newest.release != (material.applied.release if material.applied else ""):
        came = _why_revision(material, newest, newest.began_at)
        causes = (*_why_tried(newest), *came)
        what = f"{short_id(newest.revision)}{_quoted(newest.subject)}"
        if newest.outcome is Outcome.FAILED:
            yield Fact(
                about=FactKind.NEWER,
                text=with_why(f"{what} failed its gate and was taken back", newest.reason),
                at=newest.ended_at or newest.began_at,
                command=f"podvisor retry {material.app}",
                causes=causes,
            )
        elif newest is material.trial:
            gate = material.standing.gate if material.standing else ""
            text = with_why(f"{material.app} runs {what}, which is on trial", gate)
            yield Fact(about=FactKind.NEWER, text=text, at=newest.began_at, causes=causes)
    yield from _refused(material)


def _refused(material: Material) -> Iterator[Fact]:
    """Say what of the newest revision is refused, if it is."""
    state = material.standing.state if material.standing else None
    if material.standing and state is not AppState.REFUSED:
        return
    last = _last(material.events, EventKind.REFUSED, EventKind.APPLIED, EventKind.RECOVERED)
    if last is None or last.kind is not EventKind.REFUSED:
        return
    what = f"{short_id(last.revision)} is refused" if last.revision else "its newest is refused"
    place = f" ({last.subject})" if last.subject else ""
    causes = _why_revision(material, last, last.time)
    text = with_why(f"{what}{place}", last.reason)
    yield Fact(about=FactKind.NEWER, text=text, at=last.time, causes=tuple(causes))


# What people ordered


def _orders(material: Material, now: float) -> Iterator[Fact]:
    applied, held = material.applied, material.held
    if held and not (applied and applied.release == held.release):
        text = _named(f"{_ANYBODY} holds it at {held.held_at}", held.by)
        causes = (_why_held(material, held),)
        yield Fact(
            about=FactKind.ORDER, text=text, at=held.at, causes=causes, command=_resume(held)
        )
    for order in material.suspensions:
        if order.until and order.until <= now:
            continue
        what = material.app if order.app else "everything"
        text = with_why(_named(f"{_ANYBODY} has {what} left alone", order.by), order.reason)
        command = f"podvisor resume {order.app}".strip()
        yield Fact(about=FactKind.ORDER, text=text, at=order.at, command=command)
    for scale in material.scales:
        if material.unit and scale.unit.split("@")[0] != material.unit.split("@")[0]:
            continue
        asked = count(scale.replicas, "replica")
        what = f"{_ANYBODY} asked for {asked} of {scale.unit}, whose file says {scale.instead_of}"
        text = with_why(_named(what, scale.by), scale.reason)
        yield Fact(about=FactKind.ORDER, text=text, at=scale.at)
    yield from _pins(material.events)


def _resume(held: Hold) -> str:
    return f"podvisor resume {held.app}"


def _pins(events: Sequence[Event]) -> Iterator[Fact]:
    """Say which images a person had stay at a version, and has not let go since."""
    told: dict[str, Event] = {}
    for one in events:
        if one.kind is EventKind.PINNED:
            told[one.subject] = one
        elif one.kind is EventKind.RESUMED:
            told.pop(one.subject, None)
    for one in told.values():
        text = with_why(_named(f"{_ANYBODY} pinned an image", one.by), one.reason)
        yield Fact(about=FactKind.ORDER, text=text, at=one.time)


# What was done to units since


def _units(material: Material) -> Iterator[Fact]:
    """Say what was done to units last, where that is not the coming of the release itself."""
    found = last_steps(material.events, material.unit)
    told = []
    for step in found:
        tried = _trial_at(material, step.time)
        if tried and step.ok and not material.unit:
            continue
        causes = [*what_came_before(material.events, step)]
        if tried and step.ok:
            text = f"{short_id(tried.revision)}{_quoted(tried.subject)} came"
            causes.append(Cause(text=text, at=tried.began_at))
            causes += _why_revision(material, tried, tried.began_at)
        text = step_in_words(step)
        told.append(Fact(about=FactKind.UNIT, text=text, at=step.time, causes=tuple(causes)))
    yield from told[-_MOST_UNITS:]


def _trial_at(material: Material, at: float) -> Rollout | None:
    """Return the release that was on trial then."""
    for one in reversed(material.rollouts):
        if one.began_at <= at and (at <= one.ended_at or not one.ended_at):
            return one
    return None


# How it is now


def _state(material: Material, now: float) -> Iterator[Fact]:
    """Say what is wrong, what it waits for and what changes, or that it is well, since when."""
    what = material.unit or material.app
    standing = material.standing
    is_unseen = standing is not None and standing.stale and standing.state is not AppState.CHANGING
    if is_unseen:
        text = f"podvisor has begun, and has not looked at {what} yet"
        yield Fact(about=FactKind.STATE, text=text)
    if standing is None or is_unseen:
        for one in material.incidents:
            if _concerns(material, one.subject, one.text):
                text = f"it was not well when podvisor ended: {one.text}"
                yield Fact(about=FactKind.STATE, text=text, at=one.opened_at, command=one.command)
        if material.applied is not None and standing is None:
            text = f"how {what} is now nobody can say: the daemon is not running"
            yield Fact(about=FactKind.STATE, text=text)
        return
    status: dict[str, Any] = msgspec.to_builtins(
        {"apps": [standing], "incidents": material.incidents}
    )
    seen = overview(status, now)
    lines = (*seen.troubles, *seen.changing, *seen.waiting)
    shown = [one for one in lines if _concerns(material, "", one.text)]
    for line in shown:
        yield _as_fact(line)
    if material.unit and not shown:
        yield from _unit_now(material, status["apps"][0], now)
    elif not shown:
        yield Fact(about=FactKind.STATE, text=f"{what} is well", at=_well_since(material))


def _concerns(material: Material, subject: str, text: str) -> bool:
    return not material.unit or material.unit == subject or material.unit in text


def _as_fact(line: Line) -> Fact:
    text = with_why(line.text, line.hint)
    return Fact(about=FactKind.STATE, text=text, at=line.since, command=line.command)


def _unit_now(material: Material, app: dict[str, Any], now: float) -> Iterator[Fact]:
    for unit in app.get("units", ()):
        if unit["name"] == material.unit:
            how = ", ".join(filter(None, (unit["active"], health_in_words(unit, now))))
            text = f"{material.unit} is {how or 'unknown'} now"
            yield Fact(about=FactKind.STATE, text=text)


def _well_since(material: Material) -> float:
    """When it became well, as far as the ledger tells."""
    came = material.applied.applied_at if material.applied else 0.0
    kinds = (EventKind.RECOVERED, EventKind.HEALTH, EventKind.RESUMED)
    last = _last(material.events, *kinds)
    steps = last_steps(material.events, "")
    return max(came, last.time if last else 0.0, *(one.time for one in steps), 0.0)


def _last(
    events: Sequence[Event],
    *kinds: EventKind,
    fits: Callable[[Event], bool] = lambda _: True,
) -> Event | None:
    """Return the newest entry of these kinds."""
    return next((one for one in reversed(events) if one.kind in kinds and fits(one)), None)


def _quoted(text: str) -> str:
    return f" {quoted(text)}" if text else ""
