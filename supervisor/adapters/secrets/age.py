"""age (https://age-encryption.org) by the library pyrage, which costs memory and is loaded late.

The daemon has this module open files as a helper; the command line calls the functions.
"""

import binascii
from collections.abc import Iterable
from typing import Any

import msgspec

from supervisor.kit.failures import Failure
from supervisor.kit.helper import serve

_ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_SSH = ("ssh-ed25519", "ssh-rsa")


class AgeError(Failure):
    """A key or a file is not what can be used; says why, never what it holds."""


class NoKeyFits(AgeError):
    """It is encrypted for others."""


class Sealed(msgspec.Struct, frozen=True):
    """Files to be opened, and the identities to do it with."""

    identities: bytes
    files: tuple[bytes, ...]


class Refused(msgspec.Struct, frozen=True):
    """Why a file cannot be opened."""

    why: str
    for_others: bool


def new_identity() -> tuple[str, str]:
    """Make a key: the secret part, and the recipient that belongs to it."""
    from pyrage import x25519  # noqa: PLC0415

    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipient_of(identities: bytes) -> str:
    """Return the recipient of the first age key; empty for an SSH key. Raises AgeError."""
    first = _identities(identities)[0]
    return str(first.to_public()) if hasattr(first, "to_public") else ""


def encrypt(clear: bytes, recipients: Iterable[str]) -> bytes:
    """Encrypt for these recipients (`age1…`, `ssh-ed25519 …`), as text. Raises AgeError."""
    import pyrage  # noqa: PLC0415

    sealed: bytes = pyrage.encrypt(clear, [_recipient(one) for one in recipients], armored=True)
    return sealed


def check_recipient(text: str) -> None:
    """Raise AgeError if it is none."""
    _recipient(text)


def count_recipients(sealed: bytes) -> int:
    """For how many keys a file is encrypted; 0 if that cannot be told."""
    if sealed.startswith(_ARMOUR):
        lines = sealed.replace(b"\r", b"").strip().split(b"\n")[1:-1]
        try:
            sealed = binascii.a2b_base64(b"".join(lines))
        except binascii.Error:
            return 0
    head = sealed.partition(b"\n---")[0]
    stanzas = (line for line in head.split(b"\n") if line.startswith(b"-> "))
    # Some are there to keep readers from relying on there being none that they do not know.
    return sum(not line.split()[1].endswith(b"-grease") for line in stanzas)


def decrypt(sealed: bytes, identities: bytes) -> bytes:
    """Decrypt with any of the identities of a file. Raises AgeError."""
    import pyrage  # noqa: PLC0415

    keys = _identities(identities)
    try:
        clear: bytes = pyrage.decrypt(sealed, keys)
    except pyrage.DecryptError as error:
        if "matching keys" in str(error):
            raise NoKeyFits("it is encrypted for other keys than this host's") from None
        raise AgeError("it is cut short, damaged, or not encrypted by age") from None
    return clear


def decrypt_all(sealed: Sealed) -> list[bytes | Refused]:
    """Decrypt each of some files, or say why not."""
    answers: list[bytes | Refused] = []
    for file in sealed.files:
        try:
            answers.append(decrypt(file, sealed.identities))
        except AgeError as error:
            answers.append(Refused(str(error), isinstance(error, NoKeyFits)))
    return answers


def _identities(text: bytes) -> list[Any]:
    from pyrage import IdentityError, ssh, x25519  # noqa: PLC0415

    try:
        if text.lstrip().startswith(b"-----BEGIN "):
            return [ssh.Identity.from_buffer(text)]
        lines = (line.strip() for line in text.decode().splitlines())
        keys = [x25519.Identity.from_str(line) for line in lines if line and line[0] != "#"]
    except (IdentityError, UnicodeDecodeError):
        raise AgeError("this host's key is neither an age key nor an SSH key") from None
    if not keys:
        raise AgeError("this host's key is not in its file: there are comments only")
    return keys


def _recipient(text: str) -> Any:
    from pyrage import RecipientError, ssh, x25519  # noqa: PLC0415

    try:
        if text.startswith(_SSH):
            return ssh.Recipient.from_str(text)
        return x25519.Recipient.from_str(text)
    except RecipientError:
        raise AgeError(f"“{text[:80]}” is no recipient; write age1… or ssh-ed25519 …") from None


if __name__ == "__main__":
    serve(decrypt_all, Sealed)
