"""Verify one RS256 signature: a program, to be run by `tokens` in a process of its own.

The library for it takes 7 MB, which the daemon would carry for good; here they end with the
process. Standard input is JSON, `{"text": …, "signature": …, "n": …, "e": …}`, as they stand in a
token and in a JWK. Exit code 0: genuine; 1: not; 2: that could not be found out.
"""

import base64
import json
import sys

GENUINE = 0
FORGED = 1
UNCLEAR = 2
_FEWEST_BITS = 2048
_MOST_BITS = 8192


def main() -> int:
    """Judge what stands on standard input."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    given = json.load(sys.stdin)
    modulus, exponent = (int.from_bytes(_decoded(given[name])) for name in ("n", "e"))
    if not _FEWEST_BITS <= modulus.bit_length() <= _MOST_BITS:
        return UNCLEAR
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    try:
        key.verify(
            _decoded(given["signature"]), given["text"].encode(), padding.PKCS1v15(), SHA256()
        )
    except InvalidSignature:
        return FORGED
    return GENUINE


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    try:
        code = main()
    except (ValueError, KeyError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        code = UNCLEAR
    sys.exit(code)
