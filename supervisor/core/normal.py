"""The normal form of a unit, and its digest: equal as long as what systemd runs is equal.

Left out: where the text was staged (the live folder stands in its place), comments, SourcePath=,
the [X-…] sections (nobody runs them), [Install] (`DesiredUnit.wanted_by` holds what it asks), and
the order of keys and of dependencies.
"""

import hashlib
from collections.abc import Iterable

from supervisor.core.unitfile import UnitFile, split_words

_NOT_RUN = ("Install",)
_UNORDERED = frozenset(
    {
        "After",
        "Before",
        "BindsTo",
        "Conflicts",
        "Documentation",
        "OnFailure",
        "OnSuccess",
        "PartOf",
        "PropagatesReloadTo",
        "ReloadPropagatedFrom",
        "Requires",
        "RequiresMountsFor",
        "Requisite",
        "Upholds",
        "Wants",
        "WantsMountsFor",
    }
)


def digest(
    unit: UnitFile, *, stage: str = "", live: str = "", leave_out: Iterable[tuple[str, str]] = ()
) -> str:
    """Hash a unit; `leave_out` names (section, key) pairs that do not count for this one."""
    ignored = {("Unit", "SourcePath"), *leave_out}
    values: dict[tuple[str, str], list[str]] = {}
    for entry in unit.entries:
        if entry.section in _NOT_RUN or entry.section.startswith("X-"):
            continue
        if (entry.section, entry.key) not in ignored:
            value = entry.value.replace(stage, live) if stage else entry.value
            values.setdefault((entry.section, entry.key), []).append(value)
    state = hashlib.sha256()
    for (section, key), assigned in sorted(values.items()):
        if section == "Unit" and key in _UNORDERED and "" not in assigned:
            assigned = sorted({word for value in assigned for word in split_words(value)})  # noqa: PLW2901
        for text in (section, key, *assigned):
            encoded = text.encode(errors="replace")
            state.update(b"%d:" % len(encoded) + encoded)
        state.update(b";")
    return state.hexdigest()[:40]
