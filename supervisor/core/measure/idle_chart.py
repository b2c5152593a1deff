"""The figures of `podvisor bench idle` as a picture: an SVG for a web page, in its light or dark.

Bars on logarithmic scales, since what idles well and what does not lie four decades apart; a bar
of nothing has no length, and says 0.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from supervisor.model.idle import Figures, Report

_OWN = "podvisor"
_MARGIN, _LABELS, _BAR_ROOM, _VALUE_ROOM, _GAP = 24, 200, 150, 62, 22
_ROW, _BAR, _HEAD, _FOOT = 32, 14, 112, 62
_LONGEST_LABEL = 29
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif'
_SHAPES = (
    f"text{{font:13px {_FONT}}}.title{{font-size:19px;font-weight:600}}.dim{{font-size:12px}}"
    ".panel,.strong{font-weight:600}"
    ".value{font-variant-numeric:tabular-nums;paint-order:stroke;stroke-width:4px}"
)
_LIGHT = ("#ffffff", "#1f2328", "#59636e", "#d9dfe5", "#9aa4af", "#0969da", "#1a7f37")
_DARK = ("#0d1117", "#f0f6fc", "#9198a1", "#2f353d", "#656c76", "#4493f8", "#3fb950")
# Without variables, which viewers other than browsers do not know.
_COLOURS = (
    ".back{{fill:{0}}}.value{{stroke:{0}}}text{{fill:{1}}}.dim{{fill:{2}}}.grid{{stroke:{3}}}"
    ".bar{{fill:{4}}}.own{{fill:{5}}}.floor{{fill:{6}}}"
)
_STYLE = (
    f"{_SHAPES}{_COLOURS.format(*_LIGHT)}"
    f"@media(prefers-color-scheme:dark){{{_COLOURS.format(*_DARK)}}}"
)


class _Panel(NamedTuple):
    """One measure: its title, its value (None: not known), the smallest decade that it shows."""

    title: str
    value: Callable[[Figures], float | None]
    least: float
    partial: bool = False
    """Whether processes that came and went may be missing from it."""


_PANELS = (
    _Panel("CPU, ms a minute", lambda one: one.cpu_ms.mean, 0.01),
    _Panel("wake-ups a minute", lambda one: one.wakeups.mean, 0.1, partial=True),
    _Panel("memory (PSS), MB", lambda one: None if one.memory is None else one.memory / 1e6, 1),
)


def draw(report: Report, *, title: str = "What idling costs", floor: str = "") -> str:
    """Return the picture; `floor` is the label of what has least."""
    rows = sorted(report.targets, key=lambda one: (one.cpu_ms.mean, one.label != floor))
    width = 2 * _MARGIN + _LABELS + len(_PANELS) * (_BAR_ROOM + _VALUE_ROOM + _GAP) - _GAP
    height = _HEAD + len(rows) * _ROW + _FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_description(rows))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}" rx="8"/>',
        _text("title", _MARGIN, 38, title),
        _text("dim", _MARGIN, 58, _circumstances(report)),
    ]
    styles = {_OWN: "own", floor: "floor"}
    for number, one in enumerate(rows):
        middle = _HEAD + number * _ROW + _ROW / 2 + 4.5
        label = _shortened(f"{one.label} (the floor)" if one.label == floor else one.label)
        parts.append(_text("strong" if one.label == _OWN else "value", _MARGIN, middle, label))
    for number, panel in enumerate(_PANELS):
        left = _MARGIN + _LABELS + number * (_BAR_ROOM + _VALUE_ROOM + _GAP)
        parts.extend(_draw_panel(panel, rows, left, styles))
    foot = "Logarithmic scales. CPU and wake-ups: all processes, mean over the window."
    parts.append(_text("dim", _MARGIN, height - 22, foot))
    parts.append(_text("dim", width - _MARGIN, height - 22, "podvisor bench idle", anchor="end"))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _draw_panel(
    panel: _Panel, rows: Sequence[Figures], left: float, styles: dict[str, str]
) -> Iterator[str]:
    """Yield a title, the decades, and a bar with its value for each row."""
    values = [panel.value(one) for one in rows]
    low, high = scale([value for value in values if value is not None], panel.least)
    bottom = _HEAD + len(rows) * _ROW
    yield _text("panel", left, _HEAD - 24, panel.title)
    step = math.ceil((high - low) / 2)
    for decade in range(low, high + 1):
        x = left + _BAR_ROOM * (decade - low) / (high - low)
        yield f'<path class="grid" d="M{x:.1f} {_HEAD}V{bottom}"/>'
        if (decade - low) % step == 0:
            text = f"{10**decade:,}" if decade >= 0 else f"{10.0**decade:g}"
            yield _text("dim", x, bottom + 17, text, anchor="middle")
    for number, (one, value) in enumerate(zip(rows, values, strict=True)):
        top = _HEAD + number * _ROW + (_ROW - _BAR) / 2
        length = 0.0
        if value is not None and value > 10.0**low:
            length = _BAR_ROOM * (math.log10(value) - low) / (high - low)
        if length:
            yield (
                f'<rect class="{styles.get(one.label, "bar")}" x="{left}" y="{top:g}" '
                f'width="{length:.1f}" height="{_BAR}" rx="2"/>'
            )
        sign = "≥ " if panel.partial and not one.switches_complete else ""
        text = "?" if value is None else sign + number_of(value)
        yield _text("value", left + length + 6, top + _BAR / 2 + 4.5, text)


def _text(style: str, x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def scale(values: Sequence[float], least: float) -> tuple[int, int]:
    """Return the exponents of the first and last decade that hold all values above `least`."""
    shown = [value for value in values if value > least]
    low = math.ceil(math.log10(min(shown or [least]))) - 1  # the least one has a bar, too
    high = math.ceil(math.log10(max(shown))) if shown else low + 1
    return low, max(high, low + 1)


def number_of(value: float) -> str:
    """Write a number at a glance: `4,185`, `16`, `2.2`, `0.07`, `0`."""
    if value >= 10:  # noqa: PLR2004 - from here on two digits stand before the point
        return f"{value:,.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _description(rows: Sequence[Figures]) -> str:
    return "; ".join(
        f"{one.label}: {number_of(one.cpu_ms.mean)} ms of CPU and "
        f"{number_of(one.wakeups.mean)} wake-ups a minute"
        for one in rows
    )


def _circumstances(report: Report) -> str:
    minutes = report.window_seconds / 60
    words = [f"side by side over {minutes:g} min", report.machine, f"Linux {report.kernel}"]
    return " · ".join(word for word in words if word)


def _shortened(text: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
