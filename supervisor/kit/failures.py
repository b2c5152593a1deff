"""What is said to people where something fails: they are told what, why, and what to do."""


class Failure(Exception):
    """Base; `str()` of it is a sentence for people: "cannot X: why"."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        """What a person is to do; empty where it may help to wait."""


class Retry(Failure):
    """It may work later, unchanged: a network, a registry or a full disk."""

    def __init__(self, message: str, hint: str = "", *, after_seconds: float = 0.0) -> None:
        super().__init__(message, hint)
        self.after_seconds = after_seconds
        """The other end asked not to be bothered before; 0 if it did not."""


class OutOfReach(Retry):
    """What is needed for everything does not answer: that is wrong, and not what was being done."""

    def __init__(
        self, message: str, hint: str = "", *, after_seconds: float = 0.0, what: str = ""
    ) -> None:
        super().__init__(message, hint, after_seconds=after_seconds)
        self.what = what
        """Which one, in a word that stays the same; empty if nobody knows."""


class Stalled(Failure):
    """A person is needed; `hint` says what to do."""


class NotAllowed(Stalled):
    """What was asked for, or the settings, do not allow it: nothing helps but another of these."""
