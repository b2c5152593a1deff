"""What people order of certificates: another one, and that one is declared void."""

import msgspec

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.importing import Importing
from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.certificates.orders import Orders
from supervisor.controllers.certificates.rehearsing import Rehearsals
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import CertificateFiles, Issuer
from supervisor.core.certificates import records
from supervisor.core.certificates.unknown import unknown
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate import CertificateRecord
from supervisor.model.errors import Stalled


class CertificateActions(msgspec.Struct, frozen=True, kw_only=True):
    """Takes the orders; the certificates' own passes carry them out."""

    asked: AskedCertificates
    memory: CertificateMemory
    orders: Orders
    issuer: Issuer
    files: CertificateFiles
    importing: Importing
    queue: WorkQueue
    rehearsals: Rehearsals

    def renew(self, name: str, *, at_once: bool) -> str:
        """Have another one ordered; `at_once` also before the next try is due.

        Returns the key of the pass that does it. Raises Stalled if no app asks for it.
        """
        self._check(name)
        now = self.memory.clock.now()
        self.memory.change(name, lambda record: records.asked(record, now, at_once=at_once))
        return self._name(name)

    async def revoke(self, name: str) -> str:
        """Have the issuer declare the current one void; another one is ordered then.

        Returns the key of the pass that does that. Raises Retry or Stalled.
        """
        self._check(name)
        current = self.memory.of(name).current
        if current is None or current.standin:
            hint = f"podvisor certs show {name} says why"
            raise Stalled(f"cannot revoke {name}: there is none yet", hint=hint)
        issuer = await self.orders.plain_issuer(current.terms.issuer)
        if issuer is None:
            raise Stalled(
                f"cannot revoke {name}: {current.terms.issuer} declares none void",
                hint=f"podvisor certs renew {name} has another one made",
            )
        pair = await self.files.kept(name, current)
        if pair is None:
            raise Stalled(
                f"cannot revoke {name}: its key is not kept any more", hint="ask its issuer"
            )
        await self.issuer.revoke(issuer, (pair.key, pair.chain))

        def noted(record: CertificateRecord) -> CertificateRecord:
            return records.revoked(record) if record.current == current else record

        self.memory.change(name, noted)
        reason = f"serial number {current.facts.serial} was declared void, as a person asked"
        self.asked.tell(name, reason)
        return self._name(name)

    async def take_imported(self) -> list[str]:
        """Have those taken that wait and are asked for; returns for which one waited.

        Raises Retry or Stalled.
        """
        names = await self.importing.wanted()
        self.queue.add(*Kind.CERTIFICATE.keys(names))
        return names

    def _name(self, name: str) -> str:
        key = Kind.CERTIFICATE.key(name)
        self.queue.add(key)
        return key

    def _check(self, name: str) -> None:
        if name not in self.asked.by_name:
            raise Stalled(*unknown(name, [*self.asked.by_name]))
