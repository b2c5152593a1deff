"""The form of what `podvisor doctor` looks at, and of what it finds there."""

import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Generic, NamedTuple, TypeVar

import msgspec

from supervisor.model.doctor import Examined, Group, Severity
from supervisor.model.errors import Finding

T = TypeVar("T")
_THEN = ", then "
_COMMAND = re.compile(r"(?:sudo|systemctl|podman|loginctl) [^(]*")
"""What of a hint can be typed as it is."""


class Answer(NamedTuple):
    """What one look found; see `model.doctor.Examined`."""

    severity: Severity
    seen: str
    advice: str = ""
    commands: tuple[str, ...] = ()
    fixable: bool = False


class Check(msgspec.Struct, Generic[T], frozen=True):
    """One thing that is looked at."""

    code: str
    group: Group
    why: str
    """Why it matters, in a sentence."""
    look: Callable[[T], Answer | Iterable[Answer] | None]
    """Returns what it found: once, several times, or nothing where there is nothing to look at."""

    def examine(self, what: T) -> tuple[Examined, ...]:
        """Look, and put the check's own words to what is found."""
        answers = self.look(what)
        if answers is None:
            return ()
        found = (answers,) if isinstance(answers, Answer) else tuple(answers)
        return tuple(self.said(one) for one in found)

    def said(self, answer: Answer) -> Examined:
        """Put the check's own words to what was found."""
        return Examined(
            code=self.code,
            group=self.group,
            severity=answer.severity,
            seen=answer.seen,
            why="" if answer.severity is Severity.OK else self.why,
            advice=answer.advice,
            commands=answer.commands,
            fixable=answer.fixable,
        )


def ok(seen: str) -> Answer:
    """It is in order."""
    return Answer(Severity.OK, seen)


def info(seen: str, advice: str = "", *commands: str) -> Answer:
    """Something to know."""
    return Answer(Severity.INFO, seen, advice, commands)


def warning(seen: str, advice: str = "", *commands: str, fixable: bool = False) -> Answer:
    """It will hurt one day."""
    return Answer(Severity.WARNING, seen, advice, commands, fixable)


def error(seen: str, advice: str = "", *commands: str, fixable: bool = False) -> Answer:
    """It hurts now."""
    return Answer(Severity.ERROR, seen, advice, commands, fixable)


def unknown(seen: str) -> Answer:
    """Nobody can tell, and why."""
    return Answer(Severity.UNKNOWN, seen)


def of_finding(found: Finding | None, well: str) -> Answer:
    """Return what a finding says; `well` where there is none."""
    if found is None:
        return ok(well)
    steps = found.hint.split(_THEN)
    commands = [*takewhile(_COMMAND.fullmatch, steps)]
    advice = _THEN.join(steps[len(commands) :])
    if commands and advice:
        advice = f"then {advice}"
    return (error if found.fatal else warning)(found.message, advice, *commands)
