"""What is asked of the process that talks with an issuer, and what it answers.

It has nothing but what stands here: the daemon reads secrets and settings for it.
"""

import enum

import msgspec

from supervisor.model.certificate import CertificateFacts, CertificateTerms, Challenge

ORDER_FILES = ("order.json", "order.key")


class AcmeIssuer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An issuer by its directory (RFC 8555, section 7.1.1)."""

    name: str
    directory: str
    """URL."""
    email: str = ""
    authority: str = ""
    """PEM of who signed the directory's own certificate; empty is whom the machine trusts."""
    trust: str = ""
    """PEM of the roots that what it issues must lead to; empty is any."""
    key_id: str = ""
    """Of the external account (section 7.3.4); empty without one."""
    key: str = ""
    """Its MAC key, in base64url."""
    chain: str = ""
    """Common name of the root that is preferred where there are several chains."""


class ZoneAccess(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How TXT records are put into a zone."""

    zone: str
    """Names below it, and itself."""
    provider: str
    """`rfc2136`, `hook`, or a provider of dns-lexicon."""
    server: str = ""
    """rfc2136: HOST or HOST:PORT."""
    key_name: str = ""
    """rfc2136: of the TSIG key (RFC 8945)."""
    key_algorithm: str = "hmac-sha256"
    secret: str = ""
    """rfc2136: the TSIG key in base64; dns-lexicon: lines of OPTION=VALUE."""
    hook: str = ""
    """Absolute path of a program: it is run as `hook present NAME VALUE` and `hook cleanup NAME
    VALUE`."""
    propagation_seconds: float = 120.0
    """How long all of the zone's servers are waited for."""


class OrderFolders(msgspec.Struct, frozen=True, kw_only=True):
    """Where orders and accounts are remembered: absolute paths (see `Order`)."""

    kept: str
    """Has a folder for each certificate."""
    accounts: str


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Have a certificate issued."""

    name: str
    folder: str
    """Absolute path of the certificate's own folder, in which an order that is cut short is
    remembered (`ORDER_FILES`), until it has failed, or its pair is installed."""
    accounts: str
    """Absolute path of the folder of the accounts' keys."""
    issuer: AcmeIssuer
    terms: CertificateTerms
    challenge: Challenge
    key: str = ""
    """PEM of the key to use; empty is a new one."""
    replaces: str = ""
    """`ari_id` of the one that it renews (RFC 9773, section 5)."""
    listen: str = ""
    """http-01 and tls-alpn-01: ADDRESS:PORT to listen on while it lasts."""
    webroot: str = ""
    """http-01: the folder that a web server shows, instead."""
    zones: tuple[ZoneAccess, ...] = ()
    resolvers: tuple[str, ...] = ()
    """Addresses of DNS servers to ask, with `:PORT` if that is not 53; empty is the machine's."""
    timeout_seconds: float = 600.0


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A key, the chain of its certificate, and what stands in that; verified to fit together."""

    key: str
    """PEM, PKCS #8."""
    chain: str
    """PEM: the certificate first, each signed by the next, without the root."""
    facts: CertificateFacts
    notes: tuple[str, ...] = ()
    """What else came of the order and is to be told, in sentences without a full stop."""


class FailureKind(enum.StrEnum):
    """What a failed order means for the next."""

    PASSING = "passing"
    """It is tried again by itself: unreachable, overloaded."""
    VALIDATION = "validation"
    """The issuer could not validate a name: it counts against the issuer's limits."""
    LIMITED = "limited"
    """The issuer's limits are used up, until `retry_after`."""
    REFUSED = "refused"
    """A person is needed: the issuer, or what was asked for, does not allow it."""


class OrderRefusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no certificate."""

    kind: FailureKind
    message: str
    """A sentence without a full stop, for people; names the domain."""
    hint: str = ""
    retry_after: float = 0.0
    """Seconds, where the issuer said so."""
    notes: tuple[str, ...] = ()
    """As of `Pair`."""


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two."""

    pair: Pair | None = None
    refusal: OrderRefusal | None = None


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Have a certificate declared void; an `OrderAnswer` without a pair is that it is."""

    order: Order
    """With its key; the rest is of whom to ask, and how."""
    chain: str


class RenewalInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an issuer suggests (RFC 9773, section 4.2). Times are seconds since 1970."""

    start: float
    end: float
    explanation: str = ""
    ask_again_seconds: float = 21_600.0
