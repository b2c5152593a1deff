"""What is written back into a source's files: the tags that policies chose, once they are good.

Of an image that follows its tag (`ImagePolicy=digest`) nothing is: the file says already what is
followed, and one that named the digest would end that.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.policy import comes_after
from supervisor.core.images.reference import name_and_tag, parse_reference
from supervisor.core.images.words import policy_words, short_name
from supervisor.kit.texts import one_line
from supervisor.model.image import ImagePolicy, ImageRule, Pin
from supervisor.model.pull_request import Proposal
from supervisor.model.writeback import PushedBranch, TagChange, WrittenBack

_MOST_LINES = 200
"""Two of each change; a Git host takes 64 KiB."""
_LONGEST_LINE = 200
_IMAGE = re.compile(rb"(\s*Image\s*=\s*)(\S+)(\s*)")


def tag_change(app: str, path: str, rule: ImageRule, pins: Iterable[Pin]) -> TagChange | None:
    """Return what a line is to name instead, as `pins` passed their gate; None if nothing else.

    `path` is where the rule's file stands in the source. What is older by the policy than what the
    file says is never written: it may be that this host is behind another one.
    """
    question = rule.question
    pin = next((one for one in pins if one.question == question.key), None)
    says = name_and_tag(question.image)[1]
    if question.names_tag or pin is None or not comes_after(pin.tag, says, question.policy):
        return None
    return TagChange(
        path=path,
        line=rule.line,
        image=question.image,
        tag=pin.tag,
        app=app,
        question=question.key,
        policy=policy_words(question.policy),
    )


def rewritten(content: bytes, change: TagChange) -> bytes:
    """Return a file with the tag of that very line changed, and nothing else.

    Raises Refused if the line does not name the image as it is expected to.
    """
    lines = content.splitlines(keepends=True)
    found = _IMAGE.fullmatch(lines[change.line - 1]) if 0 < change.line <= len(lines) else None
    where = f"{change.path}:{change.line}" if change.line else change.path
    hint = f"name it in one line, as Image={change.image}; or write Image= by hand"
    try:
        said = str(parse_reference(found[2].decode(errors="replace"))) if found else ""
    except Refused:
        said = ""
    if found is None or said != change.image:
        raise Refused(f"{where} does not say Image={change.image} itself", hint)
    old = b":" + name_and_tag(change.image)[1].encode()
    name = found[2].removesuffix(old)
    lines[change.line - 1] = found[1] + name + b":" + change.tag.encode() + found[3]
    return b"".join(lines)


def is_said(changes: Iterable[TagChange], tags: Mapping[tuple[str, str], str]) -> bool:
    """Whether a source's files say all that already, or something newer, of what is still there.

    `tags` are those that the files name, by path and question.
    """
    found = [(one, tags.get((one.path, one.question))) for one in changes]
    return any(tag for _, tag in found) and all(
        tag != name_and_tag(one.image)[1] for one, tag in found
    )


def message(changes: Sequence[TagChange], host: str) -> str:
    """Tell in a commit's message from what to what, by which policy, for which app and file."""
    head = (f"{_subject(changes)}\n", f"{_where(changes, host)}\n")
    return "\n".join((*head, *_lines(changes))) + "\n"


def proposal(pushed: PushedBranch, *, host: str) -> Proposal:
    """Tell the same in a pull request for it.

    What comes of files and registries stands in an indented block, where Markdown means nothing.
    """
    lines = list(_lines(pushed.changes))
    block = [f"    {one_line(line, _LONGEST_LINE)}" for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        block.append(f"    and {(len(lines) - _MOST_LINES) // 2} more")
    what_then = (
        "podvisor keeps this branch, and what is said here, up to date until it is merged or"
        " closed. Nothing restarts for a merge. Closed without one, it is not opened again for the"
        " same versions; they go on running."
    )
    said = (_where(pushed.changes, host), "\n".join(block), what_then)
    return Proposal(
        head=pushed.branch,
        to=pushed.onto,
        title=_subject(pushed.changes),
        body="\n\n".join(said) + "\n",
    )


def _subject(changes: Sequence[TagChange]) -> str:
    images = sorted({short_name(one.image) for one in changes})
    if len(images) > 1:
        return f"Run newer versions of {len(images)} images"
    tags = sorted({one.tag for one in changes})
    return f"Run {images[0]} {', '.join(tags)}"[:72]


def _where(changes: Sequence[TagChange], host: str) -> str:
    is_one = len({one.image for one in changes}) == 1
    return f"It runs on {host}, and is well." if is_one else f"They run on {host}, and are well."


def _lines(changes: Iterable[TagChange]) -> Iterator[str]:
    for one in sorted(changes):
        repository, tag = name_and_tag(one.image)
        yield f"{repository}: {tag} -> {one.tag}"
        yield f"  {one.app}, {one.path}, by {one.policy}"


def is_ours(written: WrittenBack, tag: str) -> bool:
    """Whether a source's file names this tag since it was committed here."""
    return (written.is_seen and written.tag == tag) or (written.was_ours and written.was == tag)


def as_read(
    written: WrittenBack, revision: str, says: str, policy: ImagePolicy, *, merged: bool
) -> WrittenBack | None:
    """Return what is to be remembered of a commit when a source's file names this tag now.

    `revision` is the source's; `merged` if the commit is part of it only when a person has merged
    it. None where nothing of it counts any more: the file names something newer.
    """
    if written.stays_at:
        # Who goes back a second step does not mean the version that was taken back first.
        return (
            None if comes_after(says, written.stays_at, policy) else replace(written, stays_at=says)
        )
    if says == written.tag:
        return replace(written, is_seen=True)
    if not written.is_seen and (merged or revision == written.onto):
        if written.was_ours and comes_after(written.was, says, policy):
            return replace(written, stays_at=says)  # below what is still proposed
        return written if says == written.was else None
    return replace(written, stays_at=says) if comes_after(written.tag, says, policy) else None
