"""What systemd's properties of a unit mean."""

from collections.abc import Mapping
from typing import Any


def seconds(values: Mapping[str, Any], key: str) -> float:
    """Return a timestamp in seconds since the epoch, 0 if there is none."""
    return int(values.get(key, 0)) / 1e6


def unmet_condition(values: Mapping[str, Any], *, result: str = "") -> tuple[str, float]:
    """Return the conditions that were not met when they were tested last, and when that was.

    `result` is the service's `Result=`, which alone tells of an `ExecCondition=`. Which of the
    others it was, systemd forgets when it loads its units anew: then they are all named.
    """
    if result == "exec-condition":
        return "ExecCondition=", seconds(values, "InactiveEnterTimestamp")
    for one in ("Assert", "Condition"):
        tested_at = seconds(values, f"{one}Timestamp")
        if not tested_at or values.get(f"{one}Result", True):
            continue
        rows = values.get(f"{one}s", ())
        lacking = [row for row in rows if row[4] < 0] or rows
        texts = (
            f"{kind}={'|' * triggers}{'!' * negated}{parameter}"
            for kind, triggers, negated, parameter, _ in lacking
        )
        return " ".join(texts), tested_at
    return "", 0.0
