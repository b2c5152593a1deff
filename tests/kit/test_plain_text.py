"""Words of programs, without what is for a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.kit.plain_text import plain_line


@given(st.text(), st.integers(1, 50))
def test_a_line_is_plain_and_short_whatever_it_was(text: str, longest: int) -> None:
    line = plain_line(text, longest)
    assert line.isprintable()
    assert len(line) <= longest


def test_sequences_go_whole_and_words_stay() -> None:
    assert plain_line("\x1b[1;31mred\x1b[m", 80) == "red"
    assert plain_line("\x1b]0;title\x07text", 80) == "text"
    assert plain_line("\x1b]0;never ended", 80) == ""
    assert plain_line("a\tb", 80) == "a b"
    assert plain_line("x" * 9, 5) == "xxxx…"
