"""A flat folder of units as many apps: what it takes to group them."""

import sys

from supervisor.core.desired.unit_groups import group_units


def calls_to_group(members: int) -> int:
    """Calls that it takes to group a pod of so many containers."""
    texts = {f"c{n}.container": "[Container]\nPod=a.pod\n" for n in range(members)}
    texts["a.pod"] = "[Pod]\n"
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        groups = group_units(texts, texts, texts)
    finally:
        sys.setprofile(before)
    assert groups == {"a": set(texts)}
    return calls


def test_twice_as_many_units_of_a_group_take_no_more_than_twice_the_work() -> None:
    assert calls_to_group(200) < 2.2 * calls_to_group(100)
