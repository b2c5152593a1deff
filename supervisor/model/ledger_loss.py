"""A damaged ledger that was set aside, and what was lost with it; kept in the ledger."""

import msgspec


class LedgerLoss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One damaged file. Over once it is no longer there: who removes it has seen it."""

    file: str
    """Where it is kept."""
    taken_over: int = 0
    """How many documents could be read in it: what was ordered, deployed and known."""
    whole: bool = False
    """Whether these are all that there were."""

    @property
    def text(self) -> str:
        """What was lost, in a sentence."""
        begun = "the ledger was damaged and was begun anew: the event log until then is lost"
        if self.whole:
            return f"{begun}; what was ordered and what runs is known still"
        lost = (
            "what people ordered (suspended, held, pinned, scaled) and what was known of releases"
        )
        if not self.taken_over:
            return f"{begun}, and with it {lost}"
        return f"{begun}, and maybe some of {lost}: {self.taken_over} records could still be read"

    @property
    def hint(self) -> str:
        """What to do."""
        more = "" if self.whole else "look whether what you ordered still stands, order it again; "
        return f"the damaged file is {self.file}; {more}this is over when the file is gone"
