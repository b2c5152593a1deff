"""The signature that most Git hosts use: the HMAC-SHA256 of the body, in hex, in a header."""

import hmac
from collections.abc import Collection

from supervisor.model.webhook import Delivery


class HexHmac:
    """`headers` with their prefixes; the first that is there counts, and no other."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self._headers = headers

    def fault(self, delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:  # noqa: ARG002  # no time is signed
        for header, prefix in self._headers:
            if (value := delivery.headers.get(header)) is not None:
                good = prefix + hmac.digest(secret, delivery.body, "sha256").hex()
                # Digits may be written large; the comparison is of what was sent, all of it.
                return "" if is_equal(value.lower(), good.encode()) else f"its {header} is wrong"
        return f"it has no {self._headers[0][0]}"

    def sign(self, body: bytes, *, secret: bytes, delivery: str, time: float) -> dict[str, str]:  # noqa: ARG002
        header, prefix = self._headers[0]
        return {header: prefix + hmac.digest(secret, body, "sha256").hex()}


def is_equal(said: str, good: bytes) -> bool:
    """Compare in constant time; whatever bytes a header holds."""
    return hmac.compare_digest(said.encode("latin-1", "replace"), good)
