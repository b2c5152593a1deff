"""Signatures of cosign's beside what they are of, in its registry.

Up to cosign 2, by SIGNATURE_SPEC of sigstore/cosign: the tag `sha256-HEX.sig` names a manifest
whose layers are payloads ("simple signing" of containers/image), each with its signature in an
annotation. From cosign 3 on, by its BUNDLE_SPEC: a referrer holds a bundle
(sigstore/protobuf-specs) with an envelope (secure-systems-lab/dsse) of a statement
(in-toto/attestation).
"""

import base64
import binascii
import re
from collections.abc import Iterator

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.artifact import DIGEST, Descriptor, parse_manifest
from supervisor.core.images.reference import parse_reference
from supervisor.kit.json_reading import read_json
from supervisor.kit.texts import one_line

MOST = 16
"""Of signatures of either kind, or of keys."""
LARGEST = 64 << 10
"""Of a payload or a bundle."""
_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE = "dev.cosignproject.cosign/signature"
_TYPE = "cosign container image signature"
_BUNDLE = "application/vnd.dev.sigstore.bundle"
_STATEMENT = "application/vnd.in-toto+json"
_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_OF_WHAT = "dev.sigstore.bundle.predicateType"
_LARGEST_SIGNATURE = 8 << 10
_KEY = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", re.ASCII
)
_LONGEST = 200


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has signed, or has not: that is for a key to tell."""

    text: bytes
    signature: bytes
    fault: str
    """Why it does not vouch for what is asked about; empty if it does."""


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


class _Referrer(Descriptor, frozen=True, rename="camel"):
    artifact_type: str = ""


class _Referrers(msgspec.Struct):
    manifests: list[_Referrer]


class _Sig(msgspec.Struct):
    sig: bytes


class _Envelope(msgspec.Struct, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: list[_Sig]


class _Bundle(msgspec.Struct, rename="camel"):
    dsse_envelope: _Envelope


class _Subject(msgspec.Struct):
    digest: dict[str, str]


class _Statement(msgspec.Struct, rename="camel"):
    subject: list[_Subject]
    predicate_type: str


def tag_of(digest: str) -> str:
    """Return the tag under which the signatures of a manifest lie."""
    return f"{digest.replace(':', '-')}.sig"


def signatures_of(manifest: bytes) -> Iterator[tuple[Descriptor, bytes]]:
    """Yield payloads with their signatures, as many as are looked at."""
    for layer in _layers(manifest)[:MOST]:
        text = layer.said(_SIGNATURE)
        if layer.media_type != _PAYLOAD or not 0 < len(text) <= _LARGEST_SIGNATURE:
            continue
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if layer.size <= LARGEST:
            yield layer, content


def bundles_of(referrers: bytes) -> list[str]:
    """Return the digests of manifests that may hold bundles of signatures."""
    found = read_json(referrers, _Referrers)
    return [
        one.digest
        for one in (found.manifests if found else ())
        if one.artifact_type.startswith(_BUNDLE)
        and one.said(_OF_WHAT) in ("", _PREDICATE)
        and DIGEST.fullmatch(one.digest)
    ][:MOST]


def bundle_in(manifest: bytes) -> Descriptor | None:
    """Return the bundle of such a manifest; None if it has none."""
    fit = (
        one
        for one in _layers(manifest)
        if one.media_type.startswith(_BUNDLE) and one.size <= LARGEST
    )
    return next(fit, None)


def _layers(manifest: bytes) -> tuple[Descriptor, ...]:
    try:
        return parse_manifest(manifest).layers or ()
    except Refused:
        return ()


def keys_of(text: bytes) -> list[bytes]:
    """Return the public keys in a file of PEM, as many as are tried."""
    return _KEY.findall(text)[:MOST]


def payload_claim(payload: bytes, signature: bytes, *, digest: str, repository: str) -> Claim:
    """Read what is signed in the first way, of a manifest of a repository."""
    fault = _payload_fault(payload, digest=digest, repository=repository)
    return Claim(text=payload, signature=signature, fault=fault)


def _payload_fault(payload: bytes, *, digest: str, repository: str) -> str:
    read = read_json(payload, _Payload)
    if read is None or read.critical.type != _TYPE:
        return "what is signed is no payload of cosign's"
    if read.critical.image.docker_manifest_digest != digest:
        return "its signature is of another artifact"
    named = read.critical.identity.docker_reference
    try:
        is_ours = parse_reference(named).repository == repository
    except Refused:
        is_ours = False
    if not is_ours:
        return f"it was signed as {one_line(named, _LONGEST)}, not as {repository}"
    return ""


def bundle_claim(bundle: bytes, *, digest: str) -> Claim | None:
    """Read what is signed in the second way; it names no repository. None if it is no such."""
    read = read_json(bundle, _Bundle)
    if read is None or len(read.dsse_envelope.signatures) != 1:
        return None
    envelope = read.dsse_envelope
    kind, payload = envelope.payload_type.encode(), envelope.payload
    return Claim(
        text=b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload),
        signature=envelope.signatures[0].sig,
        fault=_statement_fault(envelope, digest=digest),
    )


def _statement_fault(envelope: _Envelope, *, digest: str) -> str:
    said = read_json(envelope.payload, _Statement)
    is_fit = envelope.payload_type == _STATEMENT
    if said is None or not is_fit or said.predicate_type != _PREDICATE:
        return "what is signed is no statement of cosign's"
    kind, _, value = digest.partition(":")
    if not any(one.digest.get(kind) == value for one in said.subject):
        return "its signature is of another artifact"
    return ""
