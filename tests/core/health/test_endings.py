"""What a status, a signal, a result of systemd's means."""

import pytest

from supervisor.core.health.endings import (
    exit_in_words,
    result_in_words,
    signal_in_words,
    status_in_words,
)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (1, "exit status 1"),
        (126, "exit status 126, the command cannot be executed"),
        (127, "exit status 127, command not found"),
        (128, "exit status 128"),
        (139, "exit status 139, killed by SIGSEGV, invalid memory access"),
        (143, "exit status 143, killed by SIGTERM"),
        (193, "exit status 193"),
        (255, "exit status 255"),
    ],
)
def test_a_status_says_what_it_means_by_convention(status: int, words: str) -> None:
    assert status_in_words(status) == words


def test_a_signal_has_its_name() -> None:
    assert signal_in_words(9) == "killed by SIGKILL"
    assert signal_in_words(4, dumped=True) == "killed by SIGILL, illegal instruction, core dumped"
    assert signal_in_words(0) == "killed by signal 0"


def test_what_systemd_knows_by_itself() -> None:
    assert exit_in_words("success", 1, 0) == ""
    assert exit_in_words("exit-code", 1, 7) == "exit status 7"
    assert exit_in_words("signal", 2, 9) == "killed by SIGKILL"
    assert exit_in_words("core-dump", 3, 11).endswith("core dumped")
    assert exit_in_words("oom-kill", 2, 9) == "OOMKilled, out of memory"
    assert exit_in_words("timeout", 2, 15) == "timed out"
    assert exit_in_words("resources", 0, 0) == "resources"


def test_a_word_of_systemds_gives_way_to_what_says_more() -> None:
    assert result_in_words("exit-code") == "exit-code"
    assert result_in_words("exit-code", "exit status 3") == "exit status 3"
    assert result_in_words("start-limit-hit", "exit status 3") == "start-limit-hit, exit status 3"
