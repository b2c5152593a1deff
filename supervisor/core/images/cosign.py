"""Signatures of cosign's beside what they are of, in its registry.

SIGNATURE_SPEC of sigstore/cosign: the tag `sha256-HEX.sig` names a manifest whose layers are
payloads ("simple signing" of containers/image), each with its signature in an annotation.
"""

import base64
import binascii
import re
from collections.abc import Iterator

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.artifact import parse_manifest
from supervisor.core.images.reference import parse_reference
from supervisor.kit.texts import one_line

MOST = 16
"""Of signatures, or of keys."""
LARGEST_PAYLOAD = 64 << 10
_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
_LARGEST_SIGNATURE = 8 << 10
_KEY = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", re.ASCII
)
_LONGEST = 200


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One of them."""

    payload: str
    """Digest of the blob that it is of."""
    size: int
    content: bytes


class _Image(msgspec.Struct, rename="kebab"):
    docker_manifest_digest: str


class _Identity(msgspec.Struct, rename="kebab"):
    docker_reference: str


class _Critical(msgspec.Struct):
    image: _Image
    identity: _Identity
    type: str


class _Payload(msgspec.Struct):
    critical: _Critical


def tag_of(digest: str) -> str:
    """Return the tag under which the signatures of a manifest lie."""
    return f"{digest.replace(':', '-')}.sig"


def signatures_of(manifest: bytes) -> Iterator[Signature]:
    """Yield the signatures of such a manifest, as many as are looked at. Raises Refused."""
    for layer in (parse_manifest(manifest).layers or ())[:MOST]:
        text = layer.said(_SIGNATURE)
        if layer.media_type != _PAYLOAD or not 0 < len(text) <= _LARGEST_SIGNATURE:
            continue
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if layer.size <= LARGEST_PAYLOAD:
            yield Signature(payload=layer.digest, size=layer.size, content=content)


def keys_of(text: bytes) -> list[bytes]:
    """Return the public keys in a file of PEM, as many as are tried."""
    return _KEY.findall(text)[:MOST]


def fault_of(payload: bytes, *, digest: str, repository: str) -> str:
    """Return why a payload does not vouch for a manifest of a repository; empty if it does."""
    try:
        critical: _Critical | None = msgspec.json.decode(payload, type=_Payload).critical
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        critical = None
    if critical is None or critical.type != _TYPE:
        return "what is signed is no payload of cosign's"
    if critical.image.docker_manifest_digest != digest:
        return "its signature is of another artifact"
    named = critical.identity.docker_reference
    try:
        is_ours = parse_reference(named).repository == repository
    except Refused:
        is_ours = False
    if not is_ours:
        return f"it was signed as {one_line(named, _LONGEST)}, not as {repository}"
    return ""
