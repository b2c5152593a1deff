"""Where pairs are kept, and where certificates are installed. The `CertificateFiles` port.

All of it is done in a thread, one after the other: a disk that is slow does not hold up the event
loop. What does it is loaded where there is a certificate.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from supervisor.adapters.certificates.unchanged import Unchanged
from supervisor.adapters.certificates.watch import InstalledWatch
from supervisor.kit.threads import Lane
from supervisor.model.acme import Pair
from supervisor.model.certificate import DesiredCertificate, Issued

if TYPE_CHECKING:
    from supervisor.adapters.certificates.installed import Place

T = TypeVar("T")
_VERSION = slice(16)
"""Of a fingerprint, as of `Issued.version`."""


class CertificateStore:
    """Pairs in a folder of podvisor's own; what is installed in it, or wherever it is asked for."""

    def __init__(self, *, kept_in: Path, installed_in: Path) -> None:
        """`installed_in` is podvisor's own place of what is installed: a folder for each."""
        self._kept_in = kept_in
        self._installed_in = str(installed_in)
        self._lane = Lane()
        self._unchanged = Unchanged()
        self._watch = InstalledWatch()

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Tell, by name, of certificates whose installed files somebody else touched."""
        return self._watch.watch()

    def place(self, certificate: DesiredCertificate) -> str:
        """Return the absolute path of the folder in which it is installed. Asks nothing."""
        return certificate.directory or f"{self._installed_in}/{certificate.name}"

    async def keep(self, name: str, pair: Pair) -> str:
        """Keep a pair beside the others of this name; returns the digest of what is kept."""
        from supervisor.adapters.certificates import kept, texts  # noqa: PLC0415

        held = texts.kept(pair)
        version = pair.facts.fingerprint[_VERSION]
        await self._aside(lambda: kept.keep(self._kept_in / name, version, held))
        return held.digest

    async def kept(self, name: str, issued: Issued) -> Pair | None:
        """Return what was kept; None if it is not there, or not as it was."""
        from supervisor.adapters.certificates import kept  # noqa: PLC0415

        held = await self._aside(
            lambda: kept.kept(self._kept_in / name, issued.version, issued.digest)
        )
        return held and Pair(key=held.key, chain=held.chain, facts=issued.facts)

    async def is_kept(self, name: str, issued: Issued) -> bool:
        """Whether it is kept, and is as it was."""
        from supervisor.adapters.certificates import kept  # noqa: PLC0415

        folder, version = self._kept_in / name, issued.version

        def read() -> bool:
            return kept.kept(folder, version, issued.digest) is not None

        places = kept.places(folder, version)
        return await self._aside(
            lambda: self._unchanged.holds(("kept", name), places, issued.digest, read)
        )

    async def install(self, certificate: DesiredCertificate, pair: Pair) -> str:
        """Install it whole, or not at all; returns the absolute path of the folder."""
        from supervisor.adapters.certificates import texts  # noqa: PLC0415

        place = self._place_of(certificate.name, certificate.directory)
        version = pair.facts.fingerprint[_VERSION]
        self._watch.release(certificate.name)
        try:
            await self._aside(
                lambda: place.install(texts.kept(pair), version, mode=certificate.mode)
            )
        finally:
            self._watch.follow(certificate.name, place.folder)
        return place.folder

    async def is_installed(self, certificate: DesiredCertificate, issued: Issued) -> bool:
        """Whether what stands there is that, with its mode, and nothing is missing."""
        place = self._place_of(certificate.name, certificate.directory)
        self._watch.follow(certificate.name, place.folder)
        digest, mode = issued.digest, certificate.mode
        return await self._aside(
            lambda: self._unchanged.holds(
                ("installed", certificate.name),
                place.places,
                (digest, mode),
                lambda: place.holds(digest, mode=mode),
            )
        )

    async def folder_id(self, certificate: DesiredCertificate) -> str:
        """Return what tells the folder from another one that is made there; empty if none is."""
        return await self._aside(self._place_of(certificate.name, certificate.directory).identity)

    async def remove(self, name: str, directory: str) -> None:
        """Take away what was installed in a folder; other files there stay, and what is kept."""
        self._watch.forget(name, directory)
        self._unchanged.forget(("installed", name))
        await self._aside(self._place_of(name, directory).remove)

    async def forget(self, name: str, keep: Sequence[Issued]) -> None:
        """Remove what is kept of this name, but for these."""
        from supervisor.adapters.certificates import kept  # noqa: PLC0415

        self._unchanged.forget(("kept", name))
        versions = {one.version for one in keep}
        await self._aside(lambda: kept.forget(self._kept_in / name, versions))

    def _place_of(self, name: str, directory: str) -> "Place":
        from supervisor.adapters.certificates.installed import Place  # noqa: PLC0415

        own = f"{self._installed_in}/{name}"
        return Place(name, directory or own, is_own=directory in ("", own))

    async def _aside(self, work: Callable[[], T]) -> T:
        return await self._lane.run(work)
