"""How all certificates stand, for whoever asks."""

import msgspec

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.controller import CertificateController
from supervisor.controllers.certificates.memory import NOTHING, CertificateMemory
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import CertificateFiles
from supervisor.core.certificates.status import certificate_status, of_failure, of_files
from supervisor.model.certificate import CertificateRecord
from supervisor.model.certificate_status import CertificateStatus


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

    def certificate_detail(self, name: str) -> str:
        """Say of one that is not there what is being done about it; as of `CertificateNews`."""
        if doing := self.controller.doing.words(name):
            return doing
        record, now = self.memory.of(name), self.memory.clock.now()
        if record.files_failure:
            return of_files(record, self._due_at(name)).in_words(now)
        if record.failure:
            return of_failure(name, record.failure).in_words(now)
        return self.controller.doing.waits_for.get(name, "")

    def is_failing(self, name: str) -> bool:
        """Whether it could not be had."""
        if self.controller.doing.words(name):
            return False
        record = self.memory.of(name)
        return record.files_failure is not None or record.failure is not None

    def _due_at(self, name: str) -> float:
        """When it is looked at next; 0 where that is not known."""
        due = self.controller.queue.due_in(Kind.CERTIFICATE.key(name))
        return 0.0 if due is None else self.memory.clock.now() + due

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
            uptake=self.asked.uptake(name, record).trouble,
            doing=self.controller.doing.words(name),
            doing_since=self.controller.doing.since(name),
            waits_for=self.controller.doing.waits_for.get(name, ""),
            due_at=self._due_at(name),
            is_asked_for=one is not None,
        )
