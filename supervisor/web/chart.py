"""What idling costs, as a small picture that stands in the page: SVG without a style of its own."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from markupsafe import Markup

_WIDTH, _HEIGHT, _BOTTOM = 600, 90, 84
_MINUTE = 60.0


class Span(NamedTuple):
    """What the daemon took between two samples."""

    begun: float
    ended: float
    cpu_ms: float
    """Milliseconds of CPU a minute."""
    wakes: float
    """Wake-ups a minute."""


def spans(samples: Sequence[dict[str, Any]]) -> list[Span]:
    """Return what it took from each sample to the next, the oldest first."""
    return [
        Span(
            begun=one["at"],
            ended=other["at"],
            cpu_ms=1_000 * _MINUTE * (other["cpu_seconds"] - one["cpu_seconds"]) / seconds,
            wakes=_MINUTE * (other["waits"] - one["waits"]) / seconds,
        )
        for one, other in pairwise(samples)
        # The clock may have been set back meanwhile.
        if (seconds := other["at"] - one["at"]) >= 1
    ]


def whole(found: Sequence[Span]) -> Span | None:
    """Return what it took over all of them; None for none."""
    seconds = sum(one.ended - one.begun for one in found)
    if not found:
        return None
    return Span(
        begun=found[0].begun,
        ended=found[-1].ended,
        cpu_ms=sum(one.cpu_ms * (one.ended - one.begun) for one in found) / seconds,
        wakes=sum(one.wakes * (one.ended - one.begun) for one in found) / seconds,
    )


def chart(found: Sequence[Span], *, what: str, title: str) -> Markup:
    """Draw `cpu_ms` or `wakes` of each as a bar, as wide as it is long."""
    begun, ended = found[0].begun, found[-1].ended
    most = max(getattr(one, what) for one in found) or 1.0
    scale = _WIDTH / max(ended - begun, 1.0)
    bars = Markup("").join(
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            (one.begun - begun) * scale,
            _BOTTOM - height,
            max((one.ended - one.begun) * scale - 0.5, 0.5),
            height,
        )
        for one in found
        if (height := max(getattr(one, what) / most * (_BOTTOM - 4), 0.5)) > 0
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'preserveAspectRatio="none"><title>{}</title>{}</svg>'
    ).format(_WIDTH, _HEIGHT, title, title, bars)
