"""What is written back into a source's files: the tags that policies chose, once they are good.

Of an image that follows its tag (`ImagePolicy=digest`) nothing is: the file says already what is
followed, and one that named the digest would end that.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.policy import comes_after
from supervisor.core.images.reference import name_and_tag, parse_reference
from supervisor.core.images.words import policy_words, short_name
from supervisor.model.image import ImagePolicy, ImageRule, Pin
from supervisor.model.writeback import TagChange, WrittenBack

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


def message(changes: Sequence[TagChange], host: str) -> str:
    """Tell in a commit's message from what to what, by which policy, for which app and file."""
    images = sorted({short_name(one.image) for one in changes})
    if len(images) == 1:
        tags = sorted({one.tag for one in changes})
        subject = f"Run {images[0]} {', '.join(tags)}"
    else:
        subject = f"Run newer versions of {len(images)} images"
    lines = [f"{subject[:72]}\n", f"They run on {host}, and are well.\n"]
    for one in sorted(changes):
        repository, tag = name_and_tag(one.image)
        lines.append(f"{repository}: {tag} -> {one.tag}")
        lines.append(f"  {one.app}, {one.path}, by {one.policy}")
    return "\n".join(lines) + "\n"


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
        return written if says == written.was else None
    return replace(written, stays_at=says) if comes_after(written.tag, says, policy) else None
