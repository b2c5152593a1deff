"""Take what other clients had issued, where a file asks for it: it is kept, as what was issued."""

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.ports import CertificateFiles, ImportedCertificates
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.certificates import imported, records
from supervisor.core.certificates.steps import TakeImported
from supervisor.kit.texts import day
from supervisor.model.certificate import DesiredCertificate
from supervisor.model.errors import Failure
from supervisor.model.imported import Imported


class Importing(msgspec.Struct, frozen=True, kw_only=True):
    """Knows what waits."""

    waiting: ImportedCertificates
    files: CertificateFiles
    asked: AskedCertificates
    memory: CertificateMemory
    settings: CurrentSettings

    async def wanted(self) -> list[str]:
        """Return the names of those for which one waits. Raises Retry or Stalled."""
        found, directory_of = await self.waiting.all(), self.settings.now.certificates.directory_of
        asked = (one.certificate for one in self.asked.by_name.values())
        return [
            one.name
            for one in asked
            if any(imported.does_for(it, one.terms, directory_of(one.terms.issuer)) for it in found)
        ]

    async def take(
        self, certificate: DesiredCertificate, step: TakeImported, found: Iterable[Imported]
    ) -> None:
        """Keep one, to be installed then (`CertificateRecord.ready`).

        One that is damaged is dropped. Raises Retry or Stalled.
        """
        one = next(one for one in found if one.version == step.version)
        pair = await self.waiting.pair(one)
        if pair is None:
            await self.waiting.drop(one)
            return
        name = certificate.name
        digest = await self.files.keep(name, pair)
        issued = imported.as_issued(one, certificate.terms)
        issued = msgspec.structs.replace(issued, digest=digest)
        now = self.memory.clock.now()
        self.memory.change(name, lambda record: records.imported(record, issued, now))
        with suppress(Failure):  # it is known by its version
            await self.waiting.drop(one)
        reason = f"taken over, valid until {day(issued.facts.not_after)}"
        self.asked.tell(name, reason, detail=step.reason)
