"""What a notifier has yet to tell: how that grows, shrinks, and becomes one message.

Each function takes an outbox as it was and returns it as it is; who calls them writes it down.
Something that lasts is told once, and its end once, and only if it was told itself. What is over
before it was sent is not sent. What comes and goes is told once as that, and its end once it was
calm for a while. A moment that lies in the future was seen before the clock was set
back, and counts as now.
"""

from collections.abc import Collection, Container, Iterable, Mapping
from datetime import tzinfo
from fnmatch import fnmatchcase

from msgspec.structs import replace

from supervisor.core.notify.when import next_digest, quiet_until
from supervisor.kit.texts import format_duration
from supervisor.model.notify import Lasts, News, Outbox, Told
from supervisor.model.notify_settings import NotifyKind, NotifySettings

MOST = 200
"""What waits beyond this is left out, the oldest first."""
FLAPS = 3
"""What has ended so often in an hour, and is there again soon, comes and goes."""
HOUR = 3_600.0
CALM = 600.0
"""Seconds: within these it is there again soon; what comes and goes is over after as many."""
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
    apps: Container[str],
    is_whole: bool,
    now: float,
) -> Outbox:
    """Take in what is so now, and what has happened; `apps` are those that there are.

    Unless it `is_whole`, what is not among `lasting` may still be so.
    """
    told = dict(outbox.told)
    waiting: dict[str, News] = {}
    for one in outbox.waiting:
        is_so = one.lasts is Lasts.ONCE or one.is_end or one.key in lasting or not is_whole
        if is_so and (one.is_end or is_wanted(one, settings)):
            at = min(one.not_before, now + CALM)
            waiting[one.key] = replace(one, since=min(one.since, now), not_before=at)
    ended = dict(outbox.ended)
    for key, one in lasting.items():
        if key in told and _is_calm(told[key], now):
            told.pop(key)
        if key in told:
            waiting.pop(key, None)  # its end, which was none
            if told[key].over_at:
                told[key] = replace(told[key], over_at=0.0)
        elif is_wanted(one, settings):
            before = waiting.get(key)
            since = before.since if before else one.since or now
            times = before.times if before else _flapped(outbox, key, now)
            waiting[key] = replace(one, since=min(since, now), times=times)
        elif _is_timed(one, settings):
            told[key] = Told(news=one, at=now, is_silent=True)
    if is_whole:
        for key in [key for key in told if key not in lasting]:
            end = waiting.get(key) or _end_of(told[key], lasting, now, apps=apps)
            if end and is_wanted(end, settings) and not _is_said(end, waiting):
                waiting[key] = end
                continue
            waiting.pop(key, None)
            begun = told.pop(key)
            if begun.news.times and not _is_calm(begun, now):
                told[key] = replace(begun, over_at=min(begun.over_at or now, now))
            elif begun.news.lasts is Lasts.OPEN:
                ended[key] = (*_lately(ended.get(key, ()), now), now)
    for one in happened:
        if is_wanted(one, settings):
            before = waiting.pop(one.key, None)
            since = before.since if before else one.since or now
            waiting[one.key] = replace(one, since=min(since, now))
    kept, excess = list(waiting.values()), max(0, len(waiting) - MOST)
    return replace(
        outbox,
        waiting=tuple(kept[excess:]),
        told=told,
        ended=ended,
        left_out=outbox.left_out + excess,
    )


def without_ends(outbox: Outbox, apps: Collection[str]) -> Outbox:
    """Return the outbox without what is over of these apps: that may be so no more."""
    waiting = tuple(one for one in outbox.waiting if not (one.is_over and one.app in apps))
    return replace(outbox, waiting=waiting)


def due_at(
    outbox: Outbox, settings: NotifySettings, now: float, *, zone: tzinfo | None = None
) -> float | None:
    """Return when something is to be sent, seconds since the epoch; None if nothing waits."""
    if not outbox.waiting:
        return None
    first = min(_counts_from(one, settings) for one in outbox.waiting)
    last = max(_counts_from(one, settings) for one in outbox.waiting)
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
    due = (one for one in outbox.waiting if _counts_from(one, settings) <= ripe)
    return tuple(sorted(due, key=lambda one: one.since))


def sent(outbox: Outbox, batch: Iterable[News], *, title: str, now: float) -> Outbox:
    """Take in that these were sent, whatever the outbox holds by now."""
    waiting = {one.key: one for one in outbox.waiting}
    told = dict(outbox.told)
    ended = {key: late for key, at in outbox.ended.items() if (late := _lately(at, now))}
    for one in batch:
        left = waiting.get(one.key)
        # What happened may have happened once more meanwhile.
        if left and left.is_end == one.is_end and (one.lasts is not Lasts.ONCE or left == one):
            del waiting[one.key]
        if one.is_end:
            told.pop(one.key, None)
            if one.lasts is Lasts.OPEN:
                ended[one.key] = (*ended.get(one.key, ()), now)
        elif one.lasts is not Lasts.ONCE:
            told[one.key] = Told(news=replace(one, log=(), hint="", command=""), at=now)
    return replace(
        outbox,
        waiting=tuple(waiting.values()),
        told=told,
        ended=ended,
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


def _counts_from(one: News, settings: NotifySettings) -> float:
    return max(one.since, one.not_before - settings.after)


def _flapped(outbox: Outbox, key: str, now: float) -> int:
    """Return how often something has come in the last hour, if that is what it does; else 0."""
    ends = _lately(outbox.ended.get(key, ()), now)
    return len(ends) + 1 if len(ends) >= FLAPS and ends[-1] > now - CALM else 0


def _lately(moments: Iterable[float], now: float) -> tuple[float, ...]:
    return tuple(one for one in moments if now - HOUR < one <= now)


def _is_calm(told: Told, now: float) -> bool:
    """Whether what comes and goes, and whose end nobody asks for, has been away for long enough."""
    return bool(told.over_at) and now >= told.over_at + CALM


def _end_of(told: Told, lasting: Iterable[str], now: float, *, apps: Container[str]) -> News | None:
    """Return what is to be told of an end; None if that is no news."""
    begun = told.news
    is_gone = bool(begun.app) and begun.app not in apps
    same = begun.key.rpartition(" ")[0]
    if begun.lasts is Lasts.OPEN:
        lasted = format_duration(max(1, round(now - begun.since)))
        kind, text = NotifyKind.RECOVERED, f"{begun.end or begun.text}, after {lasted}"
        if is_gone:
            text = f"{begun.app} was removed, and with it what was wrong"
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
        is_gone=is_gone and begun.lasts is Lasts.OPEN,
        not_before=now + CALM if begun.times else 0.0,
        since=now,
    )


def _is_said(end: News, waiting: Mapping[str, News]) -> bool:
    """Whether the removal of an app, which ends all that was wrong with it, is to be told."""
    mine = (one for one in waiting.values() if one.app == end.app and one.key != end.key)
    return end.is_gone and any(one.is_gone for one in mine)


def _is_timed(news: News, settings: NotifySettings) -> bool:
    """Whether only the end of it is to be told."""
    is_asked = NotifyKind.COOLDOWN in settings.events
    return is_asked and news.until > 0 and _is_of_its_apps(news, settings)


def _is_of_its_apps(news: News, settings: NotifySettings) -> bool:
    return not settings.apps or any(fnmatchcase(news.app, glob) for glob in settings.apps)
