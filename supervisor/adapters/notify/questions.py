"""What the process with Apprise is asked, and answers."""

import msgspec

from supervisor.model.notify import Message


class Sending(msgspec.Struct, frozen=True):
    """Whom to send what."""

    url: str
    message: Message


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    is_known: bool = True
    """Whether Apprise knows what to do with the URL."""
    is_sent: bool = False
    why: str = ""
    """In Apprise's words, which may repeat the URL."""
    status: int = 0
    """Of HTTP, if the other end answered with one."""
