"""Whether an artifact was signed by cosign with a key that may: see `core.images.cosign`.

Nobody but the registry and the file of keys is asked: neither Rekor nor Fulcio.
"""

from collections.abc import Awaitable, Callable

from supervisor.adapters.git.cosign_verify import Genuine, Signed
from supervisor.adapters.git.signatures import Signers
from supervisor.core.files.unitfile import Refused
from supervisor.core.images.cosign import Signature, fault_of, keys_of, signatures_of
from supervisor.kit.helper import HelperError, ask
from supervisor.model.errors import Retry, Stalled

_VERIFY = "supervisor.adapters.git.cosign_verify"
_SECONDS = 30.0

Payload = Callable[[Signature], Awaitable[bytes]]
"""Fetches what a signature is of. Raises Retry or Stalled."""


async def check(place: str, manifest: bytes, signers: Signers, *, payload: Payload) -> str:
    """Return why `HOST/NAME@sha256:…` may not be deployed; empty if it may.

    `manifest` is that of its signatures. Raises Retry, or Stalled if the keys cannot be used.
    """
    repository, _, digest = place.partition("@")
    keys = keys_of(signers.content)
    if not keys:
        raise _unusable(signers, "it holds no public key")
    try:
        signatures = list(signatures_of(manifest))
    except Refused as refused:
        return f"what should be its signatures is something else: {refused}"
    texts = [(await payload(one), one.content) for one in signatures]
    signed = Signed(tuple(texts), tuple(keys))
    try:
        found = await ask(_VERIFY, signed, Genuine, timeout_seconds=_SECONDS)
    except HelperError as error:
        raise Retry(f"cannot verify {place}: {error}") from error
    if not found.keys:
        raise _unusable(signers, "none of them is for ECDSA, as cosign makes them")
    faults = [fault_of(texts[one][0], digest=digest, repository=repository) for one in found.texts]
    if "" in faults:
        return ""
    return next(iter(faults), f"none of the keys in {signers.path} signed it")


def _unusable(signers: Signers, why: str) -> Stalled:
    hint = f"cosign public-key --key cosign.key >{signers.path}"
    return Stalled(f"cannot use the keys in {signers.path}: {why}", hint=hint)
