"""Whom it concerns that units go from one app to another."""

import msgspec

from supervisor.core.desired.unit_moves import along
from tests.fakes.machine import app, container, deploy


class Unwalked(dict):
    """Apps that nobody may go through."""

    def items(self):
        raise AssertionError("it is walked")

    values = __iter__ = items


def test_a_unit_that_goes_takes_the_other_app_along():
    a, b = app("a", container("one")), app("b", container("two"))
    everything = {
        "a": msgspec.structs.replace(deploy(app("a")), last_good=a),
        "b": msgspec.structs.replace(deploy(app("b", container("one"))), last_good=b),
        "c": deploy(app("c", container("three"))),
    }
    assert along(["a"], everything) == {"b"}
    assert along(["a", "b"], everything) == along(["c"], everything) == set()


def test_nobody_takes_nobody_along_and_no_app_is_looked_at_for_it():
    assert along((), Unwalked({"a": deploy(app("a", container("one")))})) == set()
