"""What nobody else may know."""

from collections.abc import Sequence
from typing import Protocol

from supervisor.model.secret import DesiredSecret
from supervisor.model.setting_types import SecretRef


class Secrets(Protocol):
    """Secrets that the settings refer to. None is kept: each use reads anew."""

    async def read(self, reference: SecretRef) -> bytes:
        """Return the secret without a final line end. Raises Retry or Stalled; never says it."""


class Decryptor(Protocol):
    """Clear texts of apps' secrets, and keyed hashes that tell changes without them."""

    def made_of(self, secret: DesiredSecret) -> str:
        """Mark what a secret is made of: another mark, and it is to be made anew. Cheap."""

    def mark(self, *parts: bytes) -> str:
        """Keyed hash of these."""

    async def open(self, root: str, wanted: Sequence[tuple[DesiredSecret, bytes]]) -> list[bytes]:
        """Clear texts, each from its encrypted file's content. Raises Stalled or Retry.

        `root` is the app's folder, as failures name it.
        """
