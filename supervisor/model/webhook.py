"""Webhooks: what a Git host sends, what is answered, and how that stands."""

import enum
from collections.abc import Mapping

import msgspec

from supervisor.model.wire import Name

PREFIX = "/hooks/"
"""Of the paths on which webhooks are taken; the source's name follows."""


class Refusal(enum.StrEnum):
    """Why a request was refused; counted by these."""

    PATH = "path"
    """It is for nobody here."""
    SIGNATURE = "signature"
    """It does not prove who sent it."""
    SIZE = "size"
    """Its body is too large."""
    SLOW = "slow"
    """It was not there in time, or broken off."""
    LIMIT = "limit"
    """Its address was refused too often."""
    PAYLOAD = "payload"
    """It is signed, and makes no sense."""
    SECRET = "secret"  # noqa: S105  # a reason
    """The secret that it is to be checked with cannot be read."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook as it came in."""

    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes


class Sender(msgspec.Struct, frozen=True):
    """Who sent a delivery."""

    address: str
    by_proxy: bool = False
    """Whether a trusted proxy passed it on: the address is then hearsay, and may be its own."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered: an HTTP status, and a sentence for whoever looks it up at the Git host."""

    status: int
    text: str


class Change(msgspec.Struct, frozen=True):
    """A ref that was pushed."""

    ref: str
    """Full name: `refs/heads/main`."""
    revision: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload says, whoever sent it."""

    is_ping: bool = False
    event: str = ""
    """What it calls itself, where it is neither a push nor a ping."""
    changes: tuple[Change, ...] = ()
    repositories: tuple[str, ...] = ()
    """URLs and `owner/name`s of the repository; empty if it does not say."""
    default_branch: str = ""
    delivery: str = ""
    """The sender's own name for it; not signed by all of them."""


class SourceWebhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the webhooks of one source stand."""

    scheme: str
    accepted: int = 0
    """Since the daemon started, as the other counts."""
    repeated: int = 0
    """Of those accepted, the ones that had been there before."""
    ignored: int = 0
    """Well signed, but of no concern: another branch or event."""
    refused: int = 0
    heard_at: float = 0.0
    """When it was told of a push last; kept across restarts."""
    last: str = ""
    """What was heard last of all, and what came of it."""
    last_ignored: bool = False
    """Whether that is one of those `ignored`."""
    works: bool = False
    """A webhook told of the newest change, so Git is asked seldom."""
    poll: float = 0.0
    """Seconds between two polls at present."""
    problem: str = ""


class WebhookMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one source's webhooks across restarts; kept in the ledger."""

    works: bool = False
    heard_at: float = 0.0


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where webhooks are taken."""

    address: str
    open: bool = False
    refused: dict[str, int] = {}
    """Requests that were refused since the daemon started, by reason."""


class WebhookTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a test delivery."""

    address: str
    path: str
    status: int
    answer: str
    target: str
    """The source, or the registry."""
    is_registry: bool = False
    read: bool = False
    """The source was read because of it, without an error."""
    revision: str = ""
    error: str = ""


class WebhookTestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/webhook-test`: send a source's or registry's kind of webhook to the listener."""

    target: Name
