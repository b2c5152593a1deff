"""What `podvisor secret init` and `encrypt` tell programs."""

import msgspec


class OwnRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """For whom to encrypt what this host is to open."""

    recipient: str
    """`age1…`, or an ssh public key; no secret."""


class EncryptedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    written: tuple[str, ...]
    """Paths, as they were named: the encrypted file, and what describes the secret, if it was not
    there."""
    recipients: int
    """How many keys can open it."""
