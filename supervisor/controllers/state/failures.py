"""Which keys failed when they were reconciled last, and how often in a row."""

from collections.abc import Iterable

from supervisor.controllers.keys import Kind, parse


class Failures:
    """Written by the loop; one for the daemon."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._in_a_row

    def of(self, kind: Kind | None = None) -> list[str]:
        """Keys that failed, of one kind or of all."""
        return [key for key in self._in_a_row if kind is None or parse(key)[0] is kind]

    def add(self, key: str) -> int:
        """Count a failure; returns how many there were in a row."""
        self._in_a_row[key] = self._in_a_row.get(key, 0) + 1
        return self._in_a_row[key]

    def begin_anew(self, keys: Iterable[str]) -> None:
        """Have the next failure of each of these keys count as the first."""
        self._in_a_row.update(dict.fromkeys(keys, 0))

    def forget(self, key: str) -> bool:
        """Say that a key went well, or is about nothing any more; returns whether it had failed."""
        return self._in_a_row.pop(key, None) is not None
