"""When a notifier sends."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from supervisor.core.files.unitfile import Refused
from supervisor.core.notify.outbox import batch, due_at, noticed, sent
from supervisor.core.notify.when import next_digest, quiet_until
from supervisor.model.notify import Lasts, News, Outbox
from supervisor.model.notify_settings import NotifyKind, NotifySettings
from supervisor.model.setting_types import Seconds


def at(day, hour, minute=0, second=0):
    """A moment of March 2026, of which the 2nd is a Monday."""
    return datetime(2026, 3, day, hour, minute, second, tzinfo=UTC).timestamp()


def opened(since, key="a"):
    return News(key=key, kind=NotifyKind.PROBLEM, lasts=Lasts.OPEN, app="a", text="t", since=since)


def due(since, now=0.0, **settings):
    outbox = Outbox(waiting=tuple(opened(one, str(one)) for one in since))
    return due_at(outbox, NotifySettings(**settings), now, zone=UTC)


@pytest.mark.parametrize(
    ("digest", "since", "expected"),
    [
        ("1h", at(2, 10), at(2, 11)),
        ("08:00", at(2, 10), at(3, 8)),
        ("8:00", at(2, 7, 59, 59), at(2, 8)),
        ("08:00,20:00", at(2, 10), at(2, 20)),
        ("Mon 08:00", at(3, 10), at(9, 8)),
        ("Mon..Fri 23:59", at(6, 23, 59, 30), at(9, 23, 59)),
    ],
)
def test_digests(digest, since, expected):
    assert next_digest(digest, since, zone=UTC) == expected


@pytest.mark.parametrize(
    ("name", "night"),
    [("Europe/Berlin", (10, 25)), ("America/New_York", (11, 1)), ("Australia/Lord_Howe", (4, 5))],
)
@pytest.mark.parametrize("clock", ["01:15", "01:45", "02:15", "02:30"])
def test_a_digest_is_once_in_the_night_in_which_the_clock_is_put_back(name, night, clock):
    zone = ZoneInfo(name)
    now = datetime(2026, *night, tzinfo=zone).timestamp()
    end = now + 86_400
    due = set()
    while now < end:
        due.add(next_digest(clock, now, zone=zone))
        now += 97
    first, *others = sorted(due)
    assert datetime.fromtimestamp(first, zone).fold == 0
    assert len(others) <= 1, "the next is that of the day after"
    for one in others:
        assert datetime.fromtimestamp(one, zone).date().day == night[1] + 1


def test_what_is_no_digest_is_refused():
    for text in ("", "soon", "-1h", "8:0", "08:00..09:00", "25:00"):
        with pytest.raises(Refused):
            next_digest(text, 0.0)


def test_quiet_hours_end():
    assert quiet_until("22:00..07:00", at(2, 23), zone=UTC) == at(3, 7)
    assert quiet_until("22:00..07:00", at(2, 12), zone=UTC) == at(2, 12)


def test_what_comes_while_others_wait_goes_along():
    assert due([100]) == 130
    assert due([100, 120]) == 150
    assert due([100, 120, 190]) == 160
    assert due([]) is None
    assert due([100], after=Seconds(0)) == 100


def test_what_is_due_at_night_waits_for_the_morning():
    night = {"quiet": "22:00..07:00"}
    assert due([at(2, 23)], at(2, 23), **night) == at(3, 7)
    assert due([at(2, 12)], at(2, 12), **night) == at(2, 12, 0, 30)
    # It could not be sent before.
    assert due([at(2, 12)], at(2, 23), **night) == at(3, 7)
    assert due([at(2, 10)], at(2, 10), digest="23:00", **night) == at(3, 7)


def test_what_has_not_lasted_long_enough_goes_later():
    settings = NotifySettings()
    outbox = Outbox(waiting=(opened(100, "a"), opened(150, "b")))
    assert [one.key for one in batch(outbox, settings, 160)] == ["a"]
    assert [one.key for one in batch(outbox, settings, 180)] == ["a", "b"]


def version(key, until=0.0, *, also=None):
    return News(
        key=f"update web nginx {key}",
        kind=NotifyKind.UPDATE,
        also=also,
        lasts=Lasts.STANDING,
        app="web",
        text=f"a newer version {key}",
        until=until,
    )


def follow(events, *steps):
    """Go through steps of (now, what stands), with each sent as it comes; returns what was said."""
    settings = NotifySettings(events=events, after=Seconds(0))
    outbox, said = Outbox(), []
    for now, *standing in steps:
        lasting = {one.key: one for one in standing}
        outbox = noticed(outbox, settings, lasting=lasting, apps=["web"], is_whole=True, now=now)
        told = batch(outbox, settings, now)
        said += [(one.kind, one.text) for one in told]
        outbox = sent(outbox, told, title="t", now=now)
    return said


def test_a_version_that_waits_is_told_once_and_that_its_cooldown_is_over():
    events = (NotifyKind.UPDATE, NotifyKind.COOLDOWN)
    one = version("1", 50.0)
    assert follow(events, (10, one), (20, one), (60,), (70,)) == [
        (NotifyKind.UPDATE, one.text),
        (NotifyKind.COOLDOWN, one.text),
    ]


def test_who_asks_for_the_end_of_cooldowns_alone_is_told_that():
    one = version("1", 50.0)
    assert follow((NotifyKind.COOLDOWN,), (10, one), (60,)) == [(NotifyKind.COOLDOWN, one.text)]
    assert not follow((NotifyKind.COOLDOWN,), (10, one), (30,)), "a person was faster"
    assert not follow((NotifyKind.COOLDOWN,), (10, one), (60, version("2", 90.0))), "a newer one"


def test_what_waits_for_a_person_is_told_under_either_name():
    one = version("1", also=NotifyKind.WAITING)
    assert follow((NotifyKind.WAITING,), (10, one), (20,)) == [(NotifyKind.UPDATE, one.text)]
    assert not follow((NotifyKind.WAITING,), (10, version("1", 50.0)))
