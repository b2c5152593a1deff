"""What a message says: plain sentences, of bounded length, in which nothing acts as markup.

Names, reasons and lines of logs come from elsewhere: whatever they hold is letters.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from supervisor.core.notify.news import counted
from supervisor.kit.texts import count
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


def message_of(batch: Sequence[News], *, host: str, left_out: int = 0) -> Message:
    """Say it all in one message; what does not fit is counted."""
    return Message(
        title=plain(f"{host}: {_headline(batch)}", LONGEST_TITLE),
        body=_body(batch, left_out),
        type=_type(batch),
    )


def sample_message(name: str, *, host: str) -> Message:
    """Return what `podvisor notify test` sends."""
    body = f"This is a test of notifier {name}. It works: podvisor on {host} reaches you."
    return Message(title=plain(f"{host}: a test of podvisor", LONGEST_TITLE), body=body)


def plain(text: str, longest: int) -> str:
    """Make one line of a text: no control characters, nobody is called, cut to a length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = _MENTION.sub(lambda found: found[0] + _JOINER, line)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _headline(batch: Sequence[News]) -> str:
    if len(batch) == 1:
        (one,) = batch
        who = plain(one.who, 40)
        if one.kind in _HEADLINES:
            return _HEADLINES[one.kind].format(who=who)
        return one.text if one.app and one.text.startswith(one.app) else f"{who}: {one.text}"
    return f"{counted(batch)}: {_names(dict.fromkeys(one.who for one in batch))}"


def _names(names: Collection[str]) -> str:
    shown = [plain(name, 30) for name in names][:_MOST_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _type(batch: Iterable[News]) -> MessageType:
    kinds = {NotifyKind.RECOVERED if one.is_end else one.kind for one in batch}
    if kinds & _BAD:
        return MessageType.FAILURE
    if kinds & {NotifyKind.CRASH, NotifyKind.WAITING}:
        return MessageType.WARNING
    return MessageType.SUCCESS if NotifyKind.RECOVERED in kinds else MessageType.INFO


def _body(batch: Sequence[News], left_out: int) -> str:
    parts: list[str] = []
    for letters, lines, width, is_full in _DETAILS:
        parts = [_part(one, letters, lines, width, is_full=is_full) for one in batch]
        text = _joined(parts, 0, left_out, apart=is_full)
        if len(text) <= LONGEST_BODY:
            return text
    said = range(len(batch) - 1, 0, -1)
    cuts = (_joined(parts[:n], len(batch) - n, left_out, apart=False) for n in said)
    return next(text for text in cuts if len(text) <= LONGEST_BODY)


def _joined(parts: Sequence[str], more: int, left_out: int, *, apart: bool) -> str:
    if unsaid := more + left_out:
        parts = [*parts, f"And {count(unsaid, 'more', 'more')}: podvisor status"]
    return ("\n\n" if apart else "\n").join(parts)


def _part(one: News, letters: int, lines: int, width: int, *, is_full: bool) -> str:
    named = one.text if one.who in one.text else f"{one.who}: {one.text}"
    if one.is_end:
        said = "is over" if one.lasts is Lasts.OPEN else "has waited long enough"
        named = f"{one.who}: {said}: {one.text}"
    said_lines = [plain(named, letters)]
    if is_full:
        if one.hint:
            said_lines.append(plain(one.hint, letters))
        if lines and one.log:
            said_lines.append("Last lines:")
            said_lines += [f"  {plain(line, width)}" for line in one.log[-lines:]]
        if one.command:
            said_lines.append(f"Next: {plain(one.command, 120)}")
    return "\n".join(said_lines)
