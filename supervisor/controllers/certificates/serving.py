"""Whether servers serve a certificate."""

import anyio
import msgspec

from supervisor.controllers.ports import TlsLook
from supervisor.model.certificate import CertificateRecord, DesiredCertificate
from supervisor.model.errors import Failure


class ServedLook(msgspec.Struct, frozen=True):
    """What came of a look at the servers of a certificate, or at one of them."""

    unserved: str = ""
    """Which does not serve the current one, and what it does; empty if all do."""
    is_answered: bool = True
    """Whether one that does not could be reached at all."""
    versions: dict[str, str] = {}
    """URL to the version of the one that is served there; empty if that is none of ours."""


async def look(
    tls: TlsLook, certificate: DesiredCertificate, record: CertificateRecord
) -> ServedLook:
    """Look whether the servers of `Check=` serve the current one, at all of them at once."""
    found: dict[str, ServedLook] = {}

    async def note(url: str) -> None:
        found[url] = await look_at(tls, url, certificate, record)

    async with anyio.create_task_group() as tasks:
        for url in certificate.check:
            tasks.start_soon(note, url)
    wrong = [found[url] for url in certificate.check if found[url].unserved]
    return ServedLook(
        next((one.unserved for one in wrong), ""),
        is_answered=any(one.is_answered for one in wrong) or not wrong,
        versions={url: one.versions.get(url, "") for url, one in found.items()},
    )


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
        return ServedLook(versions={url: current.version})
    still = " still" if former is not None else ""
    if former is not None and served == former.facts.fingerprint:
        versions = {url: former.version}
        return ServedLook(f"{url} serves the former certificate{still}", versions=versions)
    return ServedLook(f"{url} serves another certificate{still}")


def asked_for(url: str, domains: tuple[str, ...]) -> str:
    """Return the name to ask a server for: that of its URL, if the certificate is for it."""
    host = url.removeprefix("https://").partition("/")[0]
    if not host.endswith("]"):
        host = host.rpartition(":")[0] or host
    host = host.strip("[]").lower()
    if host in domains or f"*.{host.partition('.')[2]}" in domains:
        return host
    return domains[0].replace("*", "podvisor", 1)
