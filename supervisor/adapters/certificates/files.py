"""Where pairs are kept, and where certificates are installed. The `CertificateFiles` port.

All of it is done in a thread, one after the other: a disk that is slow does not hold up the event
loop. What does it is loaded where there is a certificate.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from supervisor.adapters.certificates.unchanged import Unchanged
from supervisor.adapters.certificates.watch import InstalledWatch
from supervisor.kit.threads import Lane
from supervisor.model.acme import Pair
from supervisor.model.certificate import DesiredCertificate, Issued
from supervisor.model.errors import Failure, Retry, Stalled

if TYPE_CHECKING:
    from supervisor.adapters.certificates.installed import Place
    from supervisor.adapters.certificates.owned import Owner
    from supervisor.adapters.certificates.owner_process import Gift, Given
    from supervisor.adapters.certificates.texts import Kept

T = TypeVar("T")
_VERSION = slice(16)
"""Of a fingerprint, as of `Issued.version`."""


async def _given_away(gift: "Gift") -> "Given":
    from supervisor.adapters.certificates.owner_process import give_away  # noqa: PLC0415

    return await give_away(gift)


class CertificateStore:
    """Pairs in a folder of podvisor's own; what is installed in it, or wherever it is asked for."""

    def __init__(
        self,
        *,
        kept_in: Path,
        installed_in: Path,
        give_away: "Callable[[Gift], Awaitable[Given]]" = _given_away,
    ) -> None:
        """`installed_in` is podvisor's own place of what is installed: a folder for each."""
        self._give_away = give_away
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
        version, held, owner = pair.facts.fingerprint[_VERSION], texts.kept(pair), certificate.owner
        self._watch.release(certificate.name)
        try:
            if owner is None:
                await self._aside(lambda: place.install(held, version, mode=certificate.mode))
            else:
                await self._install_for(owner, place, held, version, certificate.mode)
        finally:
            self._watch.follow(certificate.name, place.folder)
        return place.folder

    async def _install_for(
        self, owner: "Owner", place: "Place", held: "Kept", version: str, mode: int
    ) -> None:
        """Install it whole, or not at all; its key is given away before anybody sees it."""
        new = await self._aside(lambda: place.write(held, version, mode=mode, owner=owner))
        try:
            await self._give(place, new, owner)
            await self._aside(lambda: place.switch(new, held, owner=owner))
        except Failure:
            with suppress(Failure):
                await self._aside(place.sweep)
            raise

    async def _give(self, place: "Place", new: str, owner: "Owner") -> None:
        """Give the files of the key away; without `new`, see whether that could be.

        Raises Retry or Stalled.
        """
        from supervisor.adapters.certificates.installed import WITH_KEY  # noqa: PLC0415
        from supervisor.adapters.certificates.owner_process import Gift  # noqa: PLC0415

        files = WITH_KEY if new else ()
        gift = Gift(folder=f"{place.folder}/{new}", files=files, owner=owner)
        given = await self._give_away(gift)
        if not given.problem:
            return
        why = f"cannot {place.doing}: its key cannot be given to {owner[0]}:{owner[1]}"
        if given.hint:
            raise Stalled(f"{why}: {given.problem}", hint=given.hint)
        raise Retry(f"{why}: {given.problem}")

    async def check(self, certificate: DesiredCertificate) -> None:
        """See whether it could be installed; nothing is changed."""
        place = self._place_of(certificate.name, certificate.directory)
        await self._aside(place.check)
        if certificate.owner:
            await self._give(place, "", certificate.owner)

    async def is_installed(self, certificate: DesiredCertificate, issued: Issued) -> bool:
        """Whether what stands there is that, with its mode and owner, and nothing is missing."""
        place = self._place_of(certificate.name, certificate.directory)
        self._watch.follow(certificate.name, place.folder)
        digest, mode, owner = issued.digest, certificate.mode, certificate.owner
        return await self._aside(
            lambda: self._unchanged.holds(
                ("installed", certificate.name),
                place.places(owner),
                (digest, mode, owner),
                lambda: place.holds(digest, mode=mode, owner=owner),
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
