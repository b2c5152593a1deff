"""How often a question is asked, whatever the clock says."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.images.check_pace import GRACE_SECONDS, first_wait, is_told, period
from supervisor.model.image import ImageKnowledge, ImageQuestion, ImageVersion

HOUR, DAY = 3_600.0, 86_400.0
QUESTION = ImageQuestion(image="quay.io/me/web:1")
moments = st.floats(0, 4e9)


def knows(*, seen_at=0.0, **more):
    newest = ImageVersion(runs="quay.io/me/web@sha256:1", seen_at=seen_at)
    return ImageKnowledge(question=QUESTION, newest=newest, **more)


knowledge = st.builds(
    knows, seen_at=moments, told_at=moments, asked_at=moments, failures=st.integers(0, 99)
)
intervals = st.just(0.0) | st.floats(1, 30 * DAY)


@given(knowledge | st.none(), intervals, st.booleans())
def test_never_more_often_than_the_settings_say_and_never_never(known, interval, listening):
    every = period(known, interval, listening=listening)
    assert (every == 0) == (interval == 0)
    assert interval <= every <= max(interval, min(12 * interval, DAY))


@given(knowledge | st.none(), intervals, moments)
def test_nothing_waits_longer_than_its_round_after_a_start(known, every, now):
    wait = first_wait(known, every, now=now)
    if wait is not None:
        assert 0 <= wait <= max(every, HOUR)
    else:
        assert not every, "only what is asked when somebody says so"


def test_what_is_told_of_is_asked_seldom_until_a_change_comes_untold():
    told = knows(seen_at=1_000.0, told_at=1_000.0 - 1)
    assert period(told, HOUR, listening=True) == 12 * HOUR
    assert period(told, HOUR, listening=False) == HOUR
    untold = knows(seen_at=1_000.0 + 2 * GRACE_SECONDS, told_at=1_000.0)
    assert not is_told(untold)
    just_before = knows(seen_at=1_000.0, told_at=1_000.0 - GRACE_SECONDS / 2)
    assert is_told(just_before)
    assert not is_told(ImageKnowledge(question=QUESTION, told_at=5.0))
    assert not is_told(knows(seen_at=0.0))


def test_what_failed_is_let_alone_across_a_start_as_it_would_have_been():
    failed = [knows(asked_at=1_000.0, failures=n, problem="down") for n in (1, 2, 3, 4, 9)]
    waits = [first_wait(one, DAY, now=1_010.0) for one in failed]
    assert waits == [50, 290, 890, 3_590, 3_590]
    assert first_wait(failed[0], 0.0, now=1_010.0) == 50, "as a failure is, whatever the rounds"
