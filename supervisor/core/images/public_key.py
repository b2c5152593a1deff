"""Public keys that images are signed with: PEM of a SubjectPublicKeyInfo (RFC 5280, RFC 7468).

As cosign and `skopeo generate-sigstore-key` write them. podvisor verifies nothing with them: it
compares them with those that Podman is told to verify with.
"""

import binascii
import hashlib
import re
from base64 import b64decode, b64encode

from supervisor.core.files.names import LARGEST_KEY

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]*)-----END \1-----", re.ASCII
)
_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----", re.ASCII)
_LINE = 64
_SEQUENCE = 0x30
_ALGORITHMS = tuple(
    bytes.fromhex(one) for one in ("06072a8648ce3d0201", "06092a864886f70d010101", "06032b6570")
)
"""DER of the object identifiers of elliptic curves, RSA and Ed25519."""
_HOW = "write the public key as cosign has it, from -----BEGIN PUBLIC KEY----- on"


def read_public_key(content: bytes) -> bytes:
    """Return the DER of the one public key in a PEM file. Raises ValueError, with a sentence."""
    if len(content) > LARGEST_KEY:
        raise ValueError(f"it is larger than {LARGEST_KEY >> 10} KiB: {_HOW}")
    kinds = [match[1] for match in _BEGIN.finditer(content)]
    if any(kind.endswith(b"PRIVATE KEY") for kind in kinds):
        raise ValueError("it holds a private key: take that out, and make another one")
    if not kinds:
        raise ValueError(f"it is no PEM: {_HOW}")
    if len(kinds) > 1:
        raise ValueError("it holds more than one key: leave the one that signs")
    keys = public_keys(content)
    if not keys:
        raise ValueError(f"it holds no public key: {_HOW}")
    return keys[0]


def public_keys(content: bytes) -> tuple[bytes, ...]:
    """Return the DER of each public key in a text; what is none is passed over."""
    found = []
    for match in _BLOCK.finditer(content[:LARGEST_KEY]):
        try:
            der = b64decode(b"".join(match[2].split()), validate=True)
        except binascii.Error:
            continue
        if match[1] == b"PUBLIC KEY" and _is_whole(der):
            found.append(der)
    return tuple(found)


def pem(der: bytes) -> str:
    """Write a public key as PEM."""
    text = b64encode(der).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))


def fingerprint(der: bytes) -> str:
    """Return what `openssl pkey -pubin -outform DER -in FILE | sha256sum` prints of it."""
    return hashlib.sha256(der).hexdigest()


def _is_whole(der: bytes) -> bool:
    """Whether it is one sequence, to its end, and names an algorithm that keys are of."""
    if len(der) < 2 or der[0] != _SEQUENCE:  # noqa: PLR2004
        return False
    length, head = der[1], 2
    if length & 0x80:
        head += length & 0x7F
        length = int.from_bytes(der[2:head])
    return head + length == len(der) and any(one in der[:32] for one in _ALGORITHMS)
