"""How certificates stand, and what is being done about those that apps wait for, in words."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from supervisor.model.certificate_status import CertificateStatus
from supervisor.model.need import Need, NeedKind


class CertificateNews(Protocol):
    """Who knows how far a certificate has come; asked by passes as they end, and by people."""

    def certificate_detail(self, name: str) -> str:
        """Say of one that is not there what is being done about it, or why it cannot be had.

        Empty if nothing is known of it.
        """

    def is_failing(self, name: str) -> bool:
        """Whether it could not be had: it is not merely on its way."""

    def statuses(self) -> tuple[CertificateStatus, ...]:
        """How all of them stand."""


class NoNews:
    """Nothing is known of any."""

    def certificate_detail(self, _: str) -> str:
        """Say the little that is certain."""
        return "it is not there yet"

    def is_failing(self, _: str) -> bool:
        """Whether it could not be had."""
        return False

    def statuses(self) -> tuple[CertificateStatus, ...]:
        """There are none."""
        return ()


def with_certificates(needs: Iterable[Need], news: CertificateNews) -> Iterator[Need]:
    """Say of the certificates among these what is being done about them."""
    for need in needs:
        if need.kind is NeedKind.CERTIFICATE:
            detail = news.certificate_detail(need.subject) or need.detail
            failing = news.is_failing(need.subject)
            yield msgspec.structs.replace(need, detail=detail, failing=failing)
        else:
            yield need


def on_their_way(certificates: Iterable[CertificateStatus]) -> Iterator[Need]:
    """Yield those of which another one is due, is had, or is not in use yet, and all is well."""
    for one in certificates:
        if one.waits_for and not one.is_ailing:
            yield Need(
                kind=NeedKind.CERTIFICATE,
                subject=one.name,
                text=f"certificate {one.name}",
                detail=one.waits_for,
            )
