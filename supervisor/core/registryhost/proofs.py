"""How senders that sign nothing prove themselves: by a header that never changes, or by the path.

Both are compared in constant time.
"""

import base64
import binascii
import hmac
from collections.abc import Collection

from supervisor.core.githost.signatures import is_equal
from supervisor.model.webhook import Delivery

_TOKEN_BYTES = 16
_PURPOSE = b"podvisor registry webhook "


class AuthorizationHeader:
    """`Authorization` is the secret, or has it after a word such as `Bearer`, or in `Basic`."""

    def fault(self, delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:  # noqa: ARG002  # no time is sent
        said = delivery.headers.get("authorization", "").strip()
        if not said:
            return "it has no Authorization"
        kind, _, rest = said.partition(" ")
        inner = _password(rest) if kind.lower() == "basic" else rest.strip()
        found = [is_equal(one, secret) for one in (said, inner)]
        return "" if any(found) else "its Authorization is not the secret"

    def sign(self, body: bytes, *, secret: bytes, delivery: str, time: float) -> dict[str, str]:  # noqa: ARG002
        return {"authorization": f"Bearer {secret.decode('latin-1')}"}


def path_token(secret: bytes, name: str) -> str:
    """Return what the path of a sender ends with that can prove nothing else.

    It follows from the secret, and the secret does not follow from it.
    """
    return hmac.digest(secret, _PURPOSE + name.encode(), "sha256")[:_TOKEN_BYTES].hex()


def is_token(said: str, *, secret: bytes, name: str) -> bool:
    """Whether a path ends as it should."""
    return is_equal(said, path_token(secret, name).encode())


def _password(credentials: str) -> str:
    try:
        pair = base64.b64decode(credentials.strip(), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]
