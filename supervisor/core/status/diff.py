"""Texts side by side: which can be shown, and the unified diff of two."""

from collections.abc import Iterator

from supervisor.kit.texts import format_size
from supervisor.model.diff import TextPair

LIMIT = 256 << 10
"""Bytes of a file that is shown; comparing larger ones takes too long."""
_LINES = 3


def pair(path: str, old: bytes | None, new: bytes | None) -> TextPair:
    """Make a pair of texts; of what is no text, or too much of it, only its name."""
    for content in (old, new):
        if content is not None and len(content) > LIMIT:
            return _hidden(path, old, new, f"larger than {format_size(LIMIT)}")
    try:
        texts = [content if content is None else content.decode() for content in (old, new)]
    except UnicodeDecodeError:
        return _hidden(path, old, new, "binary")
    if any("\0" in text for text in texts if text):
        return _hidden(path, old, new, "binary")
    return TextPair(path=path, old=texts[0], new=texts[1])


def too_large(path: str, *, is_here: bool, is_wanted: bool = True) -> TextPair:
    """Return the pair for a file that is not even to be read."""
    old, new = (b"" if there else None for there in (is_here, is_wanted))
    return _hidden(path, old, new, f"larger than {format_size(LIMIT)}")


def _hidden(path: str, old: bytes | None, new: bytes | None, why: str) -> TextPair:
    return TextPair(
        path=path, old=None if old is None else "", new=None if new is None else "", hidden=why
    )


def unified(texts: TextPair, *, below: str) -> Iterator[str]:
    """Yield the lines of a unified diff, without line ends; `below` stands before the path."""
    place = f"{below}/{texts.path}"
    before = "/dev/null" if texts.old is None else f"a/{place}"
    after = "/dev/null" if texts.new is None else f"b/{place}"
    if texts.hidden:
        yield f"Files {before} and {after} differ ({texts.hidden})"
        return
    from difflib import unified_diff  # noqa: PLC0415  # only for the few who look

    old = (texts.old or "").splitlines(keepends=True)
    new = (texts.new or "").splitlines(keepends=True)
    empty = True
    for line in unified_diff(old, new, before, after, n=_LINES):
        empty = False
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"
    if empty:  # an empty file that comes or goes, or another mode
        yield f"--- {before}"
        yield f"+++ {after}"
