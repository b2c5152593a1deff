"""Whom people's messages go to, by role."""

from typing import Protocol

from supervisor.model.notify import Message


class Messenger(Protocol):
    """Services that bring messages to people."""

    async def send(self, url: bytes, message: Message) -> None:
        """Send a message to whom an Apprise URL names.

        Raises Retry (unreachable, overloaded, too slow) or Stalled (the URL is not understood, or
        refused); neither holds anything of the URL.
        """
