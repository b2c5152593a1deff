"""How a process ended, or why none began, in words.

Exit statuses and signals stand with what they mean by convention.
"""

import signal

OUT_OF_MEMORY = "OOMKilled, out of memory"
START_TIMEOUT = "its start timed out"
STOP_TIMEOUT = "its stop timed out"
WATCHDOG = "its watchdog heard nothing"

_OF_RESULTS = {
    "oom-kill": OUT_OF_MEMORY,
    "timeout": "timed out",
    "watchdog": WATCHDOG,
}
"""systemd's words for what is no status and no signal."""
_OF_STATUSES = {
    126: "the command cannot be executed",
    127: "command not found",
}
"""What shells, and Podman for a container's command, mean by a status."""
_BY_SIGNAL = 128
"""A shell adds the number of the signal that ended a program; so does Podman for a container."""
_OF_SYSTEMD = 200
"""From here on, systemd says what it could not do before the program ran."""
_OF_SIGNALS = {
    "SIGABRT": "aborted by itself",
    "SIGBUS": "bad memory access",
    "SIGFPE": "arithmetic error",
    "SIGILL": "illegal instruction",
    "SIGPIPE": "nobody reads what it writes",
    "SIGSEGV": "invalid memory access",
    "SIGSYS": "forbidden system call",
    "SIGXCPU": "out of CPU time",
}


def status_in_words(status: int, word: str = "") -> str:
    """Say what an exit status means; `word` is systemd's own for it."""
    text = f"exit status {status}"
    if meaning := _OF_STATUSES.get(status, ""):
        return f"{text}, {meaning}"
    if status >= _OF_SYSTEMD and word.isalpha():
        return f"{text}, {word}: systemd could not run it"
    if name := _name(status - _BY_SIGNAL):
        return f"{text}, {_with_meaning(name)}"
    return text


def signal_in_words(number: int, *, dumped: bool = False) -> str:
    """Say by which signal a process was ended."""
    text = _with_meaning(_name(number) or f"signal {number}")
    return f"{text}, core dumped" if dumped else text


def result_in_words(result: str, how: str = "") -> str:
    """Say how a unit failed: in systemd's word for it, or by `how` where that says more."""
    if not how:
        return _OF_RESULTS.get(result, result)
    return f"{result}, {how}" if result == "start-limit-hit" else how


def unmet_in_words(unmet: str) -> str:
    """Say for what a unit was not started, by what is `unmet` of it."""
    key, _, value = unmet.partition("=")
    return f"{value} runs, with which it conflicts" if key == "Conflicts" else f"{unmet} is not met"


def exit_in_words(result: str, code: int, status: int) -> str:
    """Say it by `Result=`, `ExecMainCode=` and `ExecMainStatus=`; empty if it ended well."""
    if result in ("", "success"):
        return ""
    if result in _OF_RESULTS or not status:
        return result_in_words(result)
    if code == _CLD_EXITED:
        return status_in_words(status)
    return signal_in_words(status, dumped=code == _CLD_DUMPED)


_CLD_EXITED, _CLD_DUMPED = 1, 3
"""Of waitid(2)."""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _with_meaning(name: str) -> str:
    meaning = _OF_SIGNALS.get(name, "")
    return f"killed by {name}, {meaning}" if meaning else f"killed by {name}"
