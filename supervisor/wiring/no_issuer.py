"""Stands for the adapter that asks issuers, until it is there."""

from typing import Never

from supervisor.model.acme import AcmeIssuer, Order
from supervisor.model.certificate import CertificateFacts, CertificateTerms
from supervisor.model.errors import Retry


class NoIssuer:
    """Nobody."""

    async def issue(self, order: Order) -> Never:
        """Raises Retry."""
        raise Retry(f"nobody can be asked for {order.name}")

    async def standin(self, terms: CertificateTerms) -> Never:
        """Raises Retry."""
        raise Retry(f"nobody can be asked for {terms.domains}")

    async def revoke(self, issuer: AcmeIssuer, pair: tuple[str, str]) -> Never:
        """Raises Retry."""
        raise Retry(f"{issuer.name} cannot be asked for {len(pair)}")

    async def renewal_info(self, issuer: AcmeIssuer, facts: CertificateFacts) -> None:
        """Say nothing."""
