"""Whether servers serve a certificate, and what is on record of that."""

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.ports import TlsLook
from supervisor.core.certificates import records
from supervisor.core.certificates.served import is_given_up
from supervisor.model.certificate import CertificateRecord, DesiredCertificate, Stage
from supervisor.model.errors import Failure

_START_SECONDS = 120.0
"""So long a server that is started for its first certificate may not answer, and is let be."""


class ServedLook(msgspec.Struct, frozen=True):
    """What came of a look at the servers of a certificate, or at one of them."""

    unserved: str = ""
    """Which does not serve the current one, and what it does; empty if all do."""
    is_answered: bool = True
    """Whether one that does not could be reached at all."""
    versions: dict[str, str] = {}
    """URL to the version of the one that is served there; empty if that is none of ours."""
    is_starting: bool = False
    """Whether nobody answers because it is the first one: who serves it was just started."""
    is_time_over: bool = False
    """Whether those that do not serve it have had their time now, and had not before."""


class Serving(msgspec.Struct, kw_only=True):
    """Looks at servers, and writes down what was seen."""

    tls: TlsLook
    memory: CertificateMemory
    _first_looks: dict[str, float] = {}
    """Version of a first one to when its server was not there for the first time."""

    async def look(self, certificate: DesiredCertificate, record: CertificateRecord) -> ServedLook:
        """Look whether the servers of `Check=` serve the current one."""
        looked = await _look_at_all(self.tls, certificate, record)
        name, now, why = certificate.name, self.memory.clock.now(), looked.unserved
        seen = self.memory.change(name, lambda known: records.saw(known, looked.versions))
        if not why or seen.current is None:
            return looked
        if not looked.is_answered and self._may_be_starting(seen):
            self.memory.change(name, lambda known: replace(known, unserved=why))
            return replace(looked, is_starting=True)
        # Who is not there after its time to start is not looked for anew.
        since = 0.0 if looked.is_answered else self._first_looks.get(seen.current.version, 0.0)
        after = self.memory.change(name, lambda known: records.looked(known, why, now, since=since))
        is_time_over = is_given_up(after) and not is_given_up(seen)
        return replace(looked, is_time_over=is_time_over)

    def is_settled(self, record: CertificateRecord) -> None:
        """Nobody waits any more for who is started for the current one."""
        self._first_looks.pop(record.current.version if record.current else "", None)

    def _may_be_starting(self, record: CertificateRecord) -> bool:
        """Whether it is the first one, for which its server was just started."""
        current, now = record.current, self.memory.clock.now()
        if current is None or record.previous or record.stage is not Stage.INSTALLED:
            return False
        if record.asked_at:
            return False
        since = self._first_looks.setdefault(current.version, now)
        return since <= now < since + _START_SECONDS


async def _look_at_all(
    tls: TlsLook, certificate: DesiredCertificate, record: CertificateRecord
) -> ServedLook:
    """Look at all of them at once."""
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
