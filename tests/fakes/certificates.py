"""Fakes of the ports of certificates: issuers, files and servers in memory."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from msgspec.structs import replace

from supervisor.controllers import ports
from supervisor.model.acme import AcmeIssuer, Order, OrderRefusal, Pair, RenewalInfo
from supervisor.model.certificate import (
    CertificateFacts,
    CertificateTerms,
    DesiredCertificate,
    Issued,
)
from supervisor.model.errors import Failure, NotAllowed, Retry, Stalled
from supervisor.model.imported import Imported
from supervisor.model.rehearsal import Rehearsal, Rehearsed
from tests.fakes.ports import FakeWatch

DAY = 86_400.0
PLACE = "/home/pi/.local/share/podvisor/certificates"
"""Podvisor's own place of certificates."""

LARGEST_ID = 65_536
"""Of users in containers."""


def pem(label: str, text: str) -> str:
    """Write a text as a PEM block, as a key or a certificate is written."""
    body = base64.b64encode(text.encode()).decode()
    lines = "".join(f"{body[at : at + 64]}\n" for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"


def make_pair(
    text: str,
    names: Sequence[str],
    *,
    now: float = 0.0,
    days: float = 90.0,
    issuer: str = "fake",
    key: str = "",
) -> Pair:
    """Make one of which another text makes another one."""
    fingerprint = hashlib.sha256(text.encode()).hexdigest()
    return Pair(
        key=key or pem("PRIVATE KEY", f"key of {text}"),
        chain=pem("CERTIFICATE", text) + pem("CERTIFICATE", f"signer {issuer}"),
        facts=CertificateFacts(
            serial=fingerprint[:18].lstrip("0").upper(),
            fingerprint=fingerprint,
            not_before=now,
            not_after=now + days * DAY,
            names=tuple(sorted(names)),
            issuer=issuer,
            ari_id=f"{issuer}.{fingerprint[:8]}",
        ),
    )


class FakeIssuer:
    """Every issuer there is, by the name that the order gives."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.orders: list[Order] = []
        """All that were made."""
        self.issued: list[Pair] = []
        self.seconds = 2.0
        """How long an order takes."""
        self.days = 90.0
        """How long what it issues is valid."""
        self.refusals: dict[str, OrderRefusal] = {}
        """Name of a certificate to what every order of it ends with."""
        self.notes: tuple[str, ...] = ()
        """What is told with whatever comes of the next order."""
        self.failure: Failure | None = None
        """What everything fails of."""
        self.standins = 0
        self.revoked: list[str] = []
        """Chains that were declared void."""
        self.info: dict[str, RenewalInfo] = {}
        """`ari_id` to what is suggested for it; it says nothing of others."""
        self.asked_for_info: list[str] = []
        self.rehearsals: list[Rehearsal] = []
        """All that were tried."""
        self.rehearsed = Rehearsed(checks=())
        """What comes of trying one."""

    async def issue(self, order: Order) -> Pair | OrderRefusal:
        self.orders.append(order)
        await asyncio.sleep(min(self.seconds, order.timeout_seconds))
        if self.failure:
            raise self.failure
        notes, self.notes = self.notes, ()
        if refusal := self.refusals.get(order.name):
            return replace(refusal, notes=notes)
        text = f"{order.issuer.name} {len(self.issued)} {order.terms.domains}"
        pair = self._make(text, order.terms, issuer=order.issuer.name, key=order.key)
        self.issued.append(pair)
        return replace(pair, notes=notes)

    async def rehearse(self, asked: Rehearsal) -> Rehearsed:
        self.rehearsals.append(asked)
        await asyncio.sleep(self.seconds)
        if self.failure:
            raise self.failure
        return self.rehearsed

    async def standin(self, terms: CertificateTerms) -> Pair:
        if self.failure:
            raise self.failure
        self.standins += 1
        return self._make(f"stand-in {self.standins}", terms, issuer="stand-in")

    async def revoke(self, issuer: AcmeIssuer, pair: tuple[str, str]) -> None:
        if self.failure:
            raise self.failure
        self.revoked.append(pair[1])

    async def renewal_info(self, issuer: AcmeIssuer, facts: CertificateFacts) -> RenewalInfo | None:
        self.asked_for_info.append(facts.ari_id)
        if self.failure:
            raise self.failure
        return self.info.get(facts.ari_id)

    def _make(self, text: str, terms: CertificateTerms, *, issuer: str, key: str = "") -> Pair:
        return make_pair(
            text, terms.domains, now=self.now(), days=self.days, issuer=issuer, key=key
        )


class FakeAuthority:
    """Podvisor's own authority, which signs for `.internal` and `.home.arpa` alone."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.issued: list[Pair] = []
        self.failure: Failure | None = None

    async def issue(self, terms: CertificateTerms, *, key: str = "") -> Pair:
        if self.failure:
            raise self.failure
        await self.may_sign(terms)
        text = f"internal {len(self.issued)} {terms.domains}"
        pair = make_pair(text, terms.domains, now=self.now(), issuer="internal", key=key)
        self.issued.append(pair)
        return pair

    async def may_sign(self, terms: CertificateTerms) -> None:
        for name in terms.domains:
            if not name.endswith((".internal", ".home.arpa")):
                raise NotAllowed(
                    f"podvisor's own authority may not sign for {name}", hint="another"
                )

    async def root(self) -> str:
        if not self.issued:
            raise Stalled("there is no authority of podvisor's own yet", hint="ask for one")
        return pem("CERTIFICATE", "signer internal")


class Installed(NamedTuple):
    """What stands in a folder."""

    name: str
    """Of the certificate."""
    pair: Pair
    mode: int
    owner: tuple[int, int] | None = None


class FakeCertificateFiles:
    """Pairs that are kept, and folders in which they are installed."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str], Pair] = {}
        """Name and digest to what is kept."""
        self.installed: dict[str, Installed] = {}
        """Folder to what stands there."""
        self.installs: list[tuple[str, str]] = []
        """Folder and version of all that was installed, one after the other."""
        self.damaged: set[str] = set()
        """Folders in which something is not as it was installed."""
        self.folder_ids: dict[str, int] = {}
        """Folder to what tells it from others; the next one that is made has another."""
        self._made = 0
        self.seconds = 0.0
        """How long it takes to install one."""
        self.unwritable: set[str] = set()
        """Folders in which nothing can be installed."""
        self.forgotten: list[str] = []
        """Names of which nothing was to stay."""
        self.failure: Failure | None = None
        """What everything that writes fails of."""
        self.touched = FakeWatch[str]()

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.touched.open()

    def damage(self, folder: str) -> None:
        """Somebody damages what stands in a folder, which is told."""
        self.damaged.add(folder)
        self.touched.queue.put_nowait(self.installed[folder].name)

    def place(self, certificate: DesiredCertificate) -> str:
        return certificate.directory or f"{PLACE}/{certificate.name}"

    async def keep(self, name: str, pair: Pair) -> str:
        if self.failure:
            raise self.failure
        digest = hashlib.sha256((pair.key + pair.chain).encode()).hexdigest()
        self.pairs[name, digest] = pair
        return digest

    async def kept(self, name: str, issued: Issued) -> Pair | None:
        pair = self.pairs.get((name, issued.digest))
        return pair if pair and pair.facts.fingerprint == issued.facts.fingerprint else None

    async def is_kept(self, name: str, issued: Issued) -> bool:
        return await self.kept(name, issued) is not None

    async def check(self, certificate: DesiredCertificate) -> None:
        folder = self.place(certificate)
        if folder in self.unwritable:
            raise Stalled(
                f"cannot install {certificate.name} in {folder}", hint="let it be written"
            )
        if certificate.owner and max(certificate.owner) > LARGEST_ID:
            raise Stalled(f"cannot install {certificate.name}: there is no such id", hint="another")

    async def install(self, certificate: DesiredCertificate, pair: Pair) -> str:
        if self.failure:
            raise self.failure
        folder = self.place(certificate)
        await self.check(certificate)
        if folder not in self.folder_ids:
            self._made += 1
            self.folder_ids[folder] = self._made
        await asyncio.sleep(self.seconds)
        self.installed[folder] = Installed(
            certificate.name, pair, certificate.mode, certificate.owner
        )
        self.installs.append((folder, pair.facts.fingerprint[:16]))
        self.damaged.discard(folder)
        return folder

    async def is_installed(self, certificate: DesiredCertificate, issued: Issued) -> bool:
        folder = self.place(certificate)
        there = self.installed.get(folder)
        return (
            there is not None
            and there.pair.facts.fingerprint == issued.facts.fingerprint
            and (there.mode, there.owner) == (certificate.mode, certificate.owner)
            and folder not in self.damaged
        )

    async def folder_id(self, certificate: DesiredCertificate) -> str:
        return str(self.folder_ids.get(self.place(certificate), ""))

    def lose(self, folder: str) -> None:
        """Somebody removes a folder with all that is in it."""
        name = self.installed[folder].name
        del self.folder_ids[folder], self.installed[folder]
        self.touched.queue.put_nowait(name)

    async def remove(self, name: str, directory: str) -> None:
        if self.failure:
            raise self.failure
        there = self.installed.get(directory)
        if there and there.name == name:
            del self.installed[directory]
            if directory.startswith(f"{PLACE}/"):
                self.folder_ids.pop(directory, None)

    async def forget(self, name: str, keep: Sequence[Issued]) -> None:
        if self.failure:
            raise self.failure
        if not keep:
            self.forgotten.append(name)
        digests = {one.digest for one in keep}
        for other, digest in [*self.pairs]:
            if other == name and digest not in digests:
                del self.pairs[other, digest]


class FakeImported:
    """Certificates of other clients that wait."""

    def __init__(self) -> None:
        self.waiting: dict[str, Imported] = {}
        """Version to what waits."""
        self.pairs: dict[str, Pair] = {}
        self.failure: Failure | None = None
        """What everything fails of."""

    def put(self, one: Imported, pair: Pair) -> None:
        """Have one wait."""
        self.waiting[one.version], self.pairs[one.version] = one, pair

    async def all(self) -> tuple[Imported, ...]:
        if self.failure:
            raise self.failure
        return tuple(self.waiting.values())

    async def pair(self, one: Imported) -> Pair | None:
        if self.failure:
            raise self.failure
        return self.pairs.get(one.version)

    async def drop(self, one: Imported) -> None:
        if self.failure:
            raise self.failure
        self.waiting.pop(one.version, None)
        self.pairs.pop(one.version, None)


class FakeTlsLook:
    """Servers by their URL; nobody answers at any other."""

    def __init__(self) -> None:
        self.servers: dict[str, Callable[[], str]] = {}
        """URL to the fingerprint of what is served there now."""
        self.asked: list[tuple[float, str, str]] = []
        """When, at which URL and for which name was looked."""

    async def served(self, url: str, name: str) -> str:
        self.asked.append((asyncio.get_running_loop().time(), url, name))
        await asyncio.sleep(0.01)
        if url not in self.servers:
            raise Retry(f"cannot look at what {url} serves: connection refused")
        return self.servers[url]()


def _held_to_ports() -> tuple[
    ports.Issuer,
    ports.Authority,
    ports.CertificateFiles,
    ports.ImportedCertificates,
    ports.TlsLook,
]:
    """For mypy, which tells here where a fake is not what its port asks for."""
    issuer, authority, files = FakeIssuer(float), FakeAuthority(float), FakeCertificateFiles()
    return issuer, authority, files, FakeImported(), FakeTlsLook()
