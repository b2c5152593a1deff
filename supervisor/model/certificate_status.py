"""How certificates stand, and what people order of them: what the control socket says and takes."""

import enum

import msgspec

from supervisor.model.wire import Name


class CertificateState(enum.StrEnum):
    """How a certificate stands, in a word."""

    VALID = "valid"
    STANDIN = "stand-in"
    """A self-signed one takes its place."""
    ORDERED = "ordered"
    """There is none yet, or it is being renewed."""
    INSTALLED = "installed"
    """It is there, and not yet seen to be served."""
    FAILING = "failing"
    """The last order failed; what there is stays."""
    EXPIRED = "expired"
    MISSING = "missing"


class CertificateStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One certificate: `GET /v1/certificates`."""

    name: str
    app: str
    state: CertificateState
    domains: tuple[str, ...]
    """That are asked for."""
    issuer: str
    """That is asked."""
    challenge: str = ""
    key_type: str = ""
    """That is asked for."""
    check: tuple[str, ...] = ()
    """Where it is looked whether it is served."""
    unseen: tuple[str, ...] = ()
    """Those of them that were not seen to serve what is installed."""
    is_standin: bool = False
    """Whether what is installed is self-signed."""
    installed_for: tuple[str, ...] = ()
    """Names in the one that is installed, where they are not `domains`."""
    signed_by: str = ""
    """Common name of who signed the one that is installed."""
    installed_key_type: str = ""
    """Of the one that is installed, where it is not `key_type`."""
    expires: float = 0.0
    serial: str = ""
    renew_at: float = 0.0
    why_then: str = ""
    """Why the next renewal is then."""
    explanation: str = ""
    """URL that its issuer gave for that."""
    waits_for: str = ""
    """What has to come before it is as it is to be; no trouble."""
    had_since: float = 0.0
    """Since when it is being had, where `waits_for` says so."""
    error: str = ""
    hint: str = ""
    retry_at: float = 0.0
    at_once: str = ""
    """A command that does not wait for that."""
    is_asked_for: bool = True
    """False if an app asked for it before, and none does now."""
    directory: str = ""
    secrets: tuple[str, ...] = ()
    """Podman secrets that hold it, too."""
    units: tuple[str, ...] = ()
    """That use it."""

    @property
    def is_ailing(self) -> bool:
        """Whether a person should know of it."""
        bad = (CertificateState.EXPIRED, CertificateState.FAILING)
        return self.state in bad or bool(self.error)


class CertificateList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every certificate that an app asks for."""

    running: bool
    certificates: tuple[CertificateStatus, ...]
    untried: str = ""
    """Why nothing was tried of what was ordered, and when it will be."""


class RenewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/certificates/renew`: another one, whether it is due or not."""

    name: Name
    now: bool = False
    """Also where it has failed, and is to wait for its next try."""


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/certificates/revoke`: have the issuer declare the current one void."""

    name: Name
