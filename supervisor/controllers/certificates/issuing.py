"""Have a certificate issued, and keep it: by an issuer, by podvisor's own authority, by itself.

What was issued is kept, and written down, before anything else is done with it: whatever happens
then, it is not ordered anew.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec

from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.certificates.orders import Orders
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.ports import Authority, CertificateFiles, Issuer
from supervisor.core.certificates import records
from supervisor.core.certificates.limits import proven
from supervisor.core.certificates.steps import OrderOne
from supervisor.model.acme import FailureKind, OrderRefusal, Pair
from supervisor.model.certificate import (
    INTERNAL,
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Issued,
)
from supervisor.model.errors import Failure, NotAllowed, Retry
from supervisor.model.rehearsal import Rehearsal, Rehearsed

_AT_ONCE = 2
"""Certificates that are issued at the same time: each takes a process."""


class _Unkept(msgspec.Struct, frozen=True):
    terms: CertificateTerms
    pair: Pair


class Issuing(msgspec.Struct, kw_only=True):
    """Has pairs made."""

    issuer: Issuer
    authority: Authority
    files: CertificateFiles
    orders: Orders
    memory: CertificateMemory
    tell: Callable[[str, str], None]
    """Writes down of a certificate what else came of an order."""
    _at_work: anyio.Semaphore = msgspec.field(default_factory=lambda: anyio.Semaphore(_AT_ONCE))
    _at_work_for: dict[anyio.Event, frozenset[str]] = {}
    """The end of each that is being issued, and what is proven for it."""
    _unkept: dict[str, _Unkept] = {}
    """What was issued and could not be kept, as on a full disk."""

    async def order(
        self, certificate: DesiredCertificate, step: OrderOne, *, is_wanted: Callable[[], bool]
    ) -> Issued | OrderRefusal | None:
        """Have one issued and kept; it is to be installed then (`CertificateRecord.ready`).

        None if it is not wanted any more when its turn has come. Those that have a name in common
        are issued one after the other: they share an issuer's limits, and the records in DNS or
        the answers by which the name is proven.
        """
        async with self._alone(certificate.terms), self._at_work:
            if not is_wanted():
                return None
            return await self._made(certificate, step)

    def is_at_work(self, terms: CertificateTerms) -> bool:
        """Whether one for any of these names is being issued, or tried."""
        return any(held & proven(terms.domains) for held in self._at_work_for.values())

    async def rehearse(self, asked: Rehearsal) -> Rehearsed:
        """Try what an order would come to; one for these names waits meanwhile. Raises Retry."""
        async with self._alone(asked.order.terms):
            return await self.issuer.rehearse(asked)

    @asynccontextmanager
    async def _alone(self, terms: CertificateTerms) -> AsyncIterator[None]:
        """Wait until no other one for any of these names is being issued."""
        names = proven(terms.domains)
        while others := [end for end, held in self._at_work_for.items() if held & names]:
            await others[0].wait()
        ended = anyio.Event()
        self._at_work_for[ended] = names
        try:
            yield
        finally:
            del self._at_work_for[ended]
            ended.set()

    async def stand_in(self, certificate: DesiredCertificate) -> None:
        """Have a self-signed one made and kept, as `order` does. Raises Retry or Stalled."""
        async with self._at_work:
            pair = await self.issuer.standin(certificate.terms)
            await self._keep(certificate, pair, standin=True)

    async def _made(self, certificate: DesiredCertificate, step: OrderOne) -> Issued | OrderRefusal:
        name, terms = certificate.name, certificate.terms
        try:
            pair = self._left(certificate)
            if pair is None:
                answer = await self._issue(certificate, step)
                for note in answer.notes:
                    self.tell(name, note)
                if isinstance(answer, OrderRefusal):
                    return answer
                pair = answer
                self._unkept[name] = _Unkept(terms, pair)
            issued = await self._keep(certificate, pair)
        except Exception as error:  # noqa: BLE001  # a defect, too, is not to order again and again
            return refusal_of(failure_of(error, doing=f"having certificate {name} issued"))
        self._unkept.pop(name, None)
        return issued

    async def _keep(
        self, certificate: DesiredCertificate, pair: Pair, *, standin: bool = False
    ) -> Issued:
        name, terms = certificate.name, certificate.terms
        digest = await self.files.keep(name, pair)
        issued = Issued(facts=pair.facts, terms=terms, digest=digest, standin=standin)
        now = self.memory.clock.now()
        self.memory.change(name, lambda record: records.issued(record, issued, now))
        return issued

    def _left(self, certificate: DesiredCertificate) -> Pair | None:
        """Return what was issued for these terms, and could not be kept."""
        left = self._unkept.pop(certificate.name, None)
        if left is None or not records.same_terms(left.terms, certificate.terms):
            return None
        self._unkept[certificate.name] = left
        return left.pair

    async def _issue(self, certificate: DesiredCertificate, step: OrderOne) -> Pair | OrderRefusal:
        record = self.memory.of(certificate.name)
        key = ""
        if certificate.reuse_key and not step.new_key:
            key = await self._former_key(certificate, record)
        if certificate.terms.issuer == INTERNAL:
            return await self.authority.issue(certificate.terms, key=key)
        order = await self.orders.order(certificate, key=key, replaces=step.replaces)
        return await self.issuer.issue(order)

    async def _former_key(self, certificate: DesiredCertificate, record: CertificateRecord) -> str:
        """Return the key of the current one, if it is of the type that is asked for."""
        former = record.current
        if former is None or former.standin or former.terms.key_type != certificate.terms.key_type:
            return ""
        pair = await self.files.kept(certificate.name, former)
        return pair.key if pair else ""

    def forget(self, name: str) -> None:
        """Nobody asks for it any more."""
        self._unkept.pop(name, None)


def refusal_of(failure: Failure) -> OrderRefusal:
    """Return what a failure means for the next order.

    What a person is to mend on this machine is tried again by itself too: nobody tells when it is
    done. What the settings or the file do not allow waits for a change of these.
    """
    kind = FailureKind.REFUSED if isinstance(failure, NotAllowed) else FailureKind.PASSING
    after = failure.after_seconds if isinstance(failure, Retry) else 0.0
    return OrderRefusal(kind=kind, message=str(failure), hint=failure.hint, retry_after=after)
