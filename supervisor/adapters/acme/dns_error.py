"""What fails when a name is proven by DNS."""

from supervisor.model.acme import FailureKind

__all__ = ("DnsError", "FailureKind")


class DnsError(Exception):
    """Says it in plain words, what to do, and what it means for the next order."""

    def __init__(
        self, message: str, hint: str = "", kind: FailureKind = FailureKind.PASSING
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.kind = kind
