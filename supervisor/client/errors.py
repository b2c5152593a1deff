"""What can go wrong when podvisor is asked."""


class ClientError(Exception):
    """There is no answer. `str()` of it is a sentence for people.

    Raised itself where podvisor cannot be reached, or its answer not be read.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        """What to do; empty where nobody knows."""


class Unreachable(ClientError):
    """Nobody listens there: the daemon, or its page, does not run."""


class TimedOut(ClientError):
    """There was no answer in time. What was ordered may have been done."""


class Disconnected(ClientError):
    """The connection ended before the answer did. What was ordered may have been done."""


class ApiError(ClientError):
    """podvisor answered that it does not do this: problem details (RFC 9457)."""

    def __init__(self, detail: str, hint: str = "", *, status: int = 0, title: str = "") -> None:
        super().__init__(detail, hint)
        self.status = status
        """Of HTTP: 400 cannot be read, 404 is not there or needs a person, 503 may work later."""
        self.title = title
        self.detail = detail
