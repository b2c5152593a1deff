"""Says each thing once: of what a status tells of an app, only what no line before has said.

The daemon tells of a failure wherever somebody may look for it: the gate, a need, the unit.
"""

from collections.abc import Collection, Mapping

_MARK = ": "


class Once:
    """What was said of one app so far."""

    def __init__(self, units: Collection[str], *, rows: Mapping[str, str]) -> None:
        """`units` are the app's, `rows` those that are listed below with their state."""
        self._units = sorted(units, key=len, reverse=True)
        self._rows = rows
        self._said: list[str] = []

    def news(self, text: str) -> str:
        """Return the text without what was said of its unit before; empty if that is all of it."""
        unit = next((name for name in self._units if name in text), "")
        rest = self.without_cause(unit, text)
        what = rest.removeprefix(f"{unit}{_MARK}")
        is_told = (
            text in self._said
            or (rest != text and what.isalpha())  # how a job ended; why, was said
            or _is_state(what, self._rows.get(unit, ""))
        )
        self._said.append(text)
        return "" if is_told else rest

    def has_said(self, unit: str, part: str) -> bool:
        """Whether a line that names the unit has that part."""
        return any(unit in one and part in one for one in self._said)

    def without_cause(self, unit: str, text: str) -> str:
        """Return the text without its end, if a line before that names the unit has that end."""
        at = text.find(_MARK) if unit else -1
        while at >= 0:
            if any(unit in one and one.endswith(text[at:]) for one in self._said):
                return text[:at]
            at = text.find(_MARK, at + 1)
        return text


def _is_state(text: str, state: str) -> bool:
    """Whether a text says of a unit no more than its state, and how often it was tried."""
    if not state or not text.startswith(state):
        return False
    more = text.removeprefix(state)
    return not more or (more.startswith((" (", " after ")) and _MARK not in more)
