"""What would be done about certificates now, as steps of a plan; nothing is done.

Serves `controllers.operator.preview`. The certificates' own passes decide anew, by the same rule.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from supervisor.controllers.certificates.secrets import secrets_without
from supervisor.controllers.certificates.spares import kept_spare
from supervisor.controllers.ports import CertificateFiles, ImportedCertificates, Ledger, Podman
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.certificates import records
from supervisor.core.certificates.next_step import next_step_by
from supervisor.core.certificates.order_reason import order_reason
from supervisor.core.certificates.seen import Seen
from supervisor.core.certificates.spare import is_wanted, spares
from supervisor.core.certificates.steps import (
    InstallAgain,
    MakeSecrets,
    OrderOne,
    StandIn,
    TakeImported,
    TakeSpare,
    TryAgain,
)
from supervisor.core.plan.certificates import described, only_ways_back
from supervisor.kit.clock import Clock
from supervisor.model.app import Deployment
from supervisor.model.certificate import CertificateRecord, DesiredCertificate
from supervisor.model.errors import Failure
from supervisor.model.need import Need, NeedKind
from supervisor.model.plan import InstallCertificate, OrderCertificate, Plan, Step

_NOTHING = CertificateRecord()


class CertificateForecast(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    ledger: Ledger
    clock: Clock
    files: CertificateFiles
    imported: ImportedCertificates
    podman: Podman
    settings: CurrentSettings

    async def add_to(
        self, plan: Plan, deployments: Mapping[str, Deployment], *, apps: Collection[str]
    ) -> Plan:
        """Return a plan with what would be done about the certificates that these apps ask for."""
        known = self.ledger.all(CertificateRecord)
        asked = described(deployments.values())
        left = asked.keys() - only_ways_back(deployments.values())
        unasked = {name: one for name, one in known.items() if name not in left}
        steps: list[Step] = []
        needs: dict[str, list[Need]] = {}
        for _, one in sorted(asked.items()):
            if one.app not in apps:
                continue
            found = await self._next(one.app, one.certificate, known, unasked)
            if isinstance(found, Need):
                needs.setdefault(one.app, []).append(found)
            elif found:
                steps.append(found)
        verdicts = tuple(
            replace(one, waiting=_with(one.waiting, needs[one.app])) if one.app in needs else one
            for one in plan.verdicts
        )
        return replace(plan, steps=(*steps, *plan.steps), verdicts=verdicts)

    async def _next(
        self,
        app: str,
        certificate: DesiredCertificate,
        known: Mapping[str, CertificateRecord],
        unasked: Mapping[str, CertificateRecord],
    ) -> Step | Need | None:
        name, now = certificate.name, self.clock.now()
        record = known.get(name, _NOTHING)
        if record.ready and records.same_terms(record.ready.terms, certificate.terms):
            return InstallCertificate(app=app, certificate=name, reason="it was issued")
        seen = await self._see(app, certificate, record)
        if is_wanted(certificate, record, now):
            with suppress(Failure):
                found = spares(certificate, record, unasked, now)
                seen = replace(seen, spare=await kept_spare(self.files, found))
        step = next_step_by(
            self.settings.now.certificates,
            # Who takes it up, and what is served, is no matter here.
            replace(certificate, check=()),
            records.served(record),
            seen,
            now,
            others=(one for other, one in known.items() if other != name),
        )
        match step:
            case OrderOne():
                return OrderCertificate(app=app, certificate=name, reason=step.reason)
            case StandIn():
                why = f"{step.reason}; a self-signed one takes its place until then"
                return OrderCertificate(app=app, certificate=name, reason=why)
            case InstallAgain() | TakeImported() | TakeSpare() | MakeSecrets() | TryAgain():
                return InstallCertificate(app=app, certificate=name, reason=step.reason)
        lost = not (seen.kept or seen.installed)
        if order_reason(certificate, record, now, lost=lost) is None:
            return None
        return Need(
            kind=NeedKind.CERTIFICATE,
            subject=name,
            text=f"certificate {name}",
            detail=step.reason,
        )

    async def _see(
        self, app: str, certificate: DesiredCertificate, record: CertificateRecord
    ) -> Seen:
        """Look at its files and secrets; what cannot be read counts as being well."""
        seen, current = Seen(folder=self.files.place(certificate)), record.current
        with suppress(Failure):
            seen = replace(seen, imported=await self.imported.all())
        if current is None:
            return seen
        kept = installed = True
        with suppress(Failure):
            kept = await self.files.kept(certificate.name, current) is not None
            installed = await self.files.is_installed(certificate, current)
        with suppress(Failure):
            lacking = await secrets_without(self.podman, certificate, current, app=app)
            seen = replace(seen, secrets=lacking)
        return replace(seen, kept=kept, installed=installed)


def _with(waiting: tuple[Need, ...], needs: Collection[Need]) -> tuple[Need, ...]:
    """Add needs; of what is waited for already it is said what these say of it."""
    news = {need.subject: need for need in needs}
    said = tuple(
        replace(one, detail=news.pop(one.subject).detail)
        if one.kind is NeedKind.CERTIFICATE and one.subject in news
        else one
        for one in waiting
    )
    return (*said, *news.values())
