"""What can be done next with a certificate: a closed set of values."""

import msgspec

from supervisor.core.certificates.spare import Spare


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One of those below."""

    reason: str = ""
    """In words, for people: the end of a sentence, without a full stop."""


class Nothing(Step, frozen=True, kw_only=True):
    """All is as it should be, or something is waited for."""

    until: float = 0.0
    """When it is looked at again; 0 is when something changes, or a person says so."""
    limited_until: float = 0.0
    """When its issuer's limits allow another order, whoever asks for it."""


class AskRenewalInfo(Step, frozen=True, kw_only=True):
    """Ask the issuer when to renew it."""


class StandIn(Step, frozen=True, kw_only=True):
    """Make a self-signed one, and install it until there is another."""


class TakeSpare(Step, frozen=True, kw_only=True):
    """Install one that was had before, for what is asked for now."""

    spare: Spare


class OrderOne(Step, frozen=True, kw_only=True):
    """Have one issued, keep it, and install it."""

    replaces: str = ""
    """Identifier of the one that it renews, at the same issuer (RFC 9773, section 5)."""
    new_key: bool = False
    """Whatever `ReuseKey=` says: the key of the current one is not to be used again."""


class TakeImported(Step, frozen=True, kw_only=True):
    """Keep one that another client had issued, and install it."""

    version: str
    """Of the one (`Imported.version`)."""


class InstallAgain(Step, frozen=True, kw_only=True):
    """Install what is kept of the current one."""


class MakeSecrets(Step, frozen=True, kw_only=True):
    """Have its Podman secrets hold the current one."""


class LookServed(Step, frozen=True, kw_only=True):
    """Ask the servers of `Check=` what they serve, and say so (`Seen.unserved`)."""


class Serve(Step, frozen=True, kw_only=True):
    """Write down that it is in use."""


class RestartUsers(Step, frozen=True, kw_only=True):
    """Write down that it is not served, so that its users restart."""


class PutBackFormer(Step, frozen=True, kw_only=True):
    """Install the one before again: nobody serves the current one."""

    check: tuple[str, ...] = ()
    """Where it was looked for; empty if those who use it cannot take it up."""


class TryAgain(Step, frozen=True, kw_only=True):
    """Install the one that was put back: it may be served now."""


class ForgetFailure(Step, frozen=True, kw_only=True):
    """What failed, or was put back, is not asked for any more."""


class Forget(Step, frozen=True, kw_only=True):
    """No app asks for it: take away what is installed and kept, but `records.forgotten`."""


NextStep = (
    Nothing
    | AskRenewalInfo
    | StandIn
    | OrderOne
    | TakeSpare
    | TakeImported
    | InstallAgain
    | MakeSecrets
    | LookServed
    | Serve
    | RestartUsers
    | PutBackFormer
    | TryAgain
    | ForgetFailure
    | Forget
)
