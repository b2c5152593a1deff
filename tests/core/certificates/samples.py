"""Certificates as tests have them."""

from collections.abc import Sequence

from msgspec.structs import replace

from supervisor.model.certificate import (
    CertificateFacts,
    CertificateRecord,
    CertificateTerms,
    DesiredCertificate,
    Issued,
    Stage,
)

DAY, HOUR = 86_400.0, 3_600.0
NOW = 1_800_000_000.0
FOLDER = "/home/pi/.local/share/podvisor/certificates/web"
DESIRED = DesiredCertificate(
    name="web", path="web.certificate", terms=CertificateTerms(domains=("web.example.org",))
)


def asks(**terms: object) -> DesiredCertificate:
    """What an app asks for, with other terms."""
    return replace(DESIRED, terms=replace(DESIRED.terms, **terms))


def issued(
    number: int = 1,
    *,
    at: float = NOW - DAY,
    lifetime: float = 90 * DAY,
    terms: CertificateTerms = DESIRED.terms,
    standin: bool = False,
    names: Sequence[str] = (),
) -> Issued:
    """One that was issued."""
    facts = CertificateFacts(
        serial=f"{number:x}",
        fingerprint=f"{number:064x}"[::-1],
        not_before=at,
        not_after=at + lifetime,
        names=tuple(sorted(names or terms.domains)),
        ari_id="" if standin or terms.issuer == "internal" else f"ari.{number}",
    )
    return Issued(facts=facts, terms=terms, digest=f"d{number}", installed_at=at, standin=standin)


def has(current: Issued | None = None, **fields: object) -> CertificateRecord:
    """A record with a current one, which is served if nothing else is said."""
    record = CertificateRecord(app="web", current=current, installed_in=FOLDER, stage=Stage.SERVED)
    return replace(record, **fields)
