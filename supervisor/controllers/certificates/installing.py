"""Install what is kept of certificates, and take it away where nobody reads it any more.

In folders, and in Podman's secrets where a certificate has some.
"""

from contextlib import suppress

import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.memory import NOTHING, CertificateMemory
from supervisor.controllers.certificates.secrets import CertificateSecrets
from supervisor.controllers.ports import CertificateFiles
from supervisor.core.certificates import records
from supervisor.core.certificates.steps import PutBackFormer
from supervisor.model.certificate import CertificateRecord, DesiredCertificate, Issued
from supervisor.model.errors import Failure, Retry
from supervisor.model.events import EventKind

_MENDED_SECONDS, _MOST_MENDED = 3_600.0, 5
"""So often in so long a certificate is installed again at once; then less and less often."""


class Installing(msgspec.Struct, kw_only=True):
    """Writes where certificates belong; what it does is in the record when it is done."""

    files: CertificateFiles
    secrets: CertificateSecrets
    asked: AskedCertificates
    memory: CertificateMemory
    _mended: dict[str, list[float]] = {}
    """Certificate to when it was last installed again."""

    def failed(self, name: str, failure: Failure) -> bool:
        """Write down why a pass over it came to nothing; tells of it, if that is news."""
        before, now = self.memory.of(name).files_failure, self.memory.clock.now()
        why = str(failure)
        self.memory.change(
            name, lambda record: records.files_failed(record, why, failure.hint, now)
        )
        is_news = before is None or before.message != why
        if is_news:
            self.asked.tell(name, why, ok=False, detail=failure.hint)
        return is_news

    def went_well(self, name: str) -> None:
        """A pass over it came to its end."""
        if self.memory.of(name).files_failure:
            self.memory.change(name, records.files_are_well)
            self.asked.tell(name, "it could be installed", kind=EventKind.RECOVERED)

    async def ready(self, certificate: DesiredCertificate, ready: Issued) -> bool:
        """Install what was issued; False if what is kept of it is damaged: it is forgotten then.

        Raises Retry or Stalled, as the others do.
        """
        name = certificate.name
        folder = await self._install(certificate, ready)
        if not folder:
            self.memory.change(name, without_ready)
            return False
        before, now = self.memory.of(name).installed_in, self.memory.clock.now()
        down = self.asked.down(name)
        after = self.memory.change(
            name, lambda record: records.installed(record, ready, folder=folder, now=now, down=down)
        )
        self._note_place(name, before, folder)
        stays = [one for one in (after.current, after.previous) if one]
        with suppress(Failure):  # older ones are in nobody's way: they go with the next one
            await self.files.forget(name, stays)
        return True

    async def again(self, certificate: DesiredCertificate, current: Issued) -> bool:
        """Install the current one once more; False if what is kept of it is damaged."""
        name = certificate.name
        self._check_that_it_stays(name, self.files.place(certificate))
        folder = await self._install(certificate, current)
        if folder:
            self._note_mended(name)
            before = self.memory.of(name).installed_in
            self.memory.change(name, lambda record: records.installed_again(record, folder=folder))
            self._note_place(name, before, folder)
        return bool(folder)

    async def secrets_again(self, certificate: DesiredCertificate, current: Issued) -> None:
        """Have its Podman secrets hold the current one; its files are as they should be."""
        name = certificate.name
        self._check_that_it_stays(name, "Podman's secrets")
        were_there = {*certificate.podman_secrets} <= {*self.memory.of(name).secrets}
        if pair := await self.files.kept(name, current):
            await self.secrets.check(certificate)
            await self.secrets.put(certificate, current, pair)
            if were_there:
                self._note_mended(name)

    def _check_that_it_stays(self, name: str, place: str) -> None:
        """Raise Retry if it is mended too often: a place may not hold what is put there."""
        if len(self._lately_mended(name)) >= _MOST_MENDED:
            raise Retry(
                f"cannot install {name}: it does not stay in {place} as it was written",
                hint="see who changes it there, and whether that file system keeps modes and links",
            )

    def _note_mended(self, name: str) -> None:
        """Count that it was: what cannot be mended is another trouble, with a reason of its own."""
        self._mended[name] = [*self._lately_mended(name), self.memory.clock.now()]

    def _lately_mended(self, name: str) -> list[float]:
        now = self.memory.clock.now()
        return [at for at in self._mended.get(name, ()) if now - _MENDED_SECONDS < at <= now]

    async def back(
        self, certificate: DesiredCertificate, former: Issued, step: PutBackFormer
    ) -> bool:
        """Install the one before; False if what is kept of it is damaged."""
        folder, now = await self._install(certificate, former), self.memory.clock.now()
        if folder:
            self.memory.change(
                certificate.name,
                lambda record: records.put_back(
                    record,
                    step.reason,
                    folder=folder,
                    now=now,
                    way=certificate.way,
                    check=step.check,
                ),
            )
        return bool(folder)

    async def _install(self, certificate: DesiredCertificate, issued: Issued) -> str:
        """Install one that is kept; returns where, nothing if it is not."""
        pair = await self.files.kept(certificate.name, issued)
        if pair is None:
            return ""
        await self.secrets.check(certificate)
        await self._look_for_folder(certificate)
        folder = await self.files.install(certificate, pair)
        await self.note_folder(certificate)
        # Before it is on record: who is started anew for it finds it in them.
        await self.secrets.put(certificate, issued, pair)
        return folder

    async def _look_for_folder(self, certificate: DesiredCertificate) -> None:
        """Note that the folder is gone, before another one is made."""
        name, record = certificate.name, self.memory.of(certificate.name)
        if record.installed_in != self.files.place(certificate) or not record.folder_id:
            return
        if await self.files.folder_id(certificate) != record.folder_id:
            self.memory.change(name, records.lost_folder)

    async def note_folder(self, certificate: DesiredCertificate) -> None:
        """Note where and how it is installed; its users restart if the former folder is gone."""
        folder_id = await self.files.folder_id(certificate)
        self.memory.change(
            certificate.name,
            lambda record: records.in_folder(record, folder_id, manner=certificate.manner),
        )

    def _note_place(self, name: str, before: str, after: str) -> None:
        if before not in ("", after):
            self.memory.change(name, lambda record: records.moved(record, before))

    async def clear_former_places(self, name: str) -> None:
        """Remove what is installed where it belonged before, once no unit reads it there."""
        record = self.memory.of(name)
        if self.asked.is_changing(name):
            return
        if name in self.asked.by_name:
            await self.secrets.remove(name, but=self.asked.by_name[name].certificate)
        if not record.left:
            return
        for place in record.left:
            if place != record.installed_in:
                await self.files.remove(name, place)
        self.memory.change(name, lambda known: replace(known, left=()))

    async def remove(self, name: str) -> bool:
        """Take away what is installed; returns whether there was something."""
        record = self.memory.of(name)
        places = {one for one in (record.installed_in, *record.left) if one}
        for place in sorted(places):
            await self.files.remove(name, place)
        await self.secrets.remove(name)
        self.memory.change(name, records.let_go)
        return bool(places)

    async def forget(self, name: str) -> None:
        """Remove what is kept, too; what counts at its issuer is remembered until it does not."""
        await self.files.forget(name, ())
        now = self.memory.clock.now()
        if self.memory.change(name, lambda record: records.forgotten(record, now)) == NOTHING:
            self.memory.forget(name)


def fits(ready: Issued, certificate: DesiredCertificate) -> bool:
    """Whether what was issued, and is not installed yet, is what is asked for."""
    return records.same_terms(ready.terms, certificate.terms)


def without_ready(record: CertificateRecord) -> CertificateRecord:
    """What was issued is not to be installed."""
    return replace(record, ready=None)
