"""Taking over what other ACME clients left, for whoever asks; a daemon may run or not."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from supervisor.adapters.acme.imported_account import Place, place_of, take
from supervisor.adapters.certificates.imported import ImportedStore, holder_of
from supervisor.core.certificates.take_over import (
    Said,
    asked_by,
    file_of,
    issuer_named,
    main_accounts,
    of_certificate,
    used_as,
    why_waiting,
)
from supervisor.kit.helper import HelperError, ask
from supervisor.model.certificate import SUFFIX
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.certificate_status import CertificateStatus
from supervisor.model.client_folders import (
    FoundAccount,
    FoundCertificate,
    ImportedAccount,
    ImportedCertificate,
    ImportReport,
    Known,
    Outcome,
    ReadFolder,
    Reading,
)
from supervisor.model.errors import Retry, Stalled
from supervisor.model.imported import Imported
from supervisor.wiring.environment import Paths, load_settings

_READER = "supervisor.adapters.acme_clients.reading"
_SECONDS = 300.0
"""Thousands of keys take their time on a small machine."""
_LARGEST_ANSWER = 64 << 20


class Taking(msgspec.Struct, kw_only=True):
    """One import."""

    paths: Paths
    settings: CertificateSettings
    reading: Reading
    at: float
    replaces: bool = False
    is_dry_run: bool = False

    async def take(self, path: str, statuses: Sequence[CertificateStatus]) -> ImportReport:
        """Take over what is to be, as certificates stand (`statuses`). Raises Retry or Stalled."""
        store = ImportedStore(self.paths.imported)
        waiting = {one.version: one for one in await store.all()}
        for one in () if self.is_dry_run else waiting.values():
            if one.facts.not_after <= self.at:
                await store.drop(one)
        main = main_accounts(self.reading.accounts)
        accounts = [self._account(one, is_main=one in main) for one in self.reading.accounts]
        certificates = [
            await self._certificate(one, store, waiting, statuses)
            for one in self.reading.certificates
        ]
        return ImportReport(
            path=path,
            clients=self.reading.clients,
            accounts=tuple(accounts),
            certificates=tuple(certificates),
            notes=self.reading.notes,
            is_dry_run=self.is_dry_run,
        )

    def _account(self, found: FoundAccount, *, is_main: bool) -> ImportedAccount:
        folder = self.paths.accounts
        place = place_of(folder, found.directory, found.key)
        said = Said(Outcome.TAKEN)
        if place is Place.THE_SAME:
            said = Said(Outcome.THERE)
        elif not is_main:
            why = "another account of this issuer is taken, and podvisor has one of each"
            said = Said(Outcome.LEFT, why, "--account takes this one")
        elif place is Place.ANOTHER and not self.replaces:
            why = "podvisor has another account there"
            said = Said(Outcome.LEFT, why, "--replace takes this one in its place")
        elif not self.is_dry_run:
            take(folder, found.directory, found.key)
        return ImportedAccount(
            client=found.client,
            path=found.path,
            issuer=issuer_named(found.directory, self.settings),
            directory=found.directory,
            url=found.url,
            email=found.email,
            key_type=found.key_type,
            outcome=said.outcome,
            why=said.why,
            hint=said.hint,
        )

    async def _certificate(
        self,
        found: FoundCertificate,
        store: ImportedStore,
        waiting: dict[str, Imported],
        statuses: Sequence[CertificateStatus],
    ) -> ImportedCertificate:
        facts = found.pair.facts
        one = Imported(
            facts=facts,
            directory=found.directory,
            key_type=found.key_type,
            profile=found.profile,
            digest="",
            source=found.path,
            at=self.at,
            replaces_valid=self.replaces,
        )
        before = waiting.get(one.version)
        issuer = issuer_named(found.directory, self.settings)
        holder = holder_of(self.paths.kept_certificates, one.version)
        said = of_certificate(
            found,
            issuer,
            statuses,
            holder=holder,
            waits=before is not None and (before.replaces_valid or not self.replaces),
            replace=self.replaces,
            now=self.at,
        )
        if said.outcome is Outcome.TAKEN and not self.is_dry_run:
            await store.put(one, found.pair)
        return ImportedCertificate(
            client=found.client,
            path=found.path,
            name=found.name,
            domains=found.domains,
            issuer=issuer,
            key_type=found.key_type,
            serial=facts.serial,
            expires=facts.not_after,
            outcome=said.outcome,
            why=said.why,
            hint=said.hint,
            used_as="" if said.why or said.outcome is not Outcome.THERE else holder,
        )

    def told(
        self, report: ImportReport, statuses: Sequence[CertificateStatus], *, running: bool
    ) -> ImportReport:
        """Return the report with what became of each certificate, as certificates stand now."""
        names = {one.name for one in statuses}
        certificates = []
        for one, found in zip(report.certificates, self.reading.certificates, strict=True):
            told = replace(one, used_as=used_as(found, statuses) or one.used_as)
            taker = asked_by(found, one.issuer, statuses)
            if not (told.used_as or one.why):
                if taker:
                    told = replace(told, why=f"{taker} asks for it")
                else:
                    file, text = file_of(found, one.issuer, names)
                    names.add(file.removesuffix(SUFFIX))
                    why, hint = why_waiting(found, one.issuer, statuses)
                    told = replace(told, file=file, text=text, why=why, hint=hint)
            certificates.append(told)
        return replace(report, certificates=tuple(certificates), running=running)


async def read_folder(
    config: Path, path: Path, *, names: Sequence[str], account: str, at: float
) -> Taking:
    """Read a folder. Raises Stalled if there is nothing in it, or settings are wrong, or Retry."""
    paths, settings = Paths.from_environment(config), _settings(config)
    asked = ReadFolder(
        path=str(path), issuers=_known(settings), names=tuple(names), account=account
    )
    try:
        reading = await ask(
            _READER, asked, Reading, timeout_seconds=_SECONDS, answer_limit=_LARGEST_ANSWER
        )
    except HelperError as error:
        raise Retry(f"cannot read {path}: {error}") from error
    if not reading.clients:
        note = next(iter(reading.notes), None)
        if note:
            raise Stalled(f"cannot read {note.path}: {note.text}", hint=note.hint)
        raise Stalled(
            f"there is nothing in {path} to take over",
            hint="name the folder of certbot (/etc/letsencrypt), of lego (~/.lego) or of Caddy"
            " (~/.local/share/caddy), or one with a key and its chain in PEM: privkey.pem and"
            " fullchain.pem, tls.key and tls.crt, NAME.key and NAME.crt, NAME-key.pem and NAME.pem,"
            " or both in one file",
        )
    return Taking(paths=paths, settings=settings, reading=reading, at=at)


def _settings(config: Path) -> CertificateSettings:
    reading = load_settings(config)
    if reading.settings:
        return reading.settings.certificates
    if not config.exists():
        return CertificateSettings()
    raise Stalled(f"the settings are refused: {reading.findings[0]}", hint="mend them first")


def _known(settings: CertificateSettings) -> tuple[Known, ...]:
    found = []
    for name in settings.known_issuers:
        one = settings.issuer_of(name)
        if one and one.directory:
            found.append(Known(name=name, directory=one.directory, trust=_trust(one.trust)))
    return tuple(found)


def _trust(place: str) -> str:
    path = Path(place).expanduser()
    try:
        return path.read_text() if place else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Stalled(f"cannot read {path}, of the settings: {error}", hint="mend that") from error
