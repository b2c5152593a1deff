"""What other ACME clients left: their accounts at issuers, and their certificates.

A process that ends reads it (`adapters.acme_clients`).
"""

import enum

import msgspec

from supervisor.model.acme import Pair
from supervisor.model.certificate import Challenge, KeyType


class Client(enum.StrEnum):
    """Who has left it."""

    CERTBOT = "certbot"
    LEGO = "lego"
    CADDY = "Caddy"
    FILES = "files"
    """PEM files in a folder, whoever wrote them."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer of the settings."""

    name: str
    directory: str
    trust: str = ""
    """As of `AcmeIssuer`."""


class ReadFolder(msgspec.Struct, frozen=True, kw_only=True):
    """Read what another client left, of whichever kind it is."""

    path: str
    """Absolute; a folder, or a file."""
    issuers: tuple[Known, ...]
    names: tuple[str, ...] = ()
    """Only certificates that are called so, or are for these; empty is all of them."""
    account: str = ""
    """Only accounts with this in their URL, their path or their e-mail address."""


class FoundAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account at an issuer, with its key."""

    client: Client
    path: str
    """Of its key."""
    directory: str
    """Of its issuer, as the settings have it."""
    url: str = ""
    """Of the account; empty where it is not written down."""
    email: str = ""
    key: str
    """PEM, PKCS #8."""
    key_type: str
    used: int = 0
    """By how many certificates that were found beside it."""
    written_at: float = 0.0


class FoundCertificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A certificate, verified: its key fits, and its chain, and it is valid."""

    client: Client
    path: str
    """Of its chain."""
    name: str
    """What its client calls it."""
    directory: str = ""
    """Of its issuer, as the settings have it; empty where it is not known who that is."""
    key_type: KeyType
    domains: tuple[str, ...]
    """As a `.certificate` names them, in the order in which its client has them."""
    profile: str = ""
    challenge: Challenge
    reuse_key: bool = False
    way: str = ""
    """How its client proved the names, in its own words."""
    pair: Pair


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a person should know of a file."""

    path: str
    text: str
    hint: str = ""
    is_fault: bool = True
    """Whether something is not taken over that might be; False where all is as it should be."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is there."""

    clients: tuple[Client, ...] = ()
    """Empty if nothing is there that could be read."""
    accounts: tuple[FoundAccount, ...] = ()
    certificates: tuple[FoundCertificate, ...] = ()
    notes: tuple[Note, ...] = ()


class Outcome(enum.StrEnum):
    """What became of an account or a certificate."""

    TAKEN = "taken"
    """Now; of a dry run: it would be."""
    THERE = "there"
    """It was taken over before."""
    LEFT = "left"
    """Podvisor has another one, or it is not the one to take."""


class ImportedAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account that was found, without its key."""

    client: Client
    path: str
    issuer: str
    directory: str
    url: str = ""
    email: str = ""
    key_type: str
    outcome: Outcome
    why: str = ""
    hint: str = ""


class ImportedCertificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A certificate that was found, without its key."""

    client: Client
    path: str
    name: str
    domains: tuple[str, ...]
    issuer: str = ""
    """Of the settings; empty where it is not known who issued it."""
    key_type: KeyType
    serial: str
    expires: float
    outcome: Outcome
    why: str = ""
    hint: str = ""
    used_as: str = ""
    """Name of the certificate that it serves as."""
    file: str = ""
    """Name of a `.certificate` file that asks for it, where none does."""
    text: str = ""
    """What to write into it."""


class ImportReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was found in a folder, and what became of it: `podvisor certs import --json`."""

    path: str
    clients: tuple[Client, ...] = ()
    accounts: tuple[ImportedAccount, ...] = ()
    certificates: tuple[ImportedCertificate, ...] = ()
    notes: tuple[Note, ...] = ()
    is_dry_run: bool = False
    running: bool = True
    """Whether the daemon was asked which files ask for them."""
