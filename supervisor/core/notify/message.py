"""What a message says: plain sentences, of bounded length, in which nothing acts as markup.

Names, reasons and lines of logs come from elsewhere: whatever they hold is letters.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from supervisor.core.notify.news import counted
from supervisor.kit.texts import joined
from supervisor.model.notify import Lasts, Message, MessageType, News
from supervisor.model.notify_settings import NotifyKind

LONGEST_TITLE = 120
LONGEST_BODY = 1_000
"""Characters: so much the shortest of the common services take."""
_MOST_NAMES = 3
_MENTION = re.compile(r"@(?=everyone\b|here\b|channel\b|all\b|room\b)|(?<=<)(?=[@!#&])")
"""What calls people together in chats."""
_JOINER = "\N{WORD JOINER}"
_BAD = {NotifyKind.PROBLEM, NotifyKind.REVERTED, NotifyKind.CERTIFICATE, NotifyKind.DISK}
_GOOD = 2
"""The rank of what may be known, and has to be by nobody."""
_HEADLINES = {
    NotifyKind.REVERTED: "{who} was taken back",
    NotifyKind.DISK: "a disk is nearly full",
    NotifyKind.CRASH: "podvisor did not stop as it should, and runs again",
    NotifyKind.RECOVERED: "{who} is well again",
    NotifyKind.WAITING: "{who} waits for you",
    NotifyKind.DEPLOYED: "{who} was deployed",
    NotifyKind.UPDATE: "{who} has a newer version that waits",
    NotifyKind.COOLDOWN: "{who} gets its newer version now",
}
_DETAILS = (
    # Letters of a text, lines of a log, letters of each, whether the rest is said too.
    (400, 8, 120, True),
    (300, 3, 100, True),
    (200, 1, 80, True),
    (120, 0, 0, True),
    (90, 0, 0, False),
)
"""From all that is known to a line for each; the first counts that fits."""


def message_of(
    batch: Sequence[News], *, host: str, left_out: int = 0, open_now: Iterable[News] = ()
) -> Message:
    """Say it all in one message, the gravest first; what does not fit is counted.

    `open_now` is all that is wrong at this moment: nothing is well of which some still is.
    """
    batch = sorted(batch, key=_rank)
    told = {one.key for one in batch}
    praised = {one.who for one in batch if one.is_over or _is_deployed(one)}
    rest = [one for one in open_now if one.key not in told and one.who in praised]
    return Message(
        title=plain(f"{host}: {_headline(batch, rest)}", LONGEST_TITLE),
        body=_body(batch, left_out, rest),
        type=_type(batch, is_well=not rest),
    )


def sample_message(name: str, *, host: str) -> Message:
    """Return what `podvisor notify test` sends."""
    body = f"This is a test of notifier {name}. It works: podvisor on {host} reaches you."
    return Message(title=plain(f"{host}: a test of podvisor", LONGEST_TITLE), body=body)


def plain(text: str, longest: int) -> str:
    """Make one line of a text: no control characters, nobody is called, cut to a length."""
    line = "".join(c if c.isprintable() else " " for c in joined(text))
    line = " ".join(line.split())
    line = _MENTION.sub(lambda found: found[0] + _JOINER, line)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _rank(one: News) -> int:
    """Return its place among others: what is wrong, what a person has to do, what may be known."""
    if one.is_end:
        return _GOOD
    if one.kind in _BAD - {NotifyKind.REVERTED} or one.kind is NotifyKind.CRASH:
        return 0
    is_for_person = {one.kind, one.also} & {NotifyKind.REVERTED, NotifyKind.WAITING}
    return 1 if is_for_person else _GOOD


def _headline(batch: Sequence[News], rest: Sequence[News]) -> str:
    """`rest` is what goes on with what some is over of, or was deployed."""
    if len(batch) == 1:
        (one,) = batch
        who = plain(one.who, 40)
        if rest and _is_deployed(one):
            return f"{who} was deployed, and is not well"
        if rest:
            return f"one problem of {who} is over, {_going_on(len(rest))}"
        if one.is_gone:
            return f"{who} was removed"
        if one.times and not one.is_end:
            return f"{who} {_flaps(one)}"
        if one.kind in _HEADLINES:
            return _HEADLINES[one.kind].format(who=who)
        return one.text if one.app and one.text.startswith(one.app) else f"{who}: {one.text}"
    more = f"; {_going_on(len(rest))}" if rest else ""
    ailing = {one.who for one in (*batch, *rest) if one.lasts is Lasts.OPEN and not one.is_end}
    return (
        f"{counted(batch, ailing=ailing)}: {_names(dict.fromkeys(one.who for one in batch))}{more}"
    )


def _is_deployed(one: News) -> bool:
    return one.kind is NotifyKind.DEPLOYED and not one.is_gone


def _flaps(one: News) -> str:
    return f"comes and goes, {one.times} times in the last hour"


def _going_on(number: int) -> str:
    return f"{number} {'goes' if number == 1 else 'go'} on"


def _names(names: Collection[str]) -> str:
    shown = [plain(name, 30) for name in names][:_MOST_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _type(batch: Iterable[News], *, is_well: bool) -> MessageType:
    kinds = {NotifyKind.RECOVERED if one.is_end else one.kind for one in batch if not one.is_gone}
    if kinds & _BAD:
        return MessageType.FAILURE
    if not is_well or kinds & {NotifyKind.CRASH, NotifyKind.WAITING}:
        return MessageType.WARNING
    return MessageType.SUCCESS if NotifyKind.RECOVERED in kinds else MessageType.INFO


def _body(batch: Sequence[News], left_out: int, rest: Sequence[News]) -> str:
    """Say each as fully as there is room; good news gives way first."""
    grave = [one for one in batch if _rank(one) < _GOOD] or batch
    minor = batch[len(grave) :]
    goes_on = [f"Goes on: {plain(_named(one), 120)}" for one in rest[:1]]
    for at, detail in enumerate(_DETAILS):
        parts = [_part(one, *detail) for one in grave]
        for smaller in _DETAILS[at:]:
            others = [_part(one, *smaller) for one in minor]
            unsaid = _unsaid((), left_out)
            text = _joined([*parts, *others, *goes_on, *unsaid], is_apart=smaller[-1])
            if len(text) <= LONGEST_BODY:
                return text
        lines = [_part(one, *_DETAILS[-1]) for one in minor]
        for most in range(len(minor) - 1, -1, -1):
            unsaid = _unsaid(minor[most:], left_out)
            text = _joined([*parts, *lines[:most], *goes_on, *unsaid], is_apart=detail[-1])
            if len(text) <= LONGEST_BODY:
                return text
    lines = [_part(one, *_DETAILS[-1]) for one in grave]
    cuts = (
        _joined([*lines[:most], *_unsaid(batch[most:], left_out)], is_apart=False)
        for most in range(len(grave) - 1, -1, -1)
    )
    return next(text for text in cuts if len(text) <= LONGEST_BODY)


def _unsaid(cut: Sequence[News], left_out: int) -> list[str]:
    """Count what there is no room for, by kind."""
    if not cut and not left_out:
        return []
    kinds = [counted(cut)] if cut else []
    kinds += [f"{left_out} left out"] if left_out else []
    return [f"And {len(cut) + left_out} more: podvisor status ({', '.join(kinds)})"]


def _joined(parts: Iterable[str], *, is_apart: bool) -> str:
    return ("\n\n" if is_apart else "\n").join(parts)


def _named(one: News) -> str:
    named = one.text if one.who in one.text else f"{one.who}: {one.text}"
    if one.is_end and one.lasts is not Lasts.OPEN:
        return f"{one.who}: has waited long enough: {one.text}"
    if one.times and not one.is_end:
        return f"{one.who} {_flaps(one)}: {one.text}"
    return named


def _part(one: News, letters: int, lines: int, width: int, is_full: bool) -> str:  # noqa: FBT001
    said_lines = [plain(_named(one), letters)]
    if is_full:
        if one.hint:
            said_lines.append(plain(one.hint, letters))
        if lines and one.log:
            said_lines.append("Last lines:")
            said_lines += [f"  {plain(line, width)}" for line in one.log[-lines:]]
        if one.command:
            said_lines.append(f"Next: {plain(one.command, 120)}")
    return "\n".join(said_lines)
