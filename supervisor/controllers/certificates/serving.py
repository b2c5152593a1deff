"""Whether servers serve a certificate."""

import msgspec

from supervisor.controllers.ports import TlsLook
from supervisor.model.certificate import CertificateRecord, DesiredCertificate
from supervisor.model.errors import Failure


class ServedLook(msgspec.Struct, frozen=True):
    """What came of a look at the servers of a certificate."""

    unserved: str = ""
    """Which does not serve the current one, and what it does; empty if all do."""
    is_answered: bool = True
    """Whether it could be reached at all."""


async def look(
    tls: TlsLook, certificate: DesiredCertificate, record: CertificateRecord
) -> ServedLook:
    """Look whether the servers of `Check=` serve the current one."""
    if record.current is None:
        return ServedLook("there is none")
    for url in certificate.check:
        if (found := await look_at(tls, url, certificate, record)).unserved:
            return found
    return ServedLook()


async def look_at(
    tls: TlsLook, url: str, certificate: DesiredCertificate, record: CertificateRecord
) -> ServedLook:
    """Look at one of them."""
    current, former = record.current, record.previous
    try:
        served = await tls.served(url, asked_for(url, certificate.terms.domains))
    except Failure as failure:
        return ServedLook(str(failure), is_answered=False)
    if current is not None and served == current.facts.fingerprint:
        return ServedLook()
    is_former = former is not None and served == former.facts.fingerprint
    what = "the former certificate" if is_former else "another certificate"
    still = " still" if former is not None else ""
    return ServedLook(f"{url} serves {what}{still}")


def asked_for(url: str, domains: tuple[str, ...]) -> str:
    """Return the name to ask a server for: that of its URL, if the certificate is for it."""
    host = url.removeprefix("https://").partition("/")[0]
    if not host.endswith("]"):
        host = host.rpartition(":")[0] or host
    host = host.strip("[]").lower()
    if host in domains or f"*.{host.partition('.')[2]}" in domains:
        return host
    return domains[0].replace("*", "podvisor", 1)
