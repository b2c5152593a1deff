"""What systemd's properties of a unit mean."""

from typing import Any

import pytest

from supervisor.adapters.systemd.values import unmet_condition


def condition(kind: str, parameter: str, state: int, *, trigger: bool = False) -> list[Any]:
    return [kind, trigger, parameter.startswith("!"), parameter.removeprefix("!"), state]


PATH, HOST = ("ConditionPathExists", "/mnt/x"), ("ConditionHost", "!pi")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([condition(*PATH, -1), condition(*HOST, 1)], "ConditionPathExists=/mnt/x"),
        ([condition(*PATH, 1), condition(*HOST, -1)], "ConditionHost=!pi"),
        ([condition(*PATH, -1, trigger=True)], "ConditionPathExists=|/mnt/x"),
        # After a daemon-reload, systemd does not know any more which it was.
        ([condition(*PATH, 0), condition(*HOST, 0)], f"{PATH[0]}=/mnt/x {HOST[0]}=!pi"),
    ],
)
def test_the_condition_that_was_not_met_is_named(rows: list[Any], text: str) -> None:
    values = {"Conditions": rows, "ConditionResult": False, "ConditionTimestamp": 5_000_000}
    assert unmet_condition(values) == (text, 5.0)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"ConditionResult": False, "ConditionTimestamp": 0, "Conditions": [condition(*PATH, 0)]},
        {"ConditionResult": True, "ConditionTimestamp": 5, "Conditions": [condition(*PATH, 1)]},
    ],
)
def test_what_was_not_tested_or_is_met_is_not_unmet(values: dict[str, Any]) -> None:
    assert unmet_condition(values) == ("", 0.0)


def test_what_a_command_of_its_own_said_is_a_condition_too() -> None:
    values = {"ConditionResult": True, "InactiveEnterTimestamp": 7_000_000}
    assert unmet_condition(values, result="exec-condition") == ("ExecCondition=", 7.0)


def test_an_assertion_is_one_too() -> None:
    values = {
        "AssertResult": False,
        "AssertTimestamp": 2_000_000,
        "Asserts": [condition("AssertPathExists", "/y", -1)],
    }
    assert unmet_condition(values) == ("AssertPathExists=/y", 2.0)
