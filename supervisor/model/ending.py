"""How a unit that is down has ended, and what it said last."""

import msgspec


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a unit's last run, for people. `str()` of it is all of it."""

    how: str = ""
    """By which status or signal, and what that means; empty if nobody knows, or if the lines say
    more than that."""
    lines: tuple[str, ...] = ()
    """The few last lines of its log that say why: plain text, each of bounded length."""
    more: str = ""
    """What podvisor knows besides: who has the port that it asks for."""
    has_gap: bool = False
    """Whether the journal lacks what systemd always says of such an end: more may be missing."""
    is_bare: bool = False
    """Whether nothing was there of what the program wrote: it may be on its way to the journal."""

    @property
    def words(self) -> str:
        """What it said, and what is known besides."""
        return "; ".join(filter(None, ("\n".join(self.lines), self.more)))

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.how, self.words)))
