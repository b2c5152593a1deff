"""What is remembered of registries: how they want to be asked, their tokens, when to come again.

Nothing of it is written down, and each part has a size.
"""

import math
import zlib
from collections.abc import Hashable, Sequence
from typing import TypeVar

import anyio
import msgspec

from supervisor.adapters.registry.challenges import Challenge
from supervisor.adapters.registry.credentials import Login

_MOST = 256
_MOST_LIST_BYTES = 512 << 10
"""For lists of tags, as they are kept: a megabyte of tags takes a tenth of that."""
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Token(msgspec.Struct, frozen=True):
    """What lets one in for a while; its repr does not hold it."""

    text: str
    good_until: float
    """By the event loop's clock."""

    def __repr__(self) -> str:
        return "Token(…)"


class Way(msgspec.Struct, frozen=True):
    """How a host wants to be shown who asks."""

    challenge: Challenge
    is_public: bool
    """Whether the host that said so is reached over the public Internet."""


class TokenKey(msgspec.Struct, frozen=True):
    """What a token is good for."""

    host: str
    path: str
    login: Login | None


class PushTime(msgspec.Struct, frozen=True):
    """When a digest was pushed as a tag; 0 if nobody tells."""

    digest: str
    at: float


class _Rest(msgspec.Struct, frozen=True):
    until: float
    why: str


class KeptList(msgspec.Struct, frozen=True):
    """The tags of a repository, as they were when the list had this mark."""

    etag: str
    packed: bytes

    @property
    def tags(self) -> tuple[str, ...]:
        """In the registry's order."""
        return tuple(zlib.decompress(self.packed).decode().split())


class Memory(msgspec.Struct):
    """Of all registries together."""

    ways: dict[str, Way] = {}
    tokens: dict[TokenKey, Token] = {}
    schemes: dict[str, str] = {}
    """Of hosts that need not be encrypted: whether they are."""
    push_times: dict[str, PushTime] = {}
    """By image."""
    _rests: dict[str, _Rest] = {}
    _lists: dict[str, KeptList] = {}

    def let_rest(self, host: str, seconds: float, why: str) -> None:
        """Leave a host alone for some time."""
        keep(self._rests, host, _Rest(anyio.current_time() + seconds, why))

    def rest_of(self, host: str) -> tuple[float, str]:
        """Return for how many seconds a host is to be left alone, and why."""
        rest = self._rests.get(host)
        left = rest.until - anyio.current_time() if rest else -math.inf
        if rest is None or left <= 0:
            self._rests.pop(host, None)
            return 0.0, ""
        return left, rest.why

    def end_rests(self) -> None:
        """Ask all again."""
        self._rests.clear()

    def token(self, key: TokenKey) -> Token | None:
        """Return a token that is still good."""
        token = self.tokens.get(key)
        return token if token and anyio.current_time() < token.good_until else None

    def tags(self, name: str) -> KeptList | None:
        """Return the list that is kept, if one is."""
        return self._lists.get(name)

    def keep_tags(self, name: str, etag: str, tags: Sequence[str]) -> None:
        """Keep a list, and of others as many as there is room for; without a mark, forget it."""
        self._lists.pop(name, None)
        packed = zlib.compress(" ".join(tags).encode()) if etag else b""
        if not etag or len(packed) > _MOST_LIST_BYTES:
            return
        keep(self._lists, name, KeptList(etag, packed))
        while sum(len(one.packed) for one in self._lists.values()) > _MOST_LIST_BYTES:
            del self._lists[next(iter(self._lists))]


def keep(mapping: dict[Key, Value], key: Key, value: Value) -> None:
    """Remember something; what was remembered longest ago goes if it is too much."""
    mapping.pop(key, None)
    mapping[key] = value
    while len(mapping) > _MOST:
        del mapping[next(iter(mapping))]
