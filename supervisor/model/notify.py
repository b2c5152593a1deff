"""What people are told: what waits to be told, what was, and how each notifier stands."""

import enum

import msgspec

from supervisor.model.notify_settings import NotifyKind
from supervisor.model.wire import Name


class Lasts(enum.StrEnum):
    """How long something is worth telling."""

    ONCE = "once"
    """It has happened."""
    OPEN = "open"
    """As long as it is so; its end is told, too."""
    STANDING = "standing"
    """As long as it is so; its end is no news."""


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to be told."""

    key: str
    """Tells it from others."""
    kind: NotifyKind
    also: NotifyKind | None = None
    """Another kind that it may be asked for by."""
    lasts: Lasts = Lasts.ONCE
    app: str = ""
    about: str = ""
    """What it is about, if that is no app: `source home`, `podvisor`."""
    text: str
    """What, and why, in a sentence."""
    hint: str = ""
    command: str = ""
    """What to type next."""
    log: tuple[str, ...] = ()
    """The last lines of what failed."""
    end: str = ""
    """Of what is wrong, what is told when it is over."""
    until: float = 0.0
    """When it ends by itself, if that is known: seconds since the epoch."""
    is_end: bool = False
    """Whether it is the end of something that was told."""
    is_gone: bool = False
    """Whether that is so since its app was removed."""
    times: int = 0
    """Of what comes and goes, how often it came in the last hour; else 0."""
    not_before: float = 0.0
    """When it may be told, if it is to be waited for whether it comes again."""
    since: float = 0.0
    """When it was seen, by the clock of this machine."""

    @property
    def who(self) -> str:
        """What it is about, in a word or two."""
        return self.app or self.about or "podvisor"

    @property
    def is_over(self) -> bool:
        """Whether it says that something is not wrong any more."""
        return self.is_end and self.lasts is Lasts.OPEN


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that lasts, and that was told."""

    news: News
    at: float
    is_silent: bool = False
    """Whether only its end is asked for."""
    over_at: float = 0.0
    """Of what comes and goes and whose end is not asked for: since when it is not so."""


class Outbox(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one notifier has yet to tell, and what it told; kept in the ledger."""

    waiting: tuple[News, ...] = ()
    told: dict[str, Told] = {}
    """By key; whatever is over, and told to be, is gone."""
    ended: dict[str, tuple[float, ...]] = {}
    """By key, when ends were told in the last hour."""
    left_out: int = 0
    """How much was dropped because too much waited."""
    event_id: int = 0
    """Up to which entry the event log was looked at."""
    sent_at: float = 0.0
    sent: str = ""
    """Title of what was sent last."""
    failure: str = ""
    """Why the last try failed; empty if it did not."""
    hint: str = ""
    failing_since: float = 0.0


class MessageType(enum.StrEnum):
    """What Apprise calls them."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: plain text, in which nothing is markup."""

    title: str
    body: str
    type: MessageType = MessageType.INFO


class NotifierStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one notifier stands."""

    name: str
    events: tuple[str, ...]
    apps: tuple[str, ...] = ()
    waiting: tuple[News, ...] = ()
    """What it has yet to tell, the oldest first."""
    next_at: float = 0.0
    """When it tells that, or tries again; left out if nothing waits."""
    sent_at: float = 0.0
    sent: str = ""
    """Title of what was sent last."""
    failure: str = ""
    """Why the last try failed; left out if it did not."""
    hint: str = ""
    failing_since: float = 0.0


class NotifierList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /v1/notify`: how the notifiers of the settings stand."""

    notifiers: tuple[NotifierStatus, ...]


class NotifyTestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/notify/test`: which notifier is to send a test message."""

    name: Name | None = None
    """None is all of them."""


class NotifyResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a test message."""

    name: str
    failure: str = ""
    """Why it could not be sent; left out if it was."""
    hint: str = ""


class NotifyTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of all of them."""

    results: tuple[NotifyResult, ...] = ()
