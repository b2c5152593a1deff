"""Certificates: those who issue them, the files that hold them, and the servers that serve them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from supervisor.model.acme import AcmeIssuer, Order, OrderRefusal, Pair, RenewalInfo
from supervisor.model.certificate import (
    CertificateFacts,
    CertificateTerms,
    DesiredCertificate,
    Issued,
)
from supervisor.model.imported import Imported
from supervisor.model.rehearsal import Rehearsal, Rehearsed


class Issuer(Protocol):
    """Who issues certificates; each method may take minutes, and is had in a process that ends."""

    async def issue(self, order: Order) -> Pair | OrderRefusal:
        """Have one issued; an order that was cut short before goes on.

        Raises Retry where not even that could be said.
        """

    async def rehearse(self, asked: Rehearsal) -> Rehearsed:
        """Try what an order would come to; nothing of it stays, also where this is cut short.

        Raises Retry while an order listens at the same address.
        """

    async def standin(self, terms: CertificateTerms) -> Pair:
        """Make a self-signed one. Raises Retry or Stalled."""

    async def revoke(self, issuer: AcmeIssuer, pair: tuple[str, str]) -> None:
        """Declare one void, by its key and chain. Raises Retry or Stalled."""

    async def renewal_info(self, issuer: AcmeIssuer, facts: CertificateFacts) -> RenewalInfo | None:
        """Ask when it should be renewed; None where the issuer does not say. Raises Retry.

        This one is no process: it is asked for each certificate, now and then.
        """


class Authority(Protocol):
    """Podvisor's own authority, the issuer `internal`; had in a process that ends."""

    async def issue(self, terms: CertificateTerms, *, key: str = "") -> Pair:
        """Have one made; the authority is made too if there is none yet.

        `key` is the PEM of the one to use. Raises Retry or Stalled.
        """

    async def may_sign(self, terms: CertificateTerms) -> None:
        """See whether it would sign one, without doing so. Raises Retry or Stalled."""

    async def root(self) -> str:
        """Return the authority's own certificate in PEM. Raises Stalled if there is none yet."""


class CertificateFiles(Protocol):
    """Where certificates are kept, and where they are installed. All raise Retry or Stalled."""

    def place(self, certificate: DesiredCertificate) -> str:
        """Return the absolute path of the folder in which it is installed. Asks nothing."""

    async def keep(self, name: str, pair: Pair) -> str:
        """Keep a pair beside the others of this name; returns the digest of what is kept."""

    async def kept(self, name: str, issued: Issued) -> Pair | None:
        """Return what was kept; None if it is not there, or not as it was."""

    async def is_kept(self, name: str, issued: Issued) -> bool:
        """Whether it is kept, and is as it was; cheaper than `kept` where nothing changed."""

    async def install(self, certificate: DesiredCertificate, pair: Pair) -> str:
        """Install it whole, or not at all; returns the absolute path of the folder."""

    async def check(self, certificate: DesiredCertificate) -> None:
        """See whether it could be installed; nothing is changed."""

    async def is_installed(self, certificate: DesiredCertificate, issued: Issued) -> bool:
        """Whether what stands there is that, with its mode and owner, and nothing is missing."""

    async def folder_id(self, certificate: DesiredCertificate) -> str:
        """Return what tells the folder from another one that is made there; empty if none is."""

    async def remove(self, name: str, directory: str) -> None:
        """Take away what was installed in a folder; other files there stay, and what is kept."""

    async def forget(self, name: str, keep: Sequence[Issued]) -> None:
        """Remove what is kept of this name, but for these, and end the order that they came of.

        Until then the same order gives the same pair (`Order.folder`).
        """

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Tell, by name, of certificates whose installed files somebody else touched.

        Of those that were installed, or looked at, since the daemon started.
        """


class ImportedCertificates(Protocol):
    """Certificates of other clients, which wait for a file that asks for them.

    All raise Retry or Stalled.
    """

    async def all(self) -> tuple[Imported, ...]:
        """Return those that wait."""

    async def pair(self, one: Imported) -> Pair | None:
        """Return one with its key; None if it is not there, or not as it was."""

    async def drop(self, one: Imported) -> None:
        """It waits no more."""


class TlsLook(Protocol):
    """Servers that serve certificates."""

    async def served(self, url: str, name: str) -> str:
        """Open a TLS connection to `https://HOST:PORT`, and ask for this name.

        Returns the fingerprint of the certificate (see `CertificateFacts`). Raises Retry.
        """
