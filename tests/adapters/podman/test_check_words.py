"""What is said of a health check that failed: which it is, and what it printed."""

from typing import Any

import pytest

from supervisor.adapters.podman.health import health_of

_BEGAN = "2026-11-30T10:21:33.994503174Z"
_ENDED = "2026-11-30T10:21:34.138114950Z"
_LATER = "2026-11-30T10:21:35.138114950Z"
_SHELL = {"Test": ["CMD-SHELL", "wget -q http://localhost/ || exit 7"], "Timeout": 1_000_000_000}
_OF_IMAGE = {"Test": ["CMD", "/bin/false", "two words"]}


def said(
    check: dict[str, Any],
    *,
    of_image: dict[str, Any] | None = None,
    code: int = 1,
    output: str = "",
    ended: str = _ENDED,
) -> str:
    last = {"Start": _BEGAN, "End": ended, "ExitCode": code, "Output": output}
    container = {
        "Config": {"Healthcheck": check},
        "State": {"Health": {"Status": "unhealthy", "Log": [last]}},
    }
    return health_of(container, {"Healthcheck": of_image}, adjustable=True).output


def test_the_command_is_named_and_that_it_printed_nothing() -> None:
    assert said(_SHELL) == (
        "its health check `wget -q http://localhost/ || exit 7` failed and printed nothing"
    )


def test_a_check_of_the_image_is_said_to_be_of_there() -> None:
    assert said(_OF_IMAGE, of_image=_OF_IMAGE) == (
        "its image's health check `/bin/false 'two words'` failed and printed nothing"
    )
    assert said(_SHELL, of_image=_OF_IMAGE).startswith("its health check `wget")


def test_what_it_printed_stands_behind_it_line_by_line() -> None:
    assert said(_SHELL, output="\x1b[31mno route\r\n\n  gave up \x00\n").endswith(
        "` failed: no route / gave up"
    )


def test_a_long_command_and_a_long_output_are_cut() -> None:
    words = said({"Test": ["CMD-SHELL", "x" * 5_000]}, output="y" * 5_000)
    assert len(words) < 400
    assert words.count("…") == 2


def test_one_that_took_too_long_is_said_to() -> None:
    for code in (125, 1):
        assert said(_SHELL, code=code, ended=_LATER).endswith(
            "exit 7` was not done after 1s and printed nothing"
        )


@pytest.mark.parametrize("code", [2, 7, 137])
def test_an_exit_status_is_said_where_podman_keeps_it(code: int) -> None:
    """Of most it keeps 1, whatever it was."""
    assert f"failed with exit status {code}" in said(_SHELL, code=code)


def test_of_one_that_did_not_fail_nothing_is_said() -> None:
    assert said(_SHELL, code=0, output="fine") == ""


@pytest.mark.parametrize("test", [None, [], ["NONE"], ["CMD"], [1, None], "true"])
def test_a_check_that_makes_no_sense_does_no_harm(test: object) -> None:
    assert said({"Test": test}, output="no route") == "no route"
