from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.githost.poll_interval import GRACE_SECONDS, SLOWEST_SECONDS, Trust

POLLS = st.one_of(st.just(0.0), st.floats(min_value=1, max_value=1e6))


def read(trust, *, changed=True, listening=True, now=1_000.0):
    trust.begin_read()
    return trust.end_read(changed=changed, listening=listening, now=now)


def trusted():
    """Webhooks of which one told of a change, since when all are heard."""
    trust = Trust()
    trust.hear(is_new=True, now=900.0)
    assert read(trust)
    return trust


def test_once_a_webhook_told_of_a_change_polls_are_seldom():
    trust = trusted()
    assert Trust().poll_seconds(300, listening=True) == 300
    assert trust.poll_seconds(300, listening=True) == 3_600
    assert trust.poll_seconds(300, listening=False) == 300, "as asked for, while none is heard"
    assert trust.poll_seconds(60, listening=True) == 720
    assert trust.poll_seconds(7_200, listening=True) == 7_200, "as seldom as was asked"
    assert trust.poll_seconds(0, listening=True) == 0, "never is never"


def test_a_poll_that_finds_what_none_told_of_brings_them_back():
    trust = trusted()
    assert read(trust), "it tells that the pace is another"
    assert trust.poll_seconds(300, listening=True) == 300
    assert not read(trust)


def test_a_webhook_that_finds_nothing_new_says_nothing():
    trust = Trust()
    trust.hear(is_new=True, now=900.0)
    assert not read(trust, changed=False)
    assert not trust.works
    read(trust)
    assert not trust.works, "nor later: it was about what was read then"


def test_a_recording_that_is_played_again_says_nothing():
    for trust in (Trust(), trusted()):
        works = trust.works
        trust.hear(is_new=False, now=900.0)
        assert not read(trust)
        assert trust.works is works


def test_what_could_not_be_heard_was_not_missed():
    trust = trusted()
    trust.stop_listening()
    assert not read(trust)
    assert trust.works
    trust = trusted()
    read(trust, changed=False, listening=False)
    assert not read(trust)
    assert trust.works


def test_what_was_told_is_still_to_be_found_when_reading_failed():
    trust = Trust()
    trust.hear(is_new=True, now=900.0)
    trust.begin_read()
    assert read(trust)
    assert trust.works


def test_what_comes_while_it_is_read_counts_for_this_read_and_for_the_next():
    trust = trusted()
    trust.begin_read()
    trust.hear(is_new=True, now=1_000.0)
    trust.end_read(changed=False, listening=True, now=1_001.0)
    assert not read(trust), "it told of this change"
    assert trust.works


def test_a_poll_may_be_quicker_than_the_webhook():
    for after, works in ((GRACE_SECONDS, True), (GRACE_SECONDS + 1, False)):
        trust = trusted()
        read(trust, now=1_000.0)
        assert not trust.works
        trust.hear(is_new=True, now=1_000.0 + after)
        assert trust.works is works
    trust = Trust()
    trust.hear(is_new=True, now=1_000.0)
    assert not trust.works, "one alone shows nothing yet"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hear", "hear again", "begin", "end", "end", "stop"]),
        st.booleans(),
        st.booleans(),
        st.floats(0, 10_000),
    ),
    max_size=40,
)


@given(steps=STEPS, poll=POLLS, listening=st.booleans())
def test_whatever_happens(steps, poll, listening):
    trust, now = Trust(), 0.0
    news_before = news_while = clue = False
    for what, changed, heard, pause in steps:
        now += pause
        match what:
            case "hear":
                trust.hear(is_new=True, now=now)
                news_while = True
            case "hear again":
                trust.hear(is_new=False, now=now)
            case "begin":
                trust.begin_read()
                news_before, news_while = news_before or news_while, False
            case "end":
                clue = clue or (changed and (news_before or news_while))
                trust.end_read(changed=changed, listening=heard, now=now)
                news_before = False
            case "stop":
                trust.stop_listening()
        seconds = trust.poll_seconds(poll, listening=listening)
        assert seconds == 0 if poll == 0 else poll <= seconds <= max(poll, SLOWEST_SECONDS)
        if not (clue and listening):
            assert seconds == poll, "without a webhook that told of a change, as was asked for"
    # What none told of while they could be heard always brings the polls back.
    for changed in (False, False, True):
        read(trust, changed=changed, now=now)
    assert trust.poll_seconds(poll, listening=True) == poll
