"""Secrets of apps: what a `.secret` file asks for, who uses it, and what podvisor made of it."""

import enum

import msgspec

from supervisor.model.wire import Name

SUFFIX = ".secret"
"""Of the files that describe them; what stands before it is the secret's name in Podman."""
LARGEST = 511_999
"""Bytes; Podman takes no more, and no empty one."""

APP_LABEL = "io.podvisor.app"
"""On a Podman secret: which app it was made for. One without it is not podvisor's."""
CERTIFICATE_LABEL = "io.podvisor.certificate"
"""On one that holds a certificate: its name."""
MADE_OF_LABEL = "io.podvisor.made-of"
CONTENT_LABEL = "io.podvisor.content"
REMOVAL_LABEL = "io.podvisor.removal"


class SecretKind(enum.StrEnum):
    """Where the clear text comes from."""

    AGE = "age"
    SOPS = "sops"
    CREDENTIAL = "credential"
    GENERATE = "generate"


class DesiredSecret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One `.secret` file, understood."""

    name: str
    """Of the Podman secret."""
    kind: SecretKind
    path: str
    """Of the `.secret` file, relative to the app's root."""
    line: int = 0
    """Of what says where it comes from."""
    place: str = ""
    """The encrypted file as it is written, relative to the app's root; the credential's name."""
    oid: str = ""
    """Git blob id of the encrypted file, behind links."""
    key: tuple[str, ...] = ()
    """sops: the way to the value in the file."""
    length: int = 0
    """`Generate=`: letters and digits."""
    prune: bool = False
    """`Prune=yes`: a generated one goes with its file."""

    @property
    def source(self) -> str:
        """Where it comes from, in its own words: `age:db.age`."""
        if self.kind is SecretKind.GENERATE:
            return f"generate:{self.length}"
        key = f"#{'.'.join(self.key)}" if self.key else ""
        return f"{self.kind}:{self.place}{key}"

    @property
    def stays(self) -> bool:
        """Whether it is kept when its file leaves the source: nobody could make it again."""
        return self.kind is SecretKind.GENERATE and not self.prune


class SecretUse(msgspec.Struct, frozen=True):
    """A unit's need for a Podman secret, where it stands."""

    name: str
    path: str
    """Of the file, relative to the app's root."""
    line: int = 0


class OwnedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a Podman secret say of it, if podvisor made it."""

    app: str
    certificate: str = ""
    """Name of the certificate that it holds, if it holds one."""
    made_of: str = ""
    """Keyed hash of what it was made of: the encrypted file, the credential's content. Of a
    certificate's, which that is."""
    content: str = ""
    """Keyed hash of the clear text."""
    stays: bool = False
    """Whether it is kept when its file leaves the source."""


def may_hold_certificate(there: OwnedSecret | None) -> bool:
    """Whether a secret that is there may be made to hold a certificate.

    Podvisor made it, and could make it again.
    """
    return there is not None and (bool(there.certificate) or not there.stays)


class SecretPut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One secret to be made, and why."""

    secret: DesiredSecret
    reason: str
    anew: bool = False
    """A generated one: with another value, whatever is there."""


class SecretState(enum.StrEnum):
    """How a secret stands, in a word."""

    CURRENT = "current"
    PODMANS = "made by hand"
    """Units use it, no app describes it, and Podman has it."""
    DUE = "to be made"
    TAKEN = "taken"
    """Podman has one of this name that is not podvisor's."""
    MISSING = "missing"
    """Units use it, and nobody provides it."""
    LEFT = "left over"
    """Made for an app that does not describe it any more."""


class SecretsMade(msgspec.Struct, frozen=True):
    """Podman may have secrets that are podvisor's; kept in the ledger."""


class SecretStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One secret: `GET /v1/secrets`."""

    name: str
    state: SecretState
    app: str = ""
    """That describes it, or that it was made for."""
    source: str = ""
    """`age:db.age`, `generate:32`, `certificate:web` …; empty for one that no app describes."""
    path: str = ""
    """Of the `.secret` file, relative to its source's root."""
    units: tuple[str, ...] = ()
    """That use it."""


class SecretList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every secret that an app describes or uses, and what is left of others."""

    secrets: tuple[SecretStatus, ...]


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/secrets/rotate`: another value for a generated secret."""

    name: Name
