"""Which lines are changed when a tag is written back, what the commit says, and what people say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.writeback import (
    as_read,
    is_said,
    message,
    proposal,
    rewritten,
    tag_change,
)
from supervisor.model.image import ImagePolicy, ImageQuestion, ImageRule, Pin, PolicyKind
from supervisor.model.pull_request import Proposal
from supervisor.model.writeback import PushedBranch, TagChange, WrittenBack

NEWEST = ImagePolicy(kind=PolicyKind.NEWEST)
WITHIN_1 = ImagePolicy(kind=PolicyKind.SEMVER, pattern="^1.2")
DIGEST = f"sha256:{'a' * 64}"


def change(image: str, tag: str, *, line: int = 1, path: str = "web/web.container") -> TagChange:
    return TagChange(
        path=path, line=line, image=image, tag=tag, app="web", question="q", policy="newest"
    )


@pytest.mark.parametrize(
    ("line", "image", "becomes"),
    [
        ("Image=reg.example/web:1.2", "reg.example/web:1.2", "Image=reg.example/web:1.3"),
        ("  Image = reg.example/web:1.2 ", "reg.example/web:1.2", "  Image = reg.example/web:1.3 "),
        ("Image=reg.example:50/web", "reg.example:50/web:latest", "Image=reg.example:50/web:1.3"),
        ("Image=reg.example/1.2:1.2", "reg.example/1.2:1.2", "Image=reg.example/1.2:1.3"),
        ("Image=docker.io/nginx:1.2", "docker.io/library/nginx:1.2", "Image=docker.io/nginx:1.3"),
    ],
)
def test_of_a_line_only_the_tag_changes(line, image, becomes):
    text = "# Image=reg.example/web:1.2\r\n{}\r\n\r\n[Install]\n"
    content = rewritten(text.format(line).encode(), change(image, "1.3", line=2))
    assert content == text.format(becomes).encode()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Image=reg.example/web:1.2", 0),
        ("Image=reg.example/web:1.2", 2),
        ("Image=reg.example/web:1.1", 1),
        ("Image=reg.example/web:1.2@" + DIGEST, 1),
        ("Image=reg.example/web:1.2 \\", 1),
        ("Image=reg.example/%N:1.2", 1),
        ("Image=\xff", 1),
        ("Exec=reg.example/web:1.2", 1),
        ("", 1),
    ],
)
def test_a_line_that_says_something_else_is_refused_with_its_place(text, line):
    with pytest.raises(Refused, match=r"^web/web.container") as met:
        rewritten(text.encode("latin-1"), change("reg.example/web:1.2", "1.3", line=line))
    assert "Image=reg.example/web:1.2" in met.value.hint


@given(before=st.binary(max_size=60), after=st.binary(max_size=60), tag=st.sampled_from("234"))
def test_everything_around_the_tag_stays(before, after, tag):
    head = before + b"\n"
    content = head + b"Image=reg.example/web:1\n" + after
    line = len(head.splitlines()) + 1
    found = rewritten(content, change("reg.example/web:1", tag, line=line))
    assert found == head + f"Image=reg.example/web:{tag}\n".encode() + after


def rule(tag: str, policy: ImagePolicy) -> ImageRule:
    question = ImageQuestion(image=f"reg.example/web:{tag}", policy=policy)
    return ImageRule(question=question, path="web.container", line=3)


def pin(one: ImageRule, tag: str) -> Pin:
    runs = f"reg.example/web@{DIGEST}"
    return Pin(path=one.path, question=one.question.key, runs=runs, tag=tag)


@pytest.mark.parametrize(
    ("says", "runs", "policy", "becomes"),
    [
        ("1.2.0", "1.3.0", WITHIN_1, "1.3.0"),
        ("latest", "1.3.0", WITHIN_1, "1.3.0"),
        ("1.3.0", "1.3.0", WITHIN_1, None),
        ("1.4.0", "1.3.0", WITHIN_1, None),
        ("1.2.0", "2.0.0", WITHIN_1, None),
        ("1.2.0", "", WITHIN_1, None),
        ("1.2.0", "1.3.0", NEWEST, "1.3.0"),
        ("1.2.0", "1.2.0", ImagePolicy(), None),
    ],
)
def test_only_what_is_newer_by_the_policy_is_written(says, runs, policy, becomes):
    one = rule(says, policy)
    found = tag_change("web", "apps/web/web.container", one, [pin(one, runs)])
    assert (found.tag if found else None) == becomes
    if found:
        assert (found.path, found.line) == ("apps/web/web.container", 3)


def test_a_message_says_from_what_to_what_by_which_policy_and_for_whom():
    one = change("docker.io/library/nginx:1.26", "1.27", path="apps/web/web.container")
    assert message([one], "pi") == (
        "Run nginx 1.27\n\nIt runs on pi, and is well.\n\n"
        "docker.io/library/nginx: 1.26 -> 1.27\n  web, apps/web/web.container, by newest\n"
    )
    both = message([one, change("reg.example/db:1", "2")], "pi")
    assert both.startswith("Run newer versions of 2 images\n\n")
    assert "reg.example/db: 1 -> 2\n" in both


WRITTEN = WrittenBack(app="web", question="q", onto="r1", commit="c", was="1", tag="2")
SEEN = WrittenBack(app="web", question="q", onto="r1", commit="c", was="1", tag="2", is_seen=True)
BACK = WrittenBack(
    app="web", question="q", onto="r1", commit="c", was="1", tag="2", is_seen=True, stays_at="1"
)


@pytest.mark.parametrize(
    ("written", "revision", "says", "merged", "stays_at"),
    [
        (WRITTEN, "r1", "1", False, ""),  # it was not read yet
        (WRITTEN, "r3", "1", False, "1"),  # the branch went on, and without it
        (WRITTEN, "r3", "1", True, ""),  # nobody has merged it
        (SEEN, "r3", "1", False, "1"),
        (SEEN, "r3", "1", True, "1"),
        (SEEN, "r3", "0", False, "0"),
        (SEEN, "r3", "2", False, ""),
        (SEEN, "r3", "3", False, None),
        (WRITTEN, "r3", "3", True, None),
        (BACK, "r3", "1", False, "1"),
        (BACK, "r3", "0", False, "0"),  # a second step back
        (BACK, "r3", "2", False, None),
        (BACK, "r3", "3", False, None),
    ],
)
def test_what_is_not_there_any_more_is_a_persons_word(written, revision, says, merged, stays_at):
    now = as_read(written, revision, says, NEWEST, merged=merged)
    assert (now.stays_at if now else None) == stays_at


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"a": "1"}, False),
        ({"a": "2"}, True),
        ({"a": "3"}, True),
        ({"a": "2", "b": "1"}, False),
        ({"a": "2", "b": "2"}, True),
        ({"b": "2"}, True),
        ({}, False),
    ],
)
def test_a_proposal_is_over_when_the_files_say_all_of_it_or_something_newer(tags, said):
    """What is not there any more counts for nothing; nor does a source of which nothing is."""
    changes = [change("reg.example/web:1", "2", path=path) for path in ("a", "b")]
    assert is_said(changes, {(path, "q"): tag for path, tag in tags.items()}) is said


def proposed(*changes: TagChange) -> Proposal:
    pushed = PushedBranch(branch="ours", commit="c", ref="", onto="main", changes=changes)
    return proposal(pushed, host="pi")


def test_what_comes_of_files_means_nothing_in_markdown():
    path = "a\n# x\n- [me](https://evil.example) @you\n/web.container"
    body = proposed(change("reg.example/web:1", "2", path=path)).body
    (line,) = [one for one in body.splitlines() if "evil" in one]
    assert line.startswith("      web, a")
    assert not any(one.startswith(("#", "- ")) for one in body.splitlines())


def test_a_proposal_is_never_larger_than_a_git_host_takes():
    many = [change(f"reg.example/{'x' * 300}{n}:1", "2", path="y" * 999) for n in range(300)]
    one = proposed(*many)
    assert len(one.body.encode()) < 60_000
    assert "    and 200 more\n" in one.body
    assert len(one.title) <= 72
