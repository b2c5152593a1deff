"""Unit-file syntax: what systemd's manual pages promise of lines, words and specifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.unitfile import (
    Entry,
    expand,
    merge,
    parse,
    specifiers,
    split_words,
)

_ESCAPED = {"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def test_entries_keep_section_value_and_line() -> None:
    unit = parse("# c\n\n[Unit]\nDescription = A  b \n; d\n[Service]\nType=oneshot\n", path="x")
    assert unit.entries == (
        Entry("Unit", "Description", "A  b", 4, "x"),
        Entry("Service", "Type", "oneshot", 7, "x"),
    )
    assert unit.sections == ("Unit", "Service")
    assert unit.problems == ()


def test_continuation_joins_with_a_blank_and_skips_comments_between() -> None:
    unit = parse("[Service]\nExecStart=a \\\n# hidden\n  b\\\n\nType=x\n")
    assert unit.entries[0] == Entry("Service", "ExecStart", "a  b", 2)
    assert unit.last("Service", "Type") == "x"
    assert unit.entries[1].line == 6


def test_escaped_backslash_at_the_end_continues_nothing() -> None:
    unit = parse("[S]\nA=x\\\\\nB=y\n")
    assert [entry.value for entry in unit.entries] == ["x\\\\", "y"]


def test_end_of_file_inside_a_continuation() -> None:
    assert parse("[S]\nA=x\\").last("S", "A") == "x"


def test_lines_that_mean_nothing_are_problems_with_their_line() -> None:
    unit = parse("A=1\n[S]\ngarbage\n=x\n[T\nB=2\n")
    assert [problem.line for problem in unit.problems] == [1, 3, 4, 5]
    assert unit.last("S", "B") == "2"


def test_repeated_keys_and_reset() -> None:
    unit = parse("[S]\nA=1\nA=2\nA=\nA=3\nA=4\n")
    assert unit.values("S", "A") == ("3", "4")
    assert unit.last("S", "A") == "4"
    assert unit.values("S", "B") == ()
    assert unit.last("T", "A") == ""


def test_repeated_sections_are_one() -> None:
    unit = parse("[S]\nA=1\n[T]\n[S]\nA=2\n")
    assert unit.values("S", "A") == ("1", "2")
    assert unit.sections == ("S", "T")


def test_byte_order_mark_is_passed_over() -> None:
    assert parse("\ufeff[S]\nA=1\n").last("S", "A") == "1"


def test_drop_ins_follow_and_may_reset() -> None:
    unit = merge([parse("[S]\nA=1\nB=1\n", path="u"), parse("[S]\nA=\nA=2\n", path="d")])
    assert unit.values("S", "A") == ("2",)
    assert unit.last("S", "B") == "1"
    assert unit.entries[-1].path == "d"


def test_words_of_several_keys_are_each_once() -> None:
    unit = parse("[Unit]\nRequires=a b\nWants=b c\n")
    assert unit.words("Unit", "Requires", "Wants") == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("a b\tc", ["a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a'b c'd", ["ab cd"]),
        ("'' \"\"", ["", ""]),
        (r"a\x20b \101 \u00e9 \s", ["a b", "A", "é", " "]),
        (r'"say \"hi\""', ['say "hi"']),
        (r"\q \x2 \900", [r"\q", r"\x2", r"\900"]),
        ("'open end", ["open end"]),
        ("back\\", ["back\\"]),
        (r"\U00110000", [r"\U00110000"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(st.text())
def test_splitting_never_fails(text: str) -> None:
    split_words(text)
    parse(text)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_quoted_words_come_back(words: list[str]) -> None:
    quoted = ('"' + "".join(_ESCAPED.get(char, char) for char in word) + '"' for word in words)
    assert split_words("  ".join(quoted)) == words


@given(st.lists(st.text("ab/.:=,%$-_é", min_size=1)))
def test_plain_words_need_no_quotes(words: list[str]) -> None:
    assert split_words(" ".join(words)) == words


@given(st.lists(st.tuples(st.sampled_from("AB"), st.text("xyz ", min_size=1))))
def test_entries_come_back(pairs: list[tuple[str, str]]) -> None:
    text = "[S]\n" + "".join(f"{key}={value}\n" for key, value in pairs)
    assert [(e.key, e.value) for e in parse(text).entries] == [(k, v.strip()) for k, v in pairs]


def test_known_specifiers_are_replaced_and_others_stay() -> None:
    known = specifiers("web@1.service", home="/home/pi")
    assert (
        expand("%h/%p-%i %n %N 100%% %t %", known) == "/home/pi/web-1 web@1.service web@1 100% %t %"
    )


def test_a_template_has_no_name_of_its_own() -> None:
    assert expand("systemd-%p_%i", specifiers("web@.service")) == "systemd-web_%i"
