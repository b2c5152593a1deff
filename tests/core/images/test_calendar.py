"""When a window is open, opens and closes."""

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.calendar import closes, opens, parse_window

BERLIN = ZoneInfo("Europe/Berlin")
"""2026: the clock is put on at 02:00 on 29 March, and back at 03:00 on 25 October."""


def at(text: str, zone=UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def seen(moment: float, zone=UTC) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M") if moment else "never"


@pytest.mark.parametrize(
    ("text", "now", "opens_at", "closes_at"),
    [
        # 2026-03-02 is a Monday.
        ("02:00..05:00", "2026-03-02 01:00", "2026-03-02 02:00", "never"),
        ("02:00..05:00", "2026-03-02 02:00", "2026-03-02 02:00", "2026-03-02 05:00"),
        ("02:00..05:00", "2026-03-02 05:00", "2026-03-03 02:00", "never"),
        ("Sat,Sun 02:00..05:00", "2026-03-02 03:00", "2026-03-07 02:00", "never"),
        ("Sat,Sun 02:00..05:00", "2026-03-08 04:59", "2026-03-08 04:59", "2026-03-08 05:00"),
        ("Mon..Fri 22:00..06:00", "2026-03-07 05:00", "2026-03-07 05:00", "2026-03-07 06:00"),
        ("Mon..Fri 22:00..06:00", "2026-03-02 05:00", "2026-03-02 22:00", "never"),
        ("Mon..Fri 22:00..06:00", "2026-03-07 22:00", "2026-03-09 22:00", "never"),
        ("Sat,Sun", "2026-03-02 12:00", "2026-03-07 00:00", "never"),
        ("Sat,Sun", "2026-03-07 12:00", "2026-03-07 12:00", "2026-03-09 00:00"),
        ("Fri 12:00..24:00", "2026-03-02 12:00", "2026-03-06 12:00", "never"),
        ("Fri 12:00..24:00", "2026-03-06 23:59", "2026-03-06 23:59", "2026-03-07 00:00"),
        ("02:00..03:00,14:00..15:30", "2026-03-02 04:00", "2026-03-02 14:00", "never"),
        ("12:00..13:00,02:00..03:00", "2026-03-02 01:00", "2026-03-02 02:00", "never"),
        ("*-*-1..7 03:00..04:00", "2026-03-08 12:00", "2026-04-01 03:00", "never"),
        ("Sun *-*-1..7 03:00..04:00", "2026-03-02 12:00", "2026-04-05 03:00", "never"),
        ("*-*~1 22:00..23:00", "2026-02-02 12:00", "2026-02-28 22:00", "never"),
        ("12-24,31 08:00..09:00", "2026-12-25 12:00", "2026-12-31 08:00", "never"),
        ("*-1/6-1 08:00..09:00", "2026-03-02 12:00", "2026-07-01 08:00", "never"),
        ("Mon *-02-29 08:00..09:00", "2026-03-02 12:00", "2044-02-29 08:00", "never"),
        ("2026-03-02 08:00..09:00", "2026-03-02 12:00", "never", "never"),
        ("always", "2026-03-02 12:00", "2026-03-02 12:00", "never"),
        ("", "2026-03-02 12:00", "2026-03-02 12:00", "never"),
        ("*-*-*", "2026-03-02 12:00", "2026-03-02 12:00", "never"),
        ("00:00..12:00,12:00..24:00", "2026-03-02 12:00", "2026-03-02 12:00", "never"),
        ("monday 1:5..01:06:30", "2026-03-02 01:05", "2026-03-02 01:05", "2026-03-02 01:06"),
    ],
)
def test_when_it_opens_and_closes(text, now, opens_at, closes_at):
    assert seen(opens(text, at(now), zone=UTC)) == opens_at
    assert seen(closes(text, at(now), zone=UTC)) == closes_at


@pytest.mark.parametrize(
    ("text", "day", "opens_at", "hours"),
    [
        ("01:00..05:00", "2026-03-28", "2026-03-29 01:00", 3),
        ("02:30..05:00", "2026-03-28", "2026-03-29 03:30", 1.5),
        ("01:00..02:30", "2026-03-28", "2026-03-29 01:00", 1.5),
        ("02:00..03:00", "2026-03-28", "2026-03-29 03:00", 1),
        ("22:00..06:00", "2026-03-28", "2026-03-28 22:00", 7),
        ("01:00..05:00", "2026-10-24", "2026-10-25 01:00", 5),
        ("02:30..05:00", "2026-10-24", "2026-10-25 02:30", 3.5),
        ("01:00..02:30", "2026-10-24", "2026-10-25 01:00", 2.5),
        ("Sun", "2026-10-24", "2026-10-25 00:00", 25),
    ],
)
def test_where_the_clock_is_put_on_or_back(text, day, opens_at, hours):
    begin = opens(text, at(f"{day} 12:00", BERLIN), zone=BERLIN)
    assert seen(begin, BERLIN) == opens_at
    assert closes(text, begin, zone=BERLIN) - begin == hours * 3_600


def test_an_hour_that_comes_twice_is_open_twice():
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    for fold in (0, 1):
        now = first.replace(fold=fold).timestamp()
        assert opens("02:00..03:00", now, zone=BERLIN) == now


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("Sat 02:00", "02:00 is a moment", "02:00..05:00"),
        ("daily", "daily is a moment", "Sat,Sun"),
        ("Sat,Sunn 02:00..05:00", "“Sunn” is no day of the week", "did you mean Sun?"),
        ("Fri..Mon", "goes backwards", "write Fri..Sun,Mon..Mon"),
        ("2..5", "“2..5” is neither day nor time", "02:00..05:00"),
        ("02..05:00", "“02” is no time", "02:00..05:00"),
        ("02:00..02:00", "has no length", "00:00..24:00"),
        ("02:00..25:00", "there is no 25:00", "24:00"),
        ("02:60..05:00", "there is no 02:60", "24:00"),
        ("*-13-1", "“13” is no month from 1 to 12", "*-*-1..7"),
        ("*-*-0", "“0” is no day of a month from 1 to 31", ""),
        ("*-02-30", "no such month has so many days", ""),
        ("*-*-7..1", "“7..1” is no day of a month", ""),
        ("Sat Sun 02:00..05:00", "“Sun” is neither day nor time", ""),
        ("Sat *-*-1 UTC", "“UTC” is too much", ""),
        ("02:00..05:00 Sat", "“Sat” is too much", ""),
        ("x" * 300, "longer than 200", ""),
    ],
)
def test_what_is_no_window_says_what_is_meant(text, words, hint):
    with pytest.raises(Refused) as refused:
        parse_window(text)
    assert words in str(refused.value)
    assert hint in refused.value.hint


DAYS = st.sampled_from(["", "Mon", "Sat,Sun", "Tue..Thu", "*-*-1..7", "Sun *-*-1..7", "*-2,3-*"])
CLOCKS = st.tuples(st.integers(0, 23), st.sampled_from([0, 30])).map("{0[0]:02}:{0[1]:02}".format)
WINDOWS = st.tuples(DAYS, CLOCKS, CLOCKS).filter(lambda one: one[1] != one[2])
MOMENTS = st.integers(1_770_000_000, 1_800_000_000).map(float)


@given(WINDOWS.map("{0[0]} {0[1]}..{0[2]}".format), MOMENTS, st.sampled_from([UTC, BERLIN]))
def test_it_is_open_from_when_it_opens_until_it_closes(text, now, zone):
    begin = opens(text, now, zone=zone)
    assert begin >= now
    assert opens(text, begin, zone=zone) == begin
    end = closes(text, begin, zone=zone)
    assert end > begin
    assert opens(text, end - 1, zone=zone) == end - 1
    assert opens(text, end, zone=zone) > end
    if begin > now:
        assert opens(text, begin - 1, zone=zone) == begin
        assert closes(text, now, zone=zone) == 0


@given(st.text(max_size=40) | st.text("MonFri,. *:0123456789~/-", max_size=30))
def test_any_text_is_a_window_or_refused(text):
    try:
        parse_window(text)
    except Refused:
        return
    begin = opens(text, 1_770_000_000.0, zone=UTC)
    assert not begin or begin >= 1_770_000_000.0


DATES = (
    "Sat,Sun",
    "Sat,",
    "mon..wed,Friday",
    "Mon-Wed",
    "Mon..Mon",
    "*-*-*",
    "*-*-1..7",
    "Sun *-*-1..7",
    "Mon..Fri *-1,6-10..20/3",
    "*-02~03",
    "*-*~1",
    "1-1",
    "*-12-24,25",
    "2026..2028-*-5..5",
    "2027-1..5/2-1",
    "*-1/5-31",
    "Mon *-02-29",
    "2024-01-01",
    "Fri..Mon",
    "Mon...Fri",
    "*-13-1",
    "*-*-32",
    "*-*-*/7",
    "*-*-31..1",
    "Mon *",
    "Sonntag",
)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd")
def test_days_are_those_of_systemd():
    base = datetime(2026, 3, 27, 12, tzinfo=UTC)
    said = subprocess.run(
        ["systemd-analyze", "calendar", f"--base-time={base:%F %T} UTC", *DATES],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC"},
    )
    refused = re.findall("'(.*)'", said.stderr)
    assert len(refused) > 4
    for text in refused:
        with pytest.raises(Refused):
            parse_window(text)
    taken = [text for text in DATES if text not in refused]
    days = re.findall(r"Next elapse: (?:\w+ )?(never|[\d-]+)", said.stdout)
    for text, day in zip(taken, days, strict=True):
        begin = opens(f"{text} 00:00..00:01", base.timestamp(), zone=UTC)
        assert seen(begin).partition(" ")[0] == day, text


def test_it_is_found_at_once_how_far_away_it_may_be():
    now = at("2026-03-02 12:00")
    assert (
        opens("Sat *-02-29 08:00..08:01", now, zone=UTC) - now > timedelta(days=365).total_seconds()
    )
