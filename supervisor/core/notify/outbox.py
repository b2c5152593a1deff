"""What a notifier has yet to tell: how that grows, shrinks, and becomes one message.

Each function takes an outbox as it was and returns it as it is; who calls them writes it down.
Something that lasts is told once, and its end once, and only if it was told itself. What is over
before it was sent is not sent. A moment that lies in the future was seen before the clock was set
back, and counts as now.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from fnmatch import fnmatchcase

from msgspec.structs import replace

from supervisor.core.notify.when import next_digest, quiet_until
from supervisor.kit.texts import format_duration
from supervisor.model.notify import Lasts, News, Outbox, Told
from supervisor.model.notify_settings import NotifyKind, NotifySettings

MOST = 200
"""What waits beyond this is left out, the oldest first."""
_TICK_SECONDS = 0.5
"""An alarm may ring so early."""


def is_wanted(news: News, settings: NotifySettings) -> bool:
    """Whether a notifier is to tell it."""
    return _is_of_its_apps(news, settings) and any(
        one in settings.events for one in (news.kind, news.also) if one
    )


def noticed(
    outbox: Outbox,
    settings: NotifySettings,
    *,
    lasting: Mapping[str, News],
    happened: Iterable[News] = (),
    is_whole: bool,
    now: float,
) -> Outbox:
    """Take in what is so now, and what has happened.

    Unless it `is_whole`, what is not among `lasting` may still be so.
    """
    told = dict(outbox.told)
    waiting: dict[str, News] = {}
    for one in outbox.waiting:
        is_so = one.lasts is Lasts.ONCE or one.is_end or one.key in lasting or not is_whole
        if is_so and (one.is_end or is_wanted(one, settings)):
            waiting[one.key] = replace(one, since=min(one.since, now))
    for key, one in lasting.items():
        if key in told:
            waiting.pop(key, None)  # its end, which was none
        elif is_wanted(one, settings):
            before = waiting.get(key)
            since = before.since if before else one.since or now
            waiting[key] = replace(one, since=min(since, now))
        elif _is_timed(one, settings):
            told[key] = Told(news=one, at=now, is_silent=True)
    if is_whole:
        for key in [key for key in told if key not in lasting]:
            end = waiting.get(key) or _end_of(told[key], lasting, now)
            if end and is_wanted(end, settings):
                waiting[key] = end
            else:
                told.pop(key)
                waiting.pop(key, None)
    for one in happened:
        if is_wanted(one, settings):
            before = waiting.pop(one.key, None)
            since = before.since if before else one.since or now
            waiting[one.key] = replace(one, since=min(since, now))
    kept, excess = list(waiting.values()), max(0, len(waiting) - MOST)
    return replace(
        outbox, waiting=tuple(kept[excess:]), told=told, left_out=outbox.left_out + excess
    )


def due_at(
    outbox: Outbox, settings: NotifySettings, now: float, *, zone: tzinfo | None = None
) -> float | None:
    """Return when something is to be sent, seconds since the epoch; None if nothing waits."""
    if not outbox.waiting:
        return None
    first = min(one.since for one in outbox.waiting)
    last = max(one.since for one in outbox.waiting)
    # Who comes while others wait goes with them; but nobody waits for more than twice as long.
    due = min(last, first + settings.after) + settings.after
    if settings.digest:
        due = max(first + settings.after, next_digest(settings.digest, first, zone=zone))
    if settings.quiet:
        due = quiet_until(settings.quiet, max(due, now), zone=zone)
    return due


def batch(outbox: Outbox, settings: NotifySettings, now: float) -> tuple[News, ...]:
    """Return what is to be sent now that something is due, the oldest first."""
    ripe = now - settings.after + _TICK_SECONDS
    return tuple(
        sorted((one for one in outbox.waiting if one.since <= ripe), key=lambda one: one.since)
    )


def sent(outbox: Outbox, batch: Iterable[News], *, title: str, now: float) -> Outbox:
    """Take in that these were sent, whatever the outbox holds by now."""
    waiting = {one.key: one for one in outbox.waiting}
    told = dict(outbox.told)
    for one in batch:
        left = waiting.get(one.key)
        # What happened may have happened once more meanwhile.
        if left and left.is_end == one.is_end and (one.lasts is not Lasts.ONCE or left == one):
            del waiting[one.key]
        if one.is_end:
            told.pop(one.key, None)
        elif one.lasts is not Lasts.ONCE:
            told[one.key] = Told(news=replace(one, log=(), hint="", command=""), at=now)
    return replace(
        outbox,
        waiting=tuple(waiting.values()),
        told=told,
        left_out=0,
        sent_at=now,
        sent=title,
        failure="",
        hint="",
        failing_since=0.0,
    )


def failed(outbox: Outbox, why: str, hint: str, now: float) -> Outbox:
    """Take in that a try failed: everything waits on."""
    since = min(outbox.failing_since or now, now)
    return replace(outbox, failure=why, hint=hint, failing_since=since)


def _end_of(told: Told, lasting: Iterable[str], now: float) -> News | None:
    """Return what is to be told of an end; None if that is no news."""
    begun = told.news
    same = begun.key.rpartition(" ")[0]
    if begun.lasts is Lasts.OPEN:
        lasted = format_duration(max(1, round(now - begun.since)))
        kind, text = NotifyKind.RECOVERED, f"{begun.end or begun.text}, after {lasted}"
    elif any(one.rpartition(" ")[0] == same for one in lasting):
        return None  # a newer one waits
    elif 0 < begun.until <= now + _TICK_SECONDS:
        kind, text = NotifyKind.COOLDOWN, begun.text
    else:
        return None  # a person was faster
    return News(
        key=begun.key,
        kind=kind,
        lasts=begun.lasts,
        app=begun.app,
        about=begun.about,
        text=text,
        is_end=True,
        since=now,
    )


def _is_timed(news: News, settings: NotifySettings) -> bool:
    """Whether only the end of it is to be told."""
    is_asked = NotifyKind.COOLDOWN in settings.events
    return is_asked and news.until > 0 and _is_of_its_apps(news, settings)


def _is_of_its_apps(news: News, settings: NotifySettings) -> bool:
    return not settings.apps or any(fnmatchcase(news.app, glob) for glob in settings.apps)
