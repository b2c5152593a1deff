"""The order that is under way: what is written before each step, so that none is made twice."""

import contextlib
import time
from pathlib import Path

import msgspec

from supervisor.core.x509.keys import key_pem, new_key, read_key
from supervisor.kit.files import write_whole
from supervisor.model.acme import ORDER_FILES, Order
from supervisor.model.certificate import CertificateTerms


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """An order at an issuer."""

    directory: str
    account: str
    """URL."""
    terms: CertificateTerms
    replaces: str
    since: float = 0.0
    """When it was begun."""
    url: str = ""
    """Empty where the answer did not come: there may be one, or not."""
    issued: str = ""
    """Version of what came of it (`Issued.version`): `CertificateFiles.forget` ends it by that."""


class Memory:
    """The order of one certificate. Raises OSError where it cannot be kept."""

    def __init__(self, order: Order, account: str) -> None:
        folder = Path(order.folder)
        self._file, self._key_file = (folder / name for name in ORDER_FILES)
        self._order = order
        self._new = Remembered(
            directory=order.issuer.directory,
            account=account,
            terms=order.terms,
            replaces=order.replaces,
        )
        self.key = ""
        """PEM of the key that the certificate is to have."""

    def recall(self) -> Remembered | None:
        """Return what was under way, with its key; None if that was nothing, or something else."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=Remembered)
            key = self._key_file.read_text()
            read_key(key)
        except (OSError, ValueError):
            return None
        is_other_key = self._order.key and self._order.key != key
        asked = msgspec.structs.replace(found, since=0.0, url="", issued="")
        if is_other_key or asked != self._new:
            return None
        self.key = key
        self._new = msgspec.structs.replace(asked, since=found.since)
        return found

    def begin(self) -> None:
        """Keep what will be asked for, before it is."""
        self.forget()
        self.key = self._order.key or key_pem(new_key(self._order.terms.key_type))
        write_whole(self._key_file, self.key.encode())
        self._new = msgspec.structs.replace(self._new, since=time.time())
        self._write(self._new)

    def placed(self, url: str) -> None:
        """Keep where the order is."""
        self._write(msgspec.structs.replace(self._new, url=url))

    def issued(self, url: str, version: str) -> None:
        """Keep what came of it: whoever asks again before that is taken up gets the same."""
        self._write(msgspec.structs.replace(self._new, url=url, issued=version))

    def forget(self) -> None:
        """It has ended."""
        for path in (self._file, self._key_file):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _write(self, what: Remembered) -> None:
        write_whole(self._file, msgspec.json.encode(what))


class Unwritten(Memory):
    """Of an order of which nothing is to stay."""

    def recall(self) -> Remembered | None:
        return None

    def forget(self) -> None:
        """There is nothing."""

    def begin(self) -> None:
        self.key = key_pem(new_key(self._order.terms.key_type))

    def _write(self, what: Remembered) -> None:
        """Nobody asks for it."""
