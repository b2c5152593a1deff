"""Take what was had before and is asked for again, in the place of an order."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.ports import CertificateFiles
from supervisor.core.certificates import records
from supervisor.core.certificates.spare import Spare, is_wanted, spares
from supervisor.core.certificates.steps import TakeSpare
from supervisor.kit.texts import day
from supervisor.model.certificate import CertificateRecord, DesiredCertificate


class Spares(msgspec.Struct, frozen=True, kw_only=True):
    """Knows what is kept, and what of it nobody asks for."""

    files: CertificateFiles
    asked: AskedCertificates
    memory: CertificateMemory

    async def find(
        self, certificate: DesiredCertificate, record: CertificateRecord
    ) -> Spare | None:
        """Return one that does, where one may be taken. Raises Retry or Stalled."""
        now = self.memory.clock.now()
        if not is_wanted(certificate, record, now):
            return None
        # Before all is known that apps ask for, one may seem to be nobody's.
        others = self.memory.all() if self.asked.is_whole else {}
        asked = self.asked.for_good() if others else ()
        unasked = {name: one for name, one in others.items() if name not in asked}
        return await kept_spare(self.files, spares(certificate, record, unasked, now))

    async def take(self, certificate: DesiredCertificate, step: TakeSpare) -> None:
        """Keep it under this name, to be installed then. Raises Retry or Stalled."""
        name, spare = certificate.name, step.spare
        pair = await self.files.kept(spare.name, spare.issued)
        if pair is None:
            return
        digest = await self.files.keep(name, pair)
        issued = replace(spare.issued, terms=certificate.terms, digest=digest)
        self.memory.change(name, lambda record: records.spared(record, issued))
        what = "the one that was there before is taken"
        if spare.name != name:
            what = f"taken from the certificate {spare.name}"
        until = day(issued.facts.not_after)
        self.asked.tell(name, f"{what}, valid until {until}", detail=step.reason)


async def kept_spare(files: CertificateFiles, found: Iterable[Spare]) -> Spare | None:
    """Return the first that is kept still. Raises Retry or Stalled."""
    for one in found:
        if await files.is_kept(one.name, one.issued):
            return one
    return None
