"""Answers that come line by line, for whoever waits for them."""

from collections.abc import Iterator
from typing import Generic, Self

from supervisor.client import typed
from supervisor.client.errors import Disconnected
from supervisor.client.exchange import Exchange
from supervisor.client.typed import R, T, Told


class Stream(Generic[T]):
    """Entries as they come: an iterator, which `close` ends at any moment, from any thread."""

    def __init__(self, exchange: Exchange, kind: type[T]) -> None:
        self._exchange = exchange
        self._lines = exchange.lines()
        self._kind = kind

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return typed.decoded(next(self._lines), self._kind)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Progress(Generic[R]):
    """An order that was sent: what is done, as it is done, and then its reply.

    Who only wants to know how it ends calls `result`. What was ordered is done, whether anybody
    waits for it or not.
    """

    def __init__(self, exchange: Exchange, reply: type[R]) -> None:
        self._exchange = exchange
        self._lines = exchange.lines()
        self._order = typed.Order(reply)

    def __iter__(self) -> Iterator[Told]:
        return self

    def __next__(self) -> Told:
        try:
            while not (told := self._order.take(next(self._lines))):
                pass
        except BaseException:
            self.close()
            raise
        return told

    def result(self) -> R:
        """Wait for the end, and return the reply."""
        for _ in self:
            pass
        if self._order.reply is None:
            raise Disconnected("podvisor hung up before it was done", typed.WHAT_NOW)
        return self._order.reply

    def close(self) -> None:
        """Hang up."""
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
