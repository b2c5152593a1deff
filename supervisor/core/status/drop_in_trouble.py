"""What somebody laid over a unit by hand, which no push can mend."""

from collections.abc import Sequence


def shaped_by(drop_ins: Sequence[str]) -> str:
    """Say of a unit that failed which drop-ins of this host's own shape it; empty if none does."""
    if not drop_ins:
        return ""
    verb = "is" if len(drop_ins) == 1 else "are"
    return f"also shaped by {' and '.join(drop_ins)}, which {verb} not of its source"
