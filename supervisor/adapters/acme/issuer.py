"""Has certificates issued, by processes that end. The `Issuer` port."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from supervisor.kit.helper import HelperError, ask
from supervisor.model.acme import (
    AcmeIssuer,
    FailureKind,
    Order,
    OrderAnswer,
    OrderRefusal,
    Pair,
    RenewalInfo,
    Revocation,
)
from supervisor.model.certificate import CertificateFacts, CertificateTerms, Challenge
from supervisor.model.errors import Retry, Stalled
from supervisor.model.rehearsal import Rehearsal, Rehearsed

if TYPE_CHECKING:
    from supervisor.adapters.acme.renewal import Askers

_ISSUE = "supervisor.adapters.acme.issue"
_STANDIN = "supervisor.adapters.acme.standin"
_REVOKE = "supervisor.adapters.acme.revoke"
_REHEARSE = "supervisor.adapters.acme.rehearse"
_GRACE_SECONDS = 30.0
"""What the process has for its own end: it takes away what it put into DNS."""
_STANDIN_SECONDS = 60.0
_REVOKE_SECONDS = 120.0


class AcmeCertificates(msgspec.Struct, kw_only=True):
    """Asks issuers; for those that listen at one port, one after the other."""

    accounts: Path
    """Folder of the accounts' keys."""
    _listening: dict[str, anyio.Lock] = {}
    _askers: "Askers | None" = None
    """Who asks when to renew: loaded where there are certificates of issuers that can be asked."""

    async def issue(self, order: Order) -> Pair | OrderRefusal:
        """Have one issued, if need be after others that listen at the same port."""
        seconds = order.timeout_seconds + _GRACE_SECONDS
        about = ", ".join(order.terms.domains[:3])
        async with self._alone(order):
            try:
                answer = await ask(_ISSUE, order, OrderAnswer, timeout_seconds=seconds)
            except HelperError as error:
                raise Retry(f"cannot have a certificate issued for {about}: {error}") from error
        if answer.pair is not None:
            return answer.pair
        if answer.refusal is not None:
            return answer.refusal
        raise Retry(f"cannot have a certificate issued for {about}: it is not said why")

    async def rehearse(self, asked: Rehearsal) -> Rehearsed:
        """Try what an order would come to, unless another one listens at the same port."""
        order, alone = asked.order, self._alone(asked.order)
        about = ", ".join(order.terms.domains[:3])
        if alone.locked():
            raise Retry(
                f"cannot try {about}: another one that is under way listens at {order.listen}",
                "podvisor certs says which; try again when it has ended",
            )
        async with alone:
            try:
                return await ask(
                    _REHEARSE,
                    asked,
                    Rehearsed,
                    # What is shown is looked at from here first, name by name.
                    timeout_seconds=2 * order.timeout_seconds + _GRACE_SECONDS,
                    grace_seconds=_GRACE_SECONDS,
                )
            except HelperError as error:
                raise Retry(f"cannot try {about}: {error}") from error

    def _alone(self, order: Order) -> anyio.Lock:
        port = order.listen.rpartition(":")[2]
        return self._listening.setdefault(port, anyio.Lock()) if port else anyio.Lock()

    async def standin(self, terms: CertificateTerms) -> Pair:
        """Make a self-signed one."""
        try:
            return await ask(_STANDIN, terms, Pair, timeout_seconds=_STANDIN_SECONDS)
        except HelperError as error:
            about = ", ".join(terms.domains[:3])
            raise Retry(f"cannot make a stand-in for {about}: {error}") from error

    async def revoke(self, issuer: AcmeIssuer, pair: tuple[str, str]) -> None:
        """Declare one void, by its key and chain."""
        key, chain = pair
        order = Order(
            name="",
            folder="",
            accounts=str(self.accounts),
            issuer=issuer,
            terms=CertificateTerms(domains=(), issuer=issuer.name),
            challenge=Challenge.HTTP,
            key=key,
            timeout_seconds=_REVOKE_SECONDS,
        )
        seconds = _REVOKE_SECONDS + _GRACE_SECONDS
        asked = Revocation(order=order, chain=chain)
        try:
            answer = await ask(_REVOKE, asked, OrderAnswer, timeout_seconds=seconds)
        except HelperError as error:
            raise Retry(f"cannot have it revoked by {issuer.name}: {error}") from error
        if answer.refusal is not None:
            refusal = answer.refusal
            if refusal.kind is FailureKind.REFUSED:
                raise Stalled(refusal.message, refusal.hint)
            raise Retry(refusal.message, refusal.hint, after_seconds=refusal.retry_after)

    async def renewal_info(self, issuer: AcmeIssuer, facts: CertificateFacts) -> RenewalInfo | None:
        """Ask when it should be renewed."""
        if not facts.ari_id:
            return None
        if self._askers is None:
            from supervisor.adapters.acme.renewal import Askers  # noqa: PLC0415

            self._askers = Askers()
        return await self._askers.suggested(issuer, facts.ari_id)
