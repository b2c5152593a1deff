import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.kit import texts


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90),
        ("5m", 300),
        ("5min", 300),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        (" 7d ", 604_800),
        ("2w", 1_209_600),
        ("1.5h", 5_400),
        ("250ms", 0.25),
        ("1H", 3_600),
    ],
)
def test_reads_durations(text: str, seconds: float) -> None:
    assert texts.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "h", "1x", "-5s", "1h30", "s5", "1..5s", "٣s", "∞", "1e9s"]
)
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it as 90s"):
        texts.parse_duration(text)


def test_a_number_without_unit_says_which_to_write() -> None:
    with pytest.raises(ValueError, match="write it as 300s, for seconds"):
        texts.parse_duration("300")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (5_400, "1h30m"), (7_776_000, "90d"), (1.5, "1.5s"), (61, "1m1s"), (-60, "-1m")],
)
def test_writes_durations(seconds: float, text: str) -> None:
    assert texts.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0s"), (1.5067, "1.5s"), (9.96, "10s"), (15.00671, "15s"), (723.4, "12m3s")],
)
def test_says_how_long_something_took(seconds: float, text: str) -> None:
    assert texts.rough_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**9).map(lambda n: n / 1000))
def test_durations_survive_writing_and_reading(seconds: float) -> None:
    assert texts.parse_duration(texts.format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.integers(min_value=0, max_value=10**14))
def test_sizes_survive_writing_and_reading(size: int) -> None:
    assert texts.parse_size(texts.format_size(size)) == size


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (texts.parse_duration, texts.parse_size):
        try:
            assert parse(text) >= 0
        except ValueError as raised:
            problem = raised
        else:
            continue
        assert "write it as" in str(problem)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1_000),
        ("16M", 16 << 20),
        ("16 MiB", 16 << 20),
        ("1.5k", 1_536),
        ("2GB", 2 << 30),
    ],
)
def test_reads_sizes(text: str, size: int) -> None:
    assert texts.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1M", "16X", "16 MM"])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write it as 512K"):
        texts.parse_size(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "never"),
        (1_000_000, "now"),
        (999_998, "2s ago"),
        (1_000_020, "in 20s"),
        (999_820, "3min ago"),
        (1_000_000 - 5_400, "1h ago"),
        (1_000_000 - 50_000, "13h ago"),
        (1_000_000 - 90_000, "1 day ago"),
        (1_000_000 + 200_000, "in 2 days"),
        (1_000_000 + 7_199, "in 2h"),
        (1_000_000 + 5_400, "in 1h"),
    ],
)
def test_tells_when(moment: float, text: str) -> None:
    assert texts.relative(moment, now=1_000_000) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [("pol", "poll"), ("floder", "folder"), ("Git", "git"), ("excludes", "exclude"), ("zebra", "")],
)
def test_finds_the_word_that_was_meant(word: str, meant: str) -> None:
    assert texts.nearest(word, ["git", "folder", "poll", "exclude", "select"]) == meant


def test_counts() -> None:
    assert texts.count(1, "step") == "1 step"
    assert texts.count(3, "step") == "3 steps"
    assert texts.count(0, "entry", "entries") == "0 entries"
