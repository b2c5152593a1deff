"""What an issuer is asked for: from a `.certificate` file, the settings, and what these refer to.

Secrets and files are read anew for each order, and are nowhere but in it.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from supervisor.controllers.ports import Aside, Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.certificates.limits import limits_of
from supervisor.model.acme import AcmeIssuer, Order, OrderFolders, ZoneAccess
from supervisor.model.certificate import CertificateTerms, Challenge, DesiredCertificate
from supervisor.model.certificate_settings import STAGING, IssuerSettings, ZoneSettings
from supervisor.model.errors import Failure, NotAllowed, Stalled

_IN_A_THREAD = 1_000
"""A disk may be slow, or somebody else's: the event loop does not wait for it."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Puts orders together."""

    settings: CurrentSettings
    secrets: Secrets
    aside: Aside
    folders: OrderFolders

    async def order(
        self, certificate: DesiredCertificate, *, key: str = "", replaces: str = ""
    ) -> Order:
        """Return an order; `key` and `replaces` as of `Order`. Raises Retry or Stalled."""
        settings = self.settings.now.certificates
        over_tls = certificate.challenge is Challenge.TLS_ALPN
        over_http = certificate.challenge is Challenge.HTTP
        webroot = settings.webroot if over_http else ""
        listen = settings.tls_listen if over_tls else settings.http_listen if over_http else ""
        return Order(
            name=certificate.name,
            folder=f"{self.folders.kept}/{certificate.name}",
            accounts=self.folders.accounts,
            issuer=await self.issuer(certificate.terms),
            terms=certificate.terms,
            challenge=certificate.challenge,
            key=key,
            replaces=replaces,
            listen="" if webroot else listen,
            webroot=_path(webroot),
            zones=await self._zones(certificate),
            resolvers=settings.resolvers,
            timeout_seconds=float(settings.timeout),
        )

    async def issuer(self, terms: CertificateTerms) -> AcmeIssuer:
        """Return who issues by these terms, with what proves who asks. Raises Retry or Stalled."""
        name, settings = terms.issuer, self.settings.now.certificates
        one = settings.issuer_of(name)
        if one is None or not one.directory:
            raise self._unknown(name)
        return await self._described(name, one)

    async def staging(self, terms: CertificateTerms, name: str = "") -> AcmeIssuer | None:
        """Return the issuer at which an order by these terms is tried, or the one of a name.

        None where there is none. Raises Retry or Stalled.
        """
        settings = self.settings.now.certificates
        if not name:
            found = settings.staging_of(terms.issuer)
            return await self._described(*found) if found else None
        one = settings.issuer_of(name)
        if one is None or not one.directory:
            raise self._unknown(name)
        if limits_of(name, one.directory).certificates:
            raise Stalled(
                f"cannot try an order at {name}: what it issues counts against its limits",
                hint=f"leave --issuer out: {STAGING} is for that",
            )
        return await self._described(name, one)

    def _unknown(self, name: str) -> NotAllowed:
        known = self.settings.now.certificates.known_issuers
        return NotAllowed(
            f"cannot ask the issuer {name}: the settings describe none of this name",
            hint=f"[certificates.issuers.{name}] with `directory`; or Issuer= one of"
            f" {', '.join(known)}",
        )

    async def _described(self, name: str, one: IssuerSettings) -> AcmeIssuer:
        return AcmeIssuer(
            name=name,
            directory=one.directory,
            email=one.email,
            authority=await self._text(one.authority, f"“authority” of issuer {name}"),
            trust=await self._text(one.trust, f"“trust” of issuer {name}"),
            key_id=one.eab_key_id,
            key=await self._key(name, one),
            chain=one.chain,
        )

    async def plain_issuer(self, name: str) -> AcmeIssuer | None:
        """Return an issuer for what needs no account: only what reaches it. Raises Stalled."""
        one = self.settings.now.certificates.issuer_of(name)
        if one is None or not one.directory:
            return None
        authority = await self._text(one.authority, f"“authority” of issuer {name}")
        return AcmeIssuer(name=name, directory=one.directory, authority=authority)

    async def _key(self, name: str, issuer: IssuerSettings) -> str:
        if not issuer.eab_key:
            return ""
        try:
            return (await self.secrets.read(issuer.eab_key)).decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise Stalled(
                f"cannot use “eab_key” of issuer {name}: it is no base64url",
                hint="put it there as the issuer gave it out",
            ) from error

    async def _zones(self, certificate: DesiredCertificate) -> tuple[ZoneAccess, ...]:
        """Return the zones, those that fit its domains first.

        Any domain may be delegated to any of them (by a CNAME), also one that a zone fits; so a
        secret that cannot be read matters only where its zone fits, or there is no other.
        """
        zones = self.settings.now.certificates.zones
        if certificate.challenge is not Challenge.DNS or not zones:
            return ()
        fitting = _fitting(certificate.terms.domains, zones)
        access = {name: await self._access(name, zones[name]) for name in fitting}
        failures: list[Failure] = []
        for name in (one for one in zones if one not in access):
            try:
                access[name] = await self._access(name, zones[name])
            except Failure as failure:
                failures.append(failure)
        if failures and not access:
            raise failures[0]
        return tuple(access.values())

    async def _access(self, name: str, zone: ZoneSettings) -> ZoneAccess:
        secret = ""
        if zone.secret:
            try:
                secret = (await self.secrets.read(zone.secret)).decode()
            except UnicodeDecodeError as error:
                raise Stalled(
                    f"cannot use “secret” of zone {name}: it is no text",
                    hint="the key in base64, or lines of OPTION=VALUE",
                ) from error
        return ZoneAccess(
            zone=name,
            provider=zone.provider,
            server=zone.server,
            key_name=zone.key_name,
            key_algorithm=zone.key_algorithm,
            secret=secret,
            hook=_path(zone.hook),
            propagation_seconds=float(zone.propagation),
        )

    async def _text(self, place: str, what: str) -> str:
        """Read a PEM file; nothing where none is named. Raises Stalled."""
        if not place:
            return ""
        path = _path(place)
        try:
            text = await self.aside(lambda: Path(path).read_text("utf-8"), items=_IN_A_THREAD)
        except OSError as error:
            raise Stalled(
                f"cannot read {path}, {what}: {error.strerror}", hint="put the PEM file there"
            ) from error
        except UnicodeDecodeError as error:
            raise Stalled(f"cannot use {path}, {what}: it is no PEM", hint="name a PEM file") from (
                error
            )
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise Stalled(f"cannot use {path}, {what}: it is no PEM", hint="name a PEM file")
        return text


def _fitting(domains: Iterable[str], zones: Iterable[str]) -> list[str]:
    """Return the zones in which, or below which, one of these domains is."""
    names = [domain.removeprefix("*.") for domain in domains]
    return [zone for zone in zones if any(one == zone or one.endswith(f".{zone}") for one in names)]


def _path(place: str) -> str:
    return str(Path(place).expanduser()) if place else ""
