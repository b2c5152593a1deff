"""What stands for an object until it is needed."""

from supervisor.kit.deferred import deferred


class Bell:
    made = 0

    def __init__(self) -> None:
        Bell.made += 1

    def ring(self, *, times: int = 1) -> str:
        return "ding " * times


def test_it_is_made_once_when_it_is_needed() -> None:
    bell = deferred(Bell)
    assert Bell.made == 0
    assert bell.ring(times=2) == "ding ding "
    assert bell.ring() == "ding "
    assert Bell.made == 1
