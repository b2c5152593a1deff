"""How all certificates stand, for whoever asks."""

import msgspec

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.controller import CertificateController
from supervisor.controllers.certificates.memory import NOTHING, CertificateMemory
from supervisor.controllers.ports import CertificateFiles
from supervisor.core.certificates.status import certificate_status
from supervisor.model.certificate import CertificateRecord, CertificateStatus


class CertificateStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Puts together what is asked for, what is on record, and what is being done."""

    asked: AskedCertificates
    memory: CertificateMemory
    controller: CertificateController
    files: CertificateFiles

    def all(self) -> tuple[CertificateStatus, ...]:
        """Every one that an app asks for, and what is installed of others."""
        known = self.memory.ledger.all(CertificateRecord)
        left = {name for name, record in known.items() if record.installed_in}
        return tuple(
            self._one(name, known.get(name, NOTHING))
            for name in sorted({*self.asked.by_name, *left})
        )

    def _one(self, name: str, record: CertificateRecord) -> CertificateStatus:
        one = self.asked.by_name.get(name)
        return certificate_status(
            name,
            record,
            self.memory.clock.now(),
            app=one.app if one else record.app,
            asked=one.certificate if one else None,
            directory=self.files.place(one.certificate) if one else "",
            units=self.asked.units(name),
            doing=self.controller.doing(name),
            trouble=self.controller.installing.trouble.get(name, ""),
        )
