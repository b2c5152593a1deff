"""Verify one RS256 signature: a helper, which `tokens` asks.

The library for it takes 7 MB, which the daemon would carry for good.
"""

import base64

import msgspec

from supervisor.kit.helper import serve

_FEWEST_BITS = 2048
_MOST_BITS = 8192


class Signed(msgspec.Struct, frozen=True):
    """A signature with its text and key, as they stand in a token and in a JWK."""

    text: str
    signature: str
    n: str
    e: str


def is_genuine(signed: Signed) -> bool:
    """Whether the key has signed the text. Raises ValueError if the key is unusable."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    modulus, exponent = (int.from_bytes(_decoded(part)) for part in (signed.n, signed.e))
    if not _FEWEST_BITS <= modulus.bit_length() <= _MOST_BITS:
        raise ValueError("its key is unusable")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    try:
        key.verify(_decoded(signed.signature), signed.text.encode(), padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    serve(is_genuine, Signed)
