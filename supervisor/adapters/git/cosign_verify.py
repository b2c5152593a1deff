"""Find the signatures that keys made: a helper, which `cosign` asks.

The library for it takes 7 MB, which the daemon would carry for good.
"""

import msgspec

from supervisor.kit.helper import serve


class Signed(msgspec.Struct, frozen=True):
    """Texts with their signatures, and public keys as PEM."""

    texts: tuple[tuple[bytes, bytes], ...]
    keys: tuple[bytes, ...]


class Genuine(msgspec.Struct, frozen=True):
    """What was found out."""

    keys: int
    """How many of the keys are for ECDSA."""
    texts: tuple[int, ...]
    """Which of the texts one of those has signed, with SHA-256."""


def genuine(signed: Signed) -> Genuine:
    """Find what the keys have signed."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    keys = []
    for pem in signed.keys:
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, ec.EllipticCurvePublicKey):
            keys.append(key)

    def is_of(key: ec.EllipticCurvePublicKey, text: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, text, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    found = (
        number
        for number, (text, signature) in enumerate(signed.texts)
        if any(is_of(key, text, signature) for key in keys)
    )
    return Genuine(len(keys), tuple(found))


if __name__ == "__main__":
    serve(genuine, Signed)
