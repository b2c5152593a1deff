import math

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.githost.poll_interval import (
    GRACE_SECONDS,
    SLOWEST_SECONDS,
    Told,
    Trust,
    after_read,
    after_webhook,
    poll_seconds,
)

NEW = Trust()
POLLS = st.one_of(st.just(0.0), st.floats(min_value=1, max_value=1e6))


def read(trust, *, changed=True, told=Told.NOTHING, listened=True, now=1_000.0):
    return after_read(trust, changed=changed, told=told, listened=listened, now=now)


def test_once_a_webhook_told_of_a_change_polls_are_seldom():
    trust = read(NEW, told=Told.NEWS)
    assert poll_seconds(300, NEW, listening=True) == 300
    assert poll_seconds(300, trust, listening=True) == 3_600
    assert poll_seconds(60, trust, listening=True) == 720
    assert poll_seconds(7_200, trust, listening=True) == 7_200, "as seldom as was asked"
    assert poll_seconds(0, trust, listening=True) == 0, "never is never"


def test_a_poll_that_finds_what_none_told_of_brings_them_back():
    trust = read(read(NEW, told=Told.NEWS))
    assert poll_seconds(300, trust, listening=True) == 300


def test_a_webhook_that_finds_nothing_new_says_nothing():
    assert read(NEW, changed=False, told=Told.NEWS) == NEW


def test_a_recording_that_is_played_again_says_nothing():
    trusted = read(NEW, told=Told.NEWS)
    assert read(NEW, told=Told.AGAIN) == NEW
    assert read(trusted, told=Told.AGAIN) == trusted


def test_what_could_not_be_heard_was_not_missed():
    trusted = read(NEW, told=Told.NEWS)
    assert read(trusted, listened=False) == trusted


def test_a_poll_may_be_quicker_than_the_webhook():
    missed = read(read(NEW, told=Told.NEWS), now=1_000)
    assert after_webhook(missed, now=1_000 + GRACE_SECONDS).works
    assert not after_webhook(missed, now=1_001 + GRACE_SECONDS).works
    assert not after_webhook(NEW, now=1_000).works, "one alone shows nothing yet"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["webhook", *Told]), st.booleans(), st.booleans(), st.floats(0, 10_000)
    ),
    max_size=30,
)


@given(steps=STEPS, poll=POLLS, listening=st.booleans())
def test_whatever_happens(steps, poll, listening):
    trust, now, clue = Trust(), 0.0, False
    for what, changed, listened, pause in steps:
        now += pause
        if what == "webhook":
            trust = after_webhook(trust, now=now)
        else:
            trust = after_read(trust, changed=changed, told=what, listened=listened, now=now)
            clue = clue or (what is Told.NEWS and changed)
        seconds = poll_seconds(poll, trust, listening=listening)
        assert seconds == 0 if poll == 0 else poll <= seconds <= max(poll, SLOWEST_SECONDS)
        if not (clue and listening):
            assert seconds == poll, "without a webhook that told of a change, as was asked for"
    # What none told of while they could be heard always brings the polls back.
    trust = after_read(trust, changed=True, told=Told.NOTHING, listened=True, now=now)
    assert poll_seconds(poll, trust, listening=True) == poll
    assert not math.isnan(trust.missed_at)
