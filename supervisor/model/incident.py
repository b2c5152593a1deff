"""Incidents: what is wrong, from the moment it is seen until it is over."""

import enum

import msgspec


class IncidentCode(enum.StrEnum):
    """What kind of thing is wrong: stable, for filters of notifications and for scripts."""

    APP_REFUSED = "app-refused"
    """Something in its newest revision is refused; the last good one keeps running."""
    APP_REVERTED = "app-reverted"
    """Its newest revision failed its gate and was taken back: that release is in quarantine."""
    APP_FAILING = "app-failing"
    """It is not as it should be, and no unit or need of it says why."""
    JOB_FAILED = "job-failed"
    """A job before a deploy failed, so nothing else of the revision was deployed."""
    UPDATE_FAILED = "update-failed"
    """A newer version of an image failed its gate: it is in quarantine, the one before runs."""
    UNIT_DOWN = "unit-down"
    """A unit that should run does not, or crashes again and again."""
    UNIT_FAILED = "unit-failed"
    """A unit that does not run all the time, as a timer's job, failed when it ran last."""
    UNIT_PAUSED = "unit-paused"
    """A unit that should run does not, since somebody paused its container, or froze the unit."""
    UNIT_UNHEALTHY = "unit-unhealthy"
    """A unit runs, and its health check or its probe fails."""
    IMAGE_UNAVAILABLE = "image-unavailable"
    """An image that it needs cannot be pulled, or is not signed as it should be."""
    SECRET_MISSING = "secret-missing"  # noqa: S105  # the word
    """A secret that it needs is not there, and nobody provides it."""
    CERTIFICATE_FAILING = "certificate-failing"
    """A certificate has expired, cannot be had or renewed, was put back, or is not served."""
    DEPENDENCY_FAILING = "dependency-failing"
    """What it needs of another app could not be had."""
    FILES_CHANGED = "files-changed"
    """Somebody changes its files again and again."""
    VOLUMES_FAILING = "volumes-failing"
    """Its volumes could not be exported, or put back."""
    SOURCE_UNREADABLE = "source-unreadable"
    """A source cannot be read."""
    SOURCE_REFUSED = "source-refused"
    """Something in a source that belongs to no app is refused."""
    SETTINGS_REFUSED = "settings-refused"
    """The settings on disk are refused: those from before stay in force."""
    SETTINGS_DOUBTFUL = "settings-doubtful"
    """The settings hold something that has no effect, or are not those in force."""
    HOST_UNFIT = "host-unfit"
    """The machine lacks something that podvisor needs."""
    DISK_NEARLY_FULL = "disk-nearly-full"
    """Less is free than `free_space` in `[limits]` says, of images or of podvisor's own state."""
    LEDGER_UNWRITABLE = "ledger-unwritable"
    """What happens cannot be written down."""
    LEDGER_LOST = "ledger-lost"
    """A damaged ledger was set aside, with what stood in it, and nobody has seen to it yet."""
    WEBHOOKS_FAILING = "webhooks-failing"
    """Webhooks cannot be heard, or cannot be proven."""
    COMMIT_STATUS_UNSENT = "commit-status-unsent"
    """A Git host cannot be told how a revision fares."""
    WRITEBACK_FAILING = "writeback-failing"
    """What policies chose cannot be written back to a source's repository."""
    PULL_REQUEST_FAILING = "pull-request-failing"
    """A pull request for what was written back cannot be opened or looked at."""
    NOTIFIER_FAILING = "notifier-failing"
    """A notifier cannot send."""
    SUPERVISOR_FAILING = "supervisor-failing"
    """Something else that podvisor does by itself fails."""


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong. What it is about never changes, what is said of it may."""

    code: IncidentCode
    app: str = ""
    """Empty for what is a source's, or podvisor's own."""
    subject: str = ""
    """Which one of the app: its unit, its certificate, a file, an image. Else the source's name, or
    a word for what of podvisor or its host it is."""
    text: str
    """What, and why, in a sentence."""
    hint: str = ""
    """What to do, in words."""
    command: str = ""
    """What to type next."""
    log: tuple[str, ...] = ()
    """The last lines of what failed, in plain text without the values of its secrets; `text` does
    not repeat them."""
    meanwhile: str = ""
    """What is being done, where it is not seen just now: that tells whether it is over. `text` is
    how it was then, and neither `hint` nor `command` is the next step."""
    opened_at: float = 0.0
    """When it was first seen, seconds since the epoch; 0 if that was not written down yet."""

    @property
    def key(self) -> str:
        """Tells it from others."""
        return f"{self.code}/{self.app}/{self.subject}"
