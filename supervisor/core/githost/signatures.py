"""Webhooks' signatures: one function that checks, one that makes them, for every scheme.

A check sees the raw body, before anything of it is parsed, and compares in constant time.

| scheme | header | value |
| --- | --- | --- |
| github | X-Hub-Signature-256 | `sha256=` and the hex HMAC-SHA256 of the body |
| forgejo | X-Forgejo-Signature, or as gitea | the hex HMAC-SHA256 of the body |
| gitea | X-Gitea-Signature, or as github | the same |
| gitlab | X-Gitlab-Token | the secret itself |
| gitlab, with a secret `whsec_…` | webhook-id, -timestamp, -signature | see standardwebhooks.com |
| bitbucket | X-Hub-Signature | `sha256=` and the hex HMAC-SHA256 of the body |
| generic | X-Signature | the same |
"""

import base64
import binascii
import hmac
from collections.abc import Collection

from supervisor.model.webhook import Delivery, Scheme

WINDOW_SECONDS = 300.0
"""How far a time that is signed with a webhook may be off."""

_SIGNING_KEY = b"whsec_"
_HEX: dict[Scheme, tuple[tuple[str, str], ...]] = {
    Scheme.GITHUB: (("x-hub-signature-256", "sha256="),),
    Scheme.FORGEJO: (
        ("x-forgejo-signature", ""),
        ("x-gitea-signature", ""),
        ("x-hub-signature-256", "sha256="),
    ),
    Scheme.GITEA: (("x-gitea-signature", ""), ("x-hub-signature-256", "sha256=")),
    Scheme.BITBUCKET: (("x-hub-signature", "sha256="),),
    Scheme.GENERIC: (("x-signature", "sha256="),),
}
"""Headers that may carry the HMAC of the body; the first that is there counts, and no other."""


def fault(scheme: Scheme, delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:
    """Why a delivery does not prove that its sender knows the secret; empty if it does.

    `times` are what the clocks say: a time that is signed must be near one of them.
    """
    if scheme is Scheme.GITLAB:
        if secret.startswith(_SIGNING_KEY):
            return _standard_fault(delivery, secret=secret, times=times)
        token = delivery.headers.get("x-gitlab-token")
        if token is None:
            return "it has no X-Gitlab-Token"
        return "" if _equal(token, secret) else "its X-Gitlab-Token is not the secret"
    for header, prefix in _HEX.get(scheme, ()):
        if (value := delivery.headers.get(header)) is not None:
            good = prefix + hmac.digest(secret, delivery.body, "sha256").hex()
            # Digits may be written large; the comparison is of what was sent, all of it.
            return "" if _equal(value.lower(), good.encode()) else f"its {header} is wrong"
    return f"it has no {_HEX[scheme][0][0]}" if scheme in _HEX else "it cannot be checked"


def signed(
    scheme: Scheme, body: bytes, *, secret: bytes, delivery: str, time: float
) -> dict[str, str]:
    """Return the headers that prove it, as the Git host would send them."""
    if scheme is Scheme.GITLAB and secret.startswith(_SIGNING_KEY):
        stamp = str(int(time))
        return {
            "webhook-id": delivery,
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + _standard(_key(secret), delivery, stamp, body),
        }
    if scheme is Scheme.GITLAB:
        return {"x-gitlab-token": secret.decode("latin-1")}
    header, prefix = _HEX[scheme][0]
    return {header: prefix + hmac.digest(secret, body, "sha256").hex()}


def _standard_fault(delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    identity, stamp, signatures = (delivery.headers.get(name) for name in names)
    if identity is None or stamp is None or signatures is None:
        return "it has no webhook-id, webhook-timestamp and webhook-signature"
    try:
        good = _standard(_key(secret), identity, stamp, delivery.body)
    except ValueError:
        return "the secret is no signing token of GitLab's: what follows whsec_ must be Base64"
    found = [_equal(one, b"v1," + good.encode()) for one in signatures.split(" ")]
    if not any(found):
        return "its webhook-signature is wrong"
    # Digits alone: int() takes much else, and a float can be anything.
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= len("9999999999")):
        return "its webhook-timestamp is no time"
    if all(abs(int(stamp) - time) > WINDOW_SECONDS for time in times):
        return "its webhook-timestamp is too far from this machine's time"
    return ""


def _standard(key: bytes, identity: str, stamp: str, body: bytes) -> str:
    content = b".".join((identity.encode("latin-1"), stamp.encode("latin-1"), body))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def _key(secret: bytes) -> bytes:
    """Return what a signing token encodes. Raises ValueError if it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(_SIGNING_KEY), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if not key:
        raise ValueError("it is empty")
    return key


def _equal(said: str, good: bytes) -> bool:
    """Compare in constant time; whatever bytes a header holds."""
    return hmac.compare_digest(said.encode("latin-1", "replace"), good)
