"""Whether servers serve a certificate."""

from supervisor.controllers.ports import TlsLook
from supervisor.model.certificate import CertificateRecord, DesiredCertificate
from supervisor.model.errors import Failure


async def unserved(tls: TlsLook, certificate: DesiredCertificate, record: CertificateRecord) -> str:
    """Say which server of `Check=` does not serve the current one, and what it does; else empty."""
    current, former = record.current, record.previous
    if current is None:
        return "there is none"
    for url in certificate.check:
        try:
            served = await tls.served(url, asked_for(url, certificate.terms.domains))
        except Failure as failure:
            return str(failure)
        if served != current.facts.fingerprint:
            is_former = former is not None and served == former.facts.fingerprint
            return f"{url} serves {'the former certificate' if is_former else 'another'} still"
    return ""


def asked_for(url: str, domains: tuple[str, ...]) -> str:
    """Return the name to ask a server for: that of its URL, if the certificate is for it."""
    host = url.removeprefix("https://").partition("/")[0]
    if not host.endswith("]"):
        host = host.rpartition(":")[0] or host
    host = host.strip("[]").lower()
    if host in domains or f"*.{host.partition('.')[2]}" in domains:
        return host
    return domains[0].replace("*", "podvisor", 1)
