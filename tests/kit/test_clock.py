import time

from supervisor.kit.clock import Clock, SystemClock


def test_the_system_clock_tells_the_time() -> None:
    clock: Clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5


def test_time_spent_suspended_only_grows() -> None:
    before = SystemClock().suspended()
    assert before > -0.001
    assert SystemClock().suspended() - before > -0.001
