"""Certificates: what an app asks for, and what was issued.

A `.certificate` file asks (`DesiredCertificate`); what was issued and installed, and what became of
it, is in the ledger (`CertificateRecord`). Keys and chains are in files, and nowhere here.
"""

import enum
from collections.abc import Iterator

import msgspec

from supervisor.model.certificate_secret import secrets_of

SUFFIX = ".certificate"
INTERNAL = "internal"
"""The issuer that is podvisor's own authority."""
FILES = ("privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "combined.pem")
"""What is installed: the key; the certificate; those between it and the root; both of these, the
certificate first; and all of it, the key first."""


ANEW = "+"
"""At the end of a version (`CertificateRecord.version`): its users are to be started anew."""
OF_FOLDER = "."
"""Before the number of its folder, in a version: whoever had another one is started anew."""


class Challenge(enum.StrEnum):
    """How a name is proven to be ours (RFC 8555, section 8; RFC 8737)."""

    HTTP = "http-01"
    DNS = "dns-01"
    TLS_ALPN = "tls-alpn-01"
    DNS_PERSIST = "dns-persist-01"
    """By a record that people write, and that stays (draft-ietf-acme-dns-persist)."""

    @property
    def is_of_dns(self) -> bool:
        """Whether it is DNS that proves it, not who answers at an address."""
        return self in (Challenge.DNS, Challenge.DNS_PERSIST)


class KeyType(enum.StrEnum):
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_4096 = "rsa-4096"


class CertificateTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a certificate is made of: with other terms, it is another one."""

    domains: tuple[str, ...]
    """Names in the form that certificates have (A-labels, lower case, `*.` first), and IP addresses
    in their canonical form; in the order of the file, none twice."""
    issuer: str = "letsencrypt"
    profile: str = ""
    """Of the issuer's; empty is the issuer's choice."""
    key_type: KeyType = KeyType.ECDSA_P256


class DesiredCertificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One `.certificate` file, understood."""

    name: str
    """Of the file, without its suffix; no other app has one of this name."""
    path: str
    """Of the file, relative to the app's root."""
    line: int = 0
    """Of the first `Domain=`."""
    terms: CertificateTerms
    challenge: Challenge = Challenge.HTTP
    reuse_key: bool = False
    """`ReuseKey=yes`: the next one has the key of this one."""
    directory: str = ""
    """Absolute path in which it is installed; empty is podvisor's own place."""
    mode: int = 0o600
    """Of the files that hold the key."""
    owner: tuple[int, int] | None = None
    """User and group that these belong to, as the user's containers have them; None is the user."""
    secrets: tuple[str, ...] = ()
    """What the Podman secrets are called that hold it too, without their endings."""
    secret_lines: tuple[int, ...] = ()
    """Where each of these stands in the file."""
    reload: tuple[str, ...] = ()
    """Units that take up another one when they are reloaded, by name."""
    restart: tuple[str, ...] = ()
    """Units that are restarted for another one."""
    unit_lines: tuple[int, ...] = ()
    """Where each of these stands in the file, those of `reload` first."""
    standin: bool = False
    """`Standin=yes`: until there is one, a self-signed one takes its place."""
    check: tuple[str, ...] = ()
    """`https://HOST:PORT` of servers that have to serve it."""

    @property
    def manner(self) -> str:
        """Tells where it is installed, in which mode and whose, from any other way."""
        return f"{self.directory} {self.mode:04o} {self.owner or ''}"

    @property
    def way(self) -> str:
        """Tells how it is installed and taken up from any other way."""
        return " ".join((self.manner, *self.secrets, "-", *self.reload, "-", *self.restart))

    @property
    def podman_secrets(self) -> dict[str, int]:
        """The Podman secrets that hold it too, each with its line."""
        lines = self.secret_lines or (self.line,) * len(self.secrets)
        pairs = zip(self.secrets, lines, strict=True)
        return {secret: line for name, line in pairs for secret in secrets_of(name)}

    @property
    def named_units(self) -> Iterator[tuple[str, str, int]]:
        """Units that `Reload=` and `Restart=` name, each with the key and its line."""
        named = [("Reload", unit) for unit in self.reload]
        named += [("Restart", unit) for unit in self.restart]
        lines = self.unit_lines or (self.line,) * len(named)
        for (key, unit), line in zip(named, lines, strict=True):
            yield key, unit, line


class CertificateUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unit's need for a certificate."""

    name: str
    """Of the certificate."""
    fixed: bool = False
    """Whether it sees another one only when it is started anew: a file of it is mounted by itself,
    a Podman secret holds it, or its `.certificate` says `Restart=`."""
    own_place: bool = False
    """Whether it names podvisor's own place of it, where `Directory=` may not have it."""
    secrets: tuple[str, ...] = ()
    """Podman secrets that hold it, and that the unit names."""
    path: str = ""
    """Of the file that says so, relative to the app's root."""
    line: int = 0
    instance: str = ""
    """Of a template: the one of its instances that does; empty if all do."""


def uses_of_instance(uses: tuple[CertificateUse, ...], instance: str) -> tuple[CertificateUse, ...]:
    """Return those of an instance of a template, and those of all."""
    return tuple(use for use in uses if use.instance in ("", instance))


class CertificateFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in a certificate (RFC 5280). Times are seconds since 1970."""

    serial: str
    """In hexadecimal digits, as openssl prints it, without leading zeros."""
    fingerprint: str
    """SHA-256 of its DER form, in hexadecimal digits."""
    not_before: float
    not_after: float
    names: tuple[str, ...]
    """Of the subjectAltName, as of `CertificateTerms.domains`, sorted."""
    issuer: str = ""
    """Common name of who signed it."""
    ari_id: str = ""
    """Its identifier at the issuer, for renewal information (RFC 9773, section 4.1); empty if it
    has none."""

    @property
    def lifetime(self) -> float:
        return self.not_after - self.not_before


class Issued(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A certificate that is kept in podvisor's own folder, with its key."""

    facts: CertificateFacts
    terms: CertificateTerms
    """That it was made for."""
    digest: str
    """SHA-256 of its files as they are kept, one after the other: key, chain."""
    installed_at: float = 0.0
    standin: bool = False
    """Whether it is self-signed, until the issuer's is there."""

    @property
    def version(self) -> str:
        """What tells it from any other one."""
        return self.facts.fingerprint[:16]


class Stage(enum.StrEnum):
    """How far a certificate has come that was installed."""

    INSTALLED = "installed"
    """Those who use it take it up."""
    RESTARTED = "restarted"
    """They did, and served the former still; so they were restarted."""
    SERVED = "served"
    """It is in use, as far as anybody asked (`Check=`) to know."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When the current one is renewed, chosen once (RFC 9773, section 4.2)."""

    version: str
    """Of the certificate that this is about."""
    at: float
    """The moment."""
    start: float = 0.0
    """Of the window that the issuer suggested, to its `end`; 0 without any."""
    end: float = 0.0
    explanation: str = ""
    """The URL that the issuer gave with it."""
    ask_at: float = 0.0
    """When the issuer is asked again; 0 is never."""


class Counted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of what an issuer limits: a certificate, or an order of which a name was not valid."""

    at: float
    issuer: str
    names: tuple[str, ...]
    """That were asked for, sorted."""
    repeats: bool = False
    """Whether there was a certificate for the same names before: some limits leave it out."""


class OrderFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Orders that failed in a row, and when the next one may be made."""

    count: int
    since: float
    retry_at: float
    """0 is not before something changes, or a person says so."""
    message: str
    hint: str = ""
    terms: CertificateTerms
    """That were asked for: other ones are tried at once."""
    way: str = ""
    """Tells the challenge and the settings it was asked with from others, which are tried at once
    (see `core.certificates.backoff.way_of`)."""
    over_network: bool = False
    """Whether a network that comes up may mend it."""
    forgiven: int = 0
    """How many of them count no more for how long the next one waits: a network came up since."""


class FilesFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tries in a row in which it could not be installed, or its files not be looked at."""

    count: int
    since: float
    message: str
    hint: str = ""


class PutBack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One that nobody served, so that the one before was installed again."""

    issued: Issued
    reason: str
    at: float
    again_at: float
    """When the next one for these terms is tried, if nobody asks for it before."""
    way: str = ""
    """How it was to be taken up, as of `DesiredCertificate.way`."""
    check: tuple[str, ...] = ()
    """Where it was looked for (`Check=`); empty if those who use it could not take it up."""

    @property
    def version(self) -> str:
        return self.issued.version

    @property
    def terms(self) -> CertificateTerms:
        """It was made for."""
        return self.issued.terms


class CheckedServer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server of `Check=`, and what it was seen to serve."""

    url: str
    is_seen: bool = False
    """Whether it served the current one at the last look since that was installed."""
    version: str = ""
    """Of the last one that it was seen to serve, of the current ones and those before them; empty
    if it never was."""


class CertificateRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a certificate, by its name; in the ledger.

    What becomes of it is said in `core.certificates.records`.
    """

    app: str = ""
    """That described it last."""
    current: Issued | None = None
    """What is installed."""
    previous: Issued | None = None
    """What was before, by the issuer."""
    stage: Stage = Stage.SERVED
    since: float = 0.0
    """When it was installed, or those who use it were to restart: when its stage began."""
    down: tuple[str, ...] = ()
    """Those who use it and did not run when it was installed: that is not its doing."""
    ready: Issued | None = None
    """What was issued and kept, and is to be installed: it is not ordered again."""
    installed_in: str = ""
    """Absolute path of the folder; another one is due where the file says another. Empty while
    nothing is installed."""
    folder_id: str = ""
    """Tells that folder from another one of its name."""
    installed_as: str = ""
    """How it is installed, as of `DesiredCertificate.manner`; empty if that is not known."""
    folder_lost: bool = False
    """That folder is not there any more, and who has mounted it sees no other."""
    folders_lost: int = 0
    """How often that was so."""
    secrets: tuple[str, ...] = ()
    """Podman secrets that may hold it, or may have held it before."""
    left: tuple[str, ...] = ()
    """Folders in which it was installed before, and is as long as somebody may read it there."""
    renewal: Renewal | None = None
    failure: OrderFailure | None = None
    files_failure: FilesFailure | None = None
    warned_at: float = 0.0
    """When it was last told of as one that expires, and of which no other one is in use."""
    refused: PutBack | None = None
    """What was put back last, until there is another one."""
    revoked: str = ""
    """Version of the one that a person had declared void."""
    orders: tuple[Counted, ...] = ()
    """Certificates that were issued in the last week."""
    failed_validations: tuple[Counted, ...] = ()
    """Orders of the last hours of which a name could not be validated."""
    asked_at: float = 0.0
    """When a person asked for another one that is not there yet; 0 if nobody did."""
    looked_since: float = 0.0
    """When it was first looked whether the current one is served, in its stage; 0 before."""
    looked_at: float = 0.0
    """When it was last looked."""
    unserved: str = ""
    """Why it was not, at the last look."""
    servers: tuple[CheckedServer, ...] = ()
    """Where it is looked."""

    @property
    def version(self) -> str:
        """What its users take up: another word, and they reload; for its marks they restart."""
        if self.current is None or not self.installed_in:
            return ""
        folder = f"{OF_FOLDER}{self.folders_lost}" if self.folders_lost else ""
        return f"{self.current.version}{folder}{ANEW if self.stage is Stage.RESTARTED else ''}"
