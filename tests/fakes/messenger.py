"""A `Messenger` in memory."""

import asyncio

from supervisor.model.errors import Stalled
from supervisor.model.notify import Message


class FakeMessenger:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Message]] = []
        """What arrived, and by which URL."""
        self.tries = 0
        self.failures: dict[bytes, Exception] = {}
        """By URL."""
        self.seconds = 0.1

    async def send(self, url: bytes, message: Message) -> None:
        if b"://" not in url or not url.decode().isprintable() or b" " in url:
            raise Stalled("what is there is no URL of Apprise's", hint="write one URL")
        self.tries += 1
        await asyncio.sleep(self.seconds)
        if url in self.failures:
            raise self.failures[url]
        self.sent.append((url, message))

    @property
    def titles(self) -> list[str]:
        """Of all messages, without the name of the host."""
        return [message.title.partition(": ")[2] for _, message in self.sent]
