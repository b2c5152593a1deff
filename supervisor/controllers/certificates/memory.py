"""What is remembered of certificates, in the ledger."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.kit.clock import Clock
from supervisor.model.certificate import CertificateRecord

NOTHING = CertificateRecord()


class CertificateMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Reads and writes records: always the newest one, for people change them meanwhile."""

    ledger: Ledger
    clock: Clock

    def of(self, name: str) -> CertificateRecord:
        """Return what is known of a certificate."""
        return self.ledger.get(CertificateRecord, name) or NOTHING

    def all(self) -> Mapping[str, CertificateRecord]:
        """Return what is known of all certificates, by name."""
        return self.ledger.all(CertificateRecord)

    def others(self, name: str) -> Iterator[CertificateRecord]:
        """Yield what is known of all others; they are read when the first is asked for."""
        for other, record in self.all().items():
            if other != name:
                yield record

    def change(
        self, name: str, change: Callable[[CertificateRecord], CertificateRecord]
    ) -> CertificateRecord:
        """Write down what became of it; returns that."""
        before = self.of(name)
        after = change(before)
        if after != before:
            self.ledger.put(after, name)
        return after

    def forget(self, name: str) -> None:
        """Nothing is known of it any more."""
        self.ledger.drop(CertificateRecord, name)
