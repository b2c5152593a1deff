"""The picture: a whole SVG that says what the figures say."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.measure.idle_chart import draw, number_of, scale
from supervisor.model.idle import Figures, Report, Spread

SVG = "{http://www.w3.org/2000/svg}"


def figures(label, cpu_ms=1.0, wakeups=1.0, memory=10_000_000, *, complete=True):
    return Figures(
        label=label,
        what=label,
        cpu_ms=Spread(mean=cpu_ms),
        user_ms=0,
        system_ms=0,
        ended_cpu_ms=0,
        wakeups=Spread(mean=wakeups),
        switches=0,
        switches_complete=complete,
        memory=memory,
        written=0,
        processes=(),
    )


def report(*targets):
    return Report(
        version="1",
        machine="a <fast> machine",
        kernel="6.12",
        cpus=4,
        settle_seconds=120,
        window_seconds=600,
        busy_share=0,
        pressure_share=0,
        stolen_share=0,
        targets=targets,
    )


def parsed(picture):
    return ET.fromstring(picture)  # noqa: S314 - of our own making


def texts(picture):
    return [one.text for one in parsed(picture).iter(f"{SVG}text")]


def test_it_says_every_label_and_value_the_least_first() -> None:
    found = texts(
        draw(
            report(
                figures("loop & more", 764, 110, complete=False),
                figures("podvisor", 0.4, 0.7, 31_000_000),
                figures("s6", 0, 0, None),
            ),
            floor="s6",
        )
    )
    assert found.index("s6 (the floor)") < found.index("podvisor") < found.index("loop & more")
    assert {"764", "≥ 110", "0.4", "0.7", "31", "0", "?"} <= set(found)
    assert any("a <fast> machine" in text and "10 min" in text for text in found)


def test_bars_keep_the_order_of_the_values_and_nothing_has_none() -> None:
    picture = parsed(
        draw(report(figures("a", 0), figures("podvisor", 0.2), figures("b", 4), figures("c", 900)))
    )
    bars = [one for one in picture.iter(f"{SVG}rect") if one.get("x")]
    first = min(float(one.get("x", "")) for one in bars)
    widths = [float(one.get("width", "")) for one in bars if float(one.get("x", "")) == first]
    assert len(widths) == 3
    assert widths == sorted(widths)
    assert [one.get("class") for one in bars].count("own") == 3


@given(st.lists(st.tuples(st.floats(0, 1e7), st.floats(0, 1e7)), min_size=1, max_size=8), st.text())
def test_any_figures_make_a_picture_within_its_frame(
    values: list[tuple[float, float]], label: str
) -> None:
    label = "".join(character for character in label if character.isprintable())
    rows = [figures(f"{label}{at}", *pair) for at, pair in enumerate(values)]
    picture = parsed(draw(report(*rows)))
    width = float(picture.get("viewBox", "").split()[2])
    for one in picture.iter(f"{SVG}rect"):
        assert 0 <= float(one.get("x", "0")) + float(one.get("width", "")) <= width


@given(st.lists(st.floats(0, 1e9), max_size=9))
def test_a_scale_holds_all_that_is_shown(values: list[float]) -> None:
    low, high = scale(values, 0.01)
    assert low < high
    assert all(
        10.0**low <= value * 1.0001 and value <= 10.0**high * 1.0001
        for value in values
        if value > 0.01
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.004, "0"),
        (0.07, "0.07"),
        (0.5, "0.5"),
        (2.24, "2.2"),
        (15.7, "16"),
        (4185, "4,185"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number_of(value) == text
