"""Settings of notifiers: who is told, of what, and when."""

import enum
from typing import Annotated

import msgspec

from supervisor.model.setting_rule import Rule
from supervisor.model.setting_types import Seconds, SecretRef


class NotifyKind(enum.StrEnum):
    """What people are told of: the words of `events`."""

    PROBLEM = "problem"
    """Something is wrong with an app, a source or podvisor itself, and none of the next four."""
    REVERTED = "reverted"
    """A revision, or a version of an image, failed its gate and was taken back."""
    CERTIFICATE = "certificate"
    """A certificate has expired, cannot be had or renewed, or is not served."""
    DISK = "disk"
    """A disk is nearly full."""
    CRASH = "crash"
    """podvisor was killed, or ended by an error or with the machine, and is there again."""
    RECOVERED = "recovered"
    """What was told of is over."""
    WAITING = "waiting"
    """A person is waited for: to run a newer version, to merge, to let an app be removed."""
    DEPLOYED = "deployed"
    """An app runs a new revision, or newer images, and is well; or it was removed."""
    UPDATE = "update"
    """There is a newer version of an image, and something keeps it from being run."""
    COOLDOWN = "cooldown"
    """A newer version has waited as long as it had to, and is run."""


NEEDED = (
    NotifyKind.PROBLEM,
    NotifyKind.REVERTED,
    NotifyKind.CERTIFICATE,
    NotifyKind.DISK,
    NotifyKind.CRASH,
    NotifyKind.RECOVERED,
    NotifyKind.WAITING,
)
"""What a person has to know."""


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[notify.NAME]`: a notifier, by which people are told what they have to know."""

    url: Annotated[SecretRef, Rule(example="file:~/.config/podvisor/notify-phone")] = SecretRef("")
    """Where the URL is, as Apprise has it: it holds the password or token, or is one."""
    events: Annotated[
        tuple[str, ...],
        Rule(example=("problem", "recovered"), may_be_empty=False, format="notify-event"),
    ] = tuple(map(str, NEEDED))
    """Of what it tells, besides these `deployed`, `update` and `cooldown`."""
    apps: Annotated[
        tuple[str, ...],
        Rule(
            may_be_empty=False,
            pattern=r"[a-z0-9._*?!\[\]-]+",
            refusal="no app is called {}",
            hint='such as apps = ["web", "db-*"]',
        ),
    ] = ()
    """Globs of app names: only of these, and so not of what is of no app; empty is everything."""
    after: Annotated[Seconds, Rule(may_be_zero=True)] = Seconds(30)
    """It tells so much later: what is over by then is not told, and what came together goes into
    one message."""
    digest: Annotated[str, Rule(example="Mon..Fri 08:00", format="digest")] = ""
    """All in one message: of so long, `1h`, or at a time, `08:00,20:00` or `Mon 08:00`; empty is as
    it comes."""
    quiet: Annotated[str, Rule(example="22:00..07:00", format="quiet")] = ""
    """A window in which nothing is sent; what is still true at its end is sent then."""
