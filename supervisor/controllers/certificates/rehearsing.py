"""Tries what an order would come to, for who asks; nothing of it is installed, kept or counted.

What an issuer and DNS have to say is looked at by a process that ends (`Issuer.rehearse`).
"""

from collections.abc import Mapping

import msgspec

from supervisor.controllers.certificates import serving
from supervisor.controllers.certificates.asked import AskedCertificates
from supervisor.controllers.certificates.issuing import Issuing
from supervisor.controllers.certificates.memory import CertificateMemory
from supervisor.controllers.certificates.orders import Orders
from supervisor.controllers.certificates.secrets import CertificateSecrets
from supervisor.controllers.ports import TlsLook
from supervisor.core.certificates.rehearsal import of_app, of_findings, settled
from supervisor.core.certificates.unknown import unknown
from supervisor.core.plan.certificates import Described
from supervisor.model.app import Deployment
from supervisor.model.certificate import INTERNAL, SUFFIX, DesiredCertificate
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.rehearsal import (
    Check,
    CheckState,
    Rehearsal,
    RehearsalReport,
    RehearsalRequest,
    Rehearsed,
)


class Rehearsals(msgspec.Struct, frozen=True, kw_only=True):
    """Has certificates tried."""

    asked: AskedCertificates
    issuing: Issuing
    orders: Orders
    memory: CertificateMemory
    tls: TlsLook
    secrets: CertificateSecrets

    async def rehearse(self, request: RehearsalRequest) -> RehearsalReport:
        """Try one. Raises Stalled if no app asks for it, and Retry while it is being ordered."""
        deployments = self.asked.desired_state.latest()
        described = self._described(request.name, deployments)
        if described is None:
            return self._refused_file(request.name, deployments)
        certificate = described.certificate
        checks = self._of_file(described, deployments)
        issuer, tried_at, found = certificate.terms.issuer, "", Rehearsed(checks=())
        if issuer == INTERNAL:
            checks.append(await self._authority(certificate))
        else:
            if self.issuing.is_at_work(certificate.terms):
                why = f"cannot try {request.name}: it is being ordered, or tried, just now"
                raise Retry(why, f"try again once that is done: podvisor certs show {request.name}")
            tried_at, found = await self._tried(certificate, request.issuer)
        checks += settled(found.checks, is_issued=found.is_issued)
        checks.append(await self._folder(certificate))
        checks += await self._secrets(certificate)
        checks.append(self._users(request.name))
        checks += [await self._served(certificate, url) for url in certificate.check]
        return RehearsalReport(
            name=request.name,
            issuer=issuer,
            tried_at=tried_at,
            checks=tuple(checks),
            records=found.records,
        )

    def _described(self, name: str, deployments: Mapping[str, Deployment]) -> Described | None:
        """Return what its file asks for now: of an app that is refused, not what stays of it."""
        known = self.asked.by_name.get(name)
        if known and not _is_refused(deployments.get(known.app)):
            return known
        refused = [app for app, one in deployments.items() if _is_refused(one)]
        asked = [self.asked.newest(app) for app in ([known.app] if known else refused)]
        return next((some[name] for some in asked if name in some), None)

    def _refused_file(self, name: str, deployments: Mapping[str, Deployment]) -> RehearsalReport:
        """Say what is wrong in a file of that name that was not understood."""
        path = f"{name}{SUFFIX}"
        checks = [
            check
            for one in deployments.values()
            for check in of_findings((*one.findings, *one.refusal), path)
        ]
        if not checks:
            raise Stalled(*unknown(name, [*self.asked.by_name]))
        return RehearsalReport(name=name, issuer="", checks=tuple(checks))

    def _of_file(self, described: Described, deployments: Mapping[str, Deployment]) -> list[Check]:
        one, path = deployments.get(described.app), described.certificate.path
        if one is None:
            return []
        found = (*one.findings, *one.refusal)
        checks = of_findings(found, path)
        if not checks:
            app = self.asked.desired_state.newest(one.name) or one.wanted or one.last_good
            about = app.source_path(path) if app else path
            checks = [Check(what="file", about=about, message="it is understood")]
        if _is_refused(one) and not any(check.state is CheckState.WRONG for check in checks):
            checks += of_app(one.name, found)
        return checks

    async def _tried(self, certificate: DesiredCertificate, at: str) -> tuple[str, Rehearsed]:
        """Return the name of the issuer at which it was tried, and what came of it."""
        try:
            order = await self.orders.order(certificate)
            staging = await self.orders.staging(certificate.terms, at)
        except Failure as failure:
            if at:
                raise
            check = _wrong("issuer", certificate.terms.issuer, failure)
            return "", Rehearsed(checks=(check,))
        found = await self.issuing.rehearse(Rehearsal(order=order, staging=staging))
        return staging.name if staging else "", found

    async def _authority(self, certificate: DesiredCertificate) -> Check:
        try:
            await self.issuing.authority.may_sign(certificate.terms)
        except Failure as failure:
            return _wrong("authority", INTERNAL, failure)
        names = " ".join(certificate.terms.domains)
        message = f"podvisor's own authority may sign for {names}"
        return Check(what="authority", about=INTERNAL, message=message)

    async def _folder(self, certificate: DesiredCertificate) -> Check:
        files = self.issuing.files
        place = files.place(certificate)
        try:
            await files.check(certificate)
        except Failure as failure:
            return _wrong("folder", place, failure)
        return Check(what="folder", about=place, message="it can be installed there")

    async def _secrets(self, certificate: DesiredCertificate) -> list[Check]:
        names = " ".join(certificate.podman_secrets)
        if not names:
            return []
        try:
            await self.secrets.check(certificate)
        except Failure as failure:
            return [_wrong("secrets", names, failure)]
        return [Check(what="secrets", about=names, message="podvisor may make them")]

    def _users(self, name: str) -> Check:
        if units := self.asked.units(name):
            return Check(what="users", about=name, message=f"used by {' '.join(units)}")
        return Check(
            what="users",
            about=name,
            state=CheckState.UNSURE,
            message="no unit of an app uses it",
            hint="have one mount its folder, or name units by Reload= or Restart=",
        )

    async def _served(self, certificate: DesiredCertificate, url: str) -> Check:
        """Look what a server of `Check=` serves now; it may be one that is yet to start."""
        record = self.memory.of(certificate.name)
        look = await serving.look_at(self.tls, url, certificate, record)
        has_none = record.current is None or record.current.standin
        if not look.unserved:
            message = "it serves the certificate that is installed"
            return Check(what="served", about=url, message=message)
        place = self.issuing.files.place(certificate)
        # The address stands before it.
        why = look.unserved.removeprefix(f"cannot look at what {url} serves: ")
        why = why.replace(f"{url} serves", "it serves", 1)
        return Check(
            what="served",
            about=url,
            state=CheckState.UNSURE if has_none else CheckState.WRONG,
            message=f"{why}; there is none of its issuer yet" if has_none else why,
            hint=f"have it serve what is in {place}, and take that up, or have Check= name another"
            if look.is_answered
            else "have what serves it listen there, or have Check= name where it does",
        )


def _is_refused(one: Deployment | None) -> bool:
    """Whether its newest files are kept out."""
    return one is not None and bool(one.refusal or (one.findings and one.wanted is None))


def _wrong(what: str, about: str, failure: Failure) -> Check:
    return Check(
        what=what, about=about, state=CheckState.WRONG, message=str(failure), hint=failure.hint
    )
