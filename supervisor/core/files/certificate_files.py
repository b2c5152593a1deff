"""An app's `.certificate` files: what they ask for, and what in them means nothing.

What only one issuer allows is in `core.files.certificate_limits`.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.certificate_limits import beyond_limits
from supervisor.core.files.certificate_secrets import clashes, secret_name
from supervisor.core.files.described import Described, OwnKind, described
from supervisor.core.files.domains import WILDCARD, is_address, parse_domain
from supervisor.core.files.key_access import parse_mode, parse_owner, too_open
from supervisor.core.files.source_paths import is_below
from supervisor.core.files.unitfile import Entry, Refused, boolean, split_words
from supervisor.kit.texts import meant, one_line
from supervisor.model.certificate import (
    INTERNAL,
    SUFFIX,
    CertificateTerms,
    Challenge,
    DesiredCertificate,
    KeyType,
)
from supervisor.model.certificate_settings import CertificateSettings
from supervisor.model.errors import Finding
from supervisor.model.secret import DesiredSecret

CERTIFICATES = OwnKind(
    suffix=SUFFIX,
    section="Certificate",
    keys=(
        "Domain",
        "Issuer",
        "Profile",
        "Challenge",
        "KeyType",
        "ReuseKey",
        "Directory",
        "Mode",
        "Owner",
        "Secret",
        "Reload",
        "Restart",
        "Standin",
        "Check",
    ),
    sign=re.compile(r"^\s*(?:Domain|Issuer|Challenge)\s*=", re.MULTILINE),
    what="certificate",
    has="Domain=",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_ISSUER = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
_LARGEST_PORT = 65_535
_Value = TypeVar("_Value")
_Word = TypeVar("_Word", bound=StrEnum)


class HostFolders(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are on this host. Absolute, without final `/`."""

    home: str
    apps: str
    """Where apps are installed, each in a folder of its own."""
    certificates: str
    """Podvisor's own place of certificates, each in a folder of its own."""
    sources: tuple[str, ...] = ()
    """Folders that are sources: what is in them is kept in Git, and tells of a change."""
    real: Callable[[str], str] = str
    """Returns a path without the links on its way."""

    def with_sources(self, folders: Iterable[str]) -> "HostFolders":
        """Return it with the folders of the sources, as the settings write them."""
        sources = (directory_of(one, self.home) for one in folders if one)
        return msgspec.structs.replace(self, sources=tuple(sources))


def is_certificate(path: str) -> bool:
    """Whether a relative path is that of a file that describes a certificate."""
    return CERTIFICATES.is_kind_of(path)


def read_certificate_files(
    files: AppFiles,
    settings: CertificateSettings,
    folders: HostFolders,
    secrets: Sequence[DesiredSecret] = (),
) -> tuple[tuple[DesiredCertificate, ...], tuple[Finding, ...]]:
    """Return the app's certificates, as far as they are understood, and what was found.

    `secrets` are what its `.secret` files describe.
    """
    certificates: dict[str, DesiredCertificate] = {}
    findings: list[Finding] = []
    for one in described(CERTIFICATES, files, findings):
        reading = _Reading(one, files, settings, folders)
        certificate = reading.read()
        findings.extend(sorted(reading.findings, key=lambda found: found.line))
        if certificate is None:
            continue
        place = certificate.directory
        for other in certificates.values():
            message = hint = ""
            if other.name == certificate.name:
                message = f"{other.path} and {one.path} both make the certificate {other.name}"
                hint = "rename one of them: a certificate is called as its file"
            elif place and other.directory == place:
                message = f"{other.path} and {one.path} are both installed in {place}"
                hint = "give each a folder of its own"
            if message:
                at = one.last("Directory") if other.name != certificate.name else None
                findings.append(files.finding(message, at=at, path=one.path, hint=hint))
        for secret, line, path in clashes(certificate, (*secrets, *certificates.values())):
            message = f"{path} and {one.path} both make the secret {secret}"
            hint = "give Secret= another name"
            findings.append(files.finding(message, path=one.path, line=line, hint=hint))
        certificates.setdefault(certificate.name, certificate)
    return tuple(certificates.values()), tuple(findings)


def directory_of(text: str, home: str) -> str:
    """Return `Directory=` as an absolute path; what is none stays as it is."""
    for mark in ("~", "%h"):
        if text == mark or text.startswith(f"{mark}/"):
            text = home + text.removeprefix(mark)
    return posixpath.normpath(text) if text.startswith("/") else text


class _Reading:
    """Reads one file; what is wrong in it is told of all together."""

    def __init__(
        self,
        one: Described,
        files: AppFiles,
        settings: CertificateSettings,
        folders: HostFolders,
    ) -> None:
        self.findings: list[Finding] = []
        self._one = one
        self._files = files
        self._settings = settings
        self._folders = folders
        self._said: dict[Entry, str] = {}

    def read(self) -> DesiredCertificate | None:
        """Return what it asks for; None if that means nothing."""
        name = self._one.stem
        if not self._one.has_section:
            self._refuse("it has no [Certificate] section", "write [Certificate], and Domain=")
        elif not _NAME.fullmatch(name):
            hint = "use letters, digits, '.', '_' and '-', a letter or digit first"
            self._refuse(f"{one_line(name)} cannot name a certificate", hint)
        issuer = self._value("Issuer", _issuer, self._settings.issuer)
        reload, restart = self._units("Reload"), self._units("Restart")
        secrets = self._secrets()
        certificate = DesiredCertificate(
            name=name,
            path=self._one.path,
            line=next((entry.line for entry in self._one.all("Domain")), 0),
            terms=CertificateTerms(
                domains=self._domains(),
                issuer=issuer,
                profile=self._value("Profile", _profile, ""),
                key_type=self._value("KeyType", _one_of(KeyType), KeyType.ECDSA_P256),
            ),
            challenge=self._value("Challenge", _one_of(Challenge), Challenge.HTTP),
            reuse_key=self._boolean("ReuseKey"),
            directory=self._value("Directory", self._directory, ""),
            mode=self._value("Mode", parse_mode, 0o600),
            owner=self._value("Owner", parse_owner, None),
            secrets=tuple(secrets),
            secret_lines=tuple(secrets.values()),
            reload=tuple(reload),
            restart=tuple(restart),
            unit_lines=(*reload.values(), *restart.values()),
            standin=self._boolean("Standin"),
            check=self._checks(),
        )
        if message := too_open(certificate.mode):
            hint = "0600 is for you alone, with 0640 your group can read it"
            self._warn(message, self._one.last("Mode"), hint)
        self._judge_issuer(certificate)
        if issuer != INTERNAL:
            self._judge_challenge(certificate.challenge)
        return None if any(one.fatal for one in self.findings) else certificate

    def _judge_issuer(self, certificate: DesiredCertificate) -> None:
        """Judge what is asked for by what its issuer has."""
        terms, at = certificate.terms, self._one.last("Issuer")
        if terms.issuer == INTERNAL:
            for key in ("Profile", "Challenge"):
                if entry := self._one.last(key):
                    message = f"{key}= does nothing for {INTERNAL}"
                    self._warn(message, entry, "podvisor's own authority asks for no proof")
        elif terms.issuer not in (known := self._settings.known_issuers):
            hint = meant(terms.issuer, known, f"describe it: [certificates.issuers.{terms.issuer}]")
            message = f"the settings of this host have no issuer {terms.issuer}"
            self._warn(message, at, hint)
        places = {domain: entry for entry, domain in self._said.items()}
        for problem in beyond_limits(terms, has_authority=bool(self._settings.internal_key)):
            at = self._one.last("Profile") or at
            at = places.get(problem.domain, at) if problem.domain else at
            at = at or next(iter(self._one.all("Domain")), None)
            if problem.fatal:
                self._refuse(problem.message, problem.hint, at)
            else:
                self._warn(problem.message, at, problem.hint)

    def _judge_challenge(self, challenge: Challenge) -> None:
        at = self._one.last("Challenge")
        for entry, domain in self._said.items():
            if domain.startswith(WILDCARD) and not challenge.is_of_dns:
                message = f"{domain} cannot be proven by {challenge}"
                self._refuse(
                    message,
                    "write Challenge=dns-01, or dns-persist-01: no other proves a wildcard",
                    at or entry,
                )
            elif is_address(domain) and challenge.is_of_dns:
                message = f"the address {domain} cannot be proven by {challenge}"
                hint = "write http-01 or tls-alpn-01; for names beside it, a file of their own"
                self._refuse(message, hint, at or entry)

    def _domains(self) -> tuple[str, ...]:
        """Return the domains, each once, and remember where each stands."""
        entries = self._one.all("Domain")
        for entry in entries:
            try:
                domain = parse_domain(entry.value)
            except Refused as refused:
                self._refuse(str(refused), refused.hint, entry)
                continue
            if domain in self._said.values():
                self._warn(f"Domain={domain} stands there twice", entry, "leave out one of them")
            else:
                self._said[entry] = domain
        if not entries and self._one.has_section:
            self._refuse("it does not say for which domain", "write Domain=www.example.org")
        return tuple(self._said.values())

    def _directory(self, text: str) -> str:
        path = directory_of(text, self._folders.home)
        if not path.isprintable() or "%" in path:
            raise Refused("Directory= cannot be that", "write an absolute path, or one from ~/")
        if not path.startswith("/"):
            hint = f"write it from the root, or ~/{path.removeprefix('./')}"
            raise Refused(f"Directory={one_line(text)} is relative", hint)
        if path.strip("/") == "":
            raise Refused("Directory= is the root of all files", "name a folder of its own")
        if is_below(path, self._folders.apps):
            hint = "what is there comes from the source alone: name a folder elsewhere"
            raise Refused(f"Directory={one_line(text)} is a folder of podvisor's apps", hint)
        for source in self._folders.sources:
            if is_below(self._folders.real(path), self._folders.real(source)):
                message = f"Directory={one_line(text)} is in {source}, which is a source of apps"
                raise Refused(
                    message, "its keys would become files of apps: name a folder elsewhere"
                )
        if is_below(path, self._folders.certificates):
            hint = f"leave it out: then it is {self._folders.certificates}/{self._one.stem}"
            raise Refused(f"Directory={one_line(text)} is podvisor's own place", hint)
        return path

    def _units(self, key: str) -> dict[str, int]:
        """Return the units that a key names, each with the line of its first mention."""
        units: dict[str, int] = {}
        for entry in self._one.all(key):
            for word in split_words(entry.value):
                if not _UNIT.fullmatch(word):
                    hint = f"write {key}=web.service"
                    self._refuse(f"{key}= names no unit", hint, entry)
                else:
                    units.setdefault(word if "." in word else f"{word}.service", entry.line)
        return units

    def _secrets(self) -> dict[str, int]:
        """Return what its Podman secrets are called, each with the line of its first mention."""
        secrets: dict[str, int] = {}
        for entry in self._one.all("Secret"):
            try:
                secrets.setdefault(secret_name(entry.value), entry.line)
            except Refused as refused:
                self._refuse(str(refused), refused.hint, entry)
        return secrets

    def _checks(self) -> tuple[str, ...]:
        checks: dict[str, None] = {}
        for entry in self._one.all("Check"):
            try:
                checks[_server(entry.value)] = None
            except Refused as refused:
                self._refuse(str(refused), refused.hint, entry)
        return tuple(checks)

    def _value(self, key: str, parse: Callable[[str], _Value], default: _Value) -> _Value:
        entry = self._one.last(key)
        if entry is None:
            return default
        try:
            return parse(entry.value)
        except Refused as refused:
            self._refuse(str(refused), refused.hint, entry)
            return default

    def _boolean(self, key: str) -> bool:
        entry = self._one.last(key)
        value = boolean(entry.value) if entry else False
        if value is None:
            self._refuse(f"{key}= is neither yes nor no", "write yes or no", entry)
        return bool(value)

    def _refuse(self, message: str, hint: str, at: Entry | None = None) -> None:
        path = self._one.path
        self.findings.append(self._files.finding(message, at=at, path=path, hint=hint))

    def _warn(self, message: str, at: Entry | None, hint: str) -> None:
        path = self._one.path
        finding = self._files.finding(message, at=at, path=path, hint=hint, fatal=False)
        self.findings.append(finding)


def _issuer(text: str) -> str:
    if not _ISSUER.fullmatch(text):
        hint = "letsencrypt, letsencrypt-staging, internal, or one of the settings"
        raise Refused(f"Issuer={one_line(text, 60)} cannot be an issuer", hint)
    return text


def _profile(text: str) -> str:
    if not _PROFILE.fullmatch(text):
        raise Refused(f"Profile={one_line(text, 60)} cannot be a profile", "ask the issuer for one")
    return text


def _one_of(words: type[_Word]) -> Callable[[str], _Word]:
    def parse(text: str) -> _Word:
        try:
            return words(text)
        except ValueError:
            hint = meant(text, [one.value for one in words])
            raise Refused(f"{words.__name__}={one_line(text, 60)} is not known", hint) from None

    return parse


def _server(text: str) -> str:
    """Return `https://HOST:PORT`. Raises Refused."""
    shown = f"Check={one_line(text, 60)}"
    hint = "write https://HOST or https://HOST:PORT"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
    except ValueError as error:
        raise Refused(f"{shown} is no URL: {one_line(str(error))}", hint) from None
    if parts.scheme != "https" or not host:
        raise Refused(f"{shown} is no URL of a server with TLS", hint)
    if parts.username is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise Refused(f"{shown} names more than a server: only a connection is opened", hint)
    if not 0 < port <= _LARGEST_PORT:
        raise Refused(f"{shown} has no port that a server can have", hint)
    domain = parse_domain(host)
    if domain.startswith(WILDCARD):
        raise Refused(f"{shown} names no single server", hint)
    return f"https://[{domain}]:{port}" if ":" in domain else f"https://{domain}:{port}"
