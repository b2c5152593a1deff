"""Tell whether an issuer has signed a token. The `Tokens` port.

An issuer's keys are asked for when a token names one that is not known, once a minute at most, and
kept in memory. A signature that is not even of the right form costs nothing; another is checked in
a process that ends (`verify`).
"""

import base64
from typing import Any

import anyio
import msgspec

from supervisor.adapters.oidc import verify
from supervisor.kit.helper import HelperError, ask
from supervisor.kit.http import client as http
from supervisor.model.errors import Retry

_ASK_SECONDS = 10.0
_VERIFY_SECONDS = 10.0
_LARGEST_ANSWER = 256 << 10
_MOST_KEYS = 64
_APART_SECONDS = 60.0
_OK = 200
_AT_ONCE = 2
_USUAL_EXPONENT = 65_537
_LARGEST_KEY = 1_024
_SIGNED = 0x0001FF
"""What a signature of PKCS #1 v1.5 begins with, once it is opened."""


class _Key(msgspec.Struct):
    kid: str = ""
    kty: str = ""
    use: str = "sig"
    alg: str = "RS256"
    n: str = ""
    e: str = ""


class _Keys(msgspec.Struct):
    keys: list[_Key] = []


class _Configuration(msgspec.Struct):
    issuer: str
    jwks_uri: str


class TokenVerifier(msgspec.Struct):
    """Knows issuers by their keys."""

    _keys: dict[str, dict[str, _Key]] = {}
    _asked_at: dict[str, float] = {}
    _asking: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    _asked: int = 0
    _unreachable: Retry | None = None
    """Why the issuer that was asked last could not be."""
    _verifying: anyio.Semaphore = msgspec.field(default_factory=lambda: anyio.Semaphore(_AT_ONCE))

    async def is_genuine(self, token: str, *, issuer: str, key_name: str) -> bool:
        """Whether the issuer signed this token. Raises Retry if that cannot be found out."""
        key = await self._key(issuer, key_name)
        if key is None:
            return False
        text, _, signature = token.rpartition(".")
        if not _may_be_signed(signature, key):
            return False
        signed = verify.Signed(text, signature, key.n, key.e)
        async with self._verifying:
            try:
                return await ask(verify.__name__, signed, bool, timeout_seconds=_VERIFY_SECONDS)
            except HelperError as error:
                raise Retry(f"cannot verify a token: {error}") from error

    async def _key(self, issuer: str, name: str) -> _Key | None:
        if known := self._keys.get(issuer, {}).get(name):
            return known  # without waiting for those whose key has to be asked for
        asked = self._asked
        async with self._asking:
            if name in self._keys.get(issuer, {}):
                return self._keys[issuer][name]
            if self._asked != asked and self._unreachable:
                # It was asked while this waited: asking again would let the next one wait longer.
                raise Retry(str(self._unreachable))
            now = anyio.current_time()
            if now < self._asked_at.get(issuer, -_APART_SECONDS) + _APART_SECONDS:
                return None
            self._asked += 1
            try:
                keys = await _keys_of(issuer)
            except Retry as failure:
                self._unreachable = failure
                raise
            self._unreachable = None
            # One that cannot be reached is asked again at once: the sender tries again, too.
            self._asked_at[issuer] = now
            self._keys[issuer] = keys
            return keys.get(name)


def _may_be_signed(signature: str, key: _Key) -> bool:
    """Whether a signature has the form of one by this key, which nobody else can give it.

    Only a sieve, which holds back what was made up: `verify` decides. A key that is odd passes.
    """
    modulus, exponent, number = map(_number, (key.n, key.e, signature))
    size = (modulus.bit_length() + 7) // 8
    if exponent != _USUAL_EXPONENT or size > _LARGEST_KEY:
        return True
    return number < modulus and pow(number, exponent, modulus) >> 8 * (size - 3) == _SIGNED


def _number(text: str) -> int:
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return 0


async def _keys_of(issuer: str) -> dict[str, _Key]:
    place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        configuration = msgspec.convert(await _get(place), _Configuration)
        if configuration.issuer != issuer:
            raise Retry(f"cannot verify a token: {place} is of another issuer")
        if issuer.startswith("https:") and not configuration.jwks_uri.startswith("https:"):
            raise Retry(f"cannot verify a token: {place} names keys that are not encrypted")
        found = msgspec.convert(await _get(configuration.jwks_uri), _Keys)
    except msgspec.ValidationError as error:
        raise Retry(f"cannot verify a token: {issuer} answers oddly: {error}") from error
    usable = (
        key
        for key in found.keys
        if key.kid and key.n and key.e and (key.kty, key.use, key.alg) == ("RSA", "sig", "RS256")
    )
    return {key.kid: key for key, _ in zip(usable, range(_MOST_KEYS), strict=False)}


async def _get(url: str) -> Any:
    try:
        async with http.ask("GET", url, timeout_seconds=_ASK_SECONDS) as answer:
            if answer.status != _OK:
                raise Retry(f"cannot verify a token: {url} answers {answer.status}")
            return msgspec.json.decode(await answer.read(limit=_LARGEST_ANSWER))
    except (http.HttpError, ValueError, RecursionError) as error:
        raise Retry(f"cannot verify a token: {url}: {error}") from error
