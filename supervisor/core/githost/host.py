"""What there is to know of a Git host; the files of `core.githost.hosts` say it of each."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

from supervisor.model.pull_request import PullRequest
from supervisor.model.webhook import Delivery, Message


class Unreadable(ValueError):
    """The body is not what this sender sends; says why, in words that are safe to show."""


class Signature(Protocol):
    """How a delivery proves that its sender knows the secret: by the raw body, in constant time."""

    def fault(self, delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:
        """Why it does not, if a time that is signed is to be near one of `times`; empty if so."""

    def sign(self, body: bytes, *, secret: bytes, delivery: str, time: float) -> dict[str, str]:
        """Return the headers that prove it, as the Git host would send them."""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery says, in the Git host's own words."""

    read: Callable[[bytes, str], Message]
    """From JSON, and what the event is called. Raises ValueError or Unreadable."""
    push: Callable[[str, str, str], object]
    """Makes the JSON of a push, from the repository's `OWNER/NAME`, the full ref, the branch."""
    event: str = "push"
    """What a push is called."""
    event_headers: tuple[str, ...]
    """Which may say what the event is; the first that is there counts."""
    delivery_headers: tuple[str, ...]
    """Which may name the delivery."""
    in_forms: bool = False
    """It may come wrapped, as the field `payload` of a form."""


class StatusApi(msgspec.Struct, frozen=True, kw_only=True):
    """Where the status of a commit is told, and in which words."""

    url: str = "{base}/repos/{repository}/statuses/{revision}"
    context: str = "context"
    """The key of the body that names the status."""
    failure: str = "failure"
    """The word for a failure."""
    repeated: str = ""
    """What a refusal says, in small letters, that only means that it was told before."""


class PullApi(msgspec.Struct, frozen=True, kw_only=True):
    """Where pull requests are, and in which words; fields in {} are as in `url` of a status."""

    name: str = "pull request #{number}"
    """What people call one."""
    url: str = "{base}/repos/{repository}/pulls"
    """Of all; one has its number after it."""
    query: str
    """Finds those that are open from {head} to {to}; {owner} is the repository's."""
    head: str = "head"
    """The keys of the body: the branch that is to be merged,"""
    to: str = "base"
    """the branch to merge it into,"""
    body: str = "body"
    edit: str = "PATCH"
    """The method that changes one."""
    closing: tuple[str, str] = ("state", "closed")
    """The key and the value of the body that close one."""
    read: Callable[[bytes], tuple[PullRequest, ...]]
    """From the JSON of one, or of a list. Raises ValueError."""
    right: str
    """What a token must be allowed to do, as the Git host calls it."""


class HostApi(msgspec.Struct, frozen=True, kw_only=True):
    """A Git host's API."""

    path: str
    """On the Git host."""
    base_of: Mapping[str, str] = {}
    """Where it is somewhere else, by the Git host's name."""
    has_subgroups: bool = False
    """A repository's name can have more than two parts; they are one of the URL's then."""
    token_header: str = "Authorization"  # noqa: S105  # a name
    token_prefix: str = ""
    status: StatusApi
    pulls: PullApi


class Form(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be entered at the Git host; {url}, {secret} and so on stand for a source's own."""

    where: str
    fields: dict[str, str]
    text: tuple[str, ...] = ()
    """To be copied as it stands."""
    notes: tuple[str, ...] = ()


class GitHost(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of Git host."""

    name: str
    """The value of `webhook` and `status` in the settings."""
    form: Form
    checked_by: str
    """The header with the proof, for people."""
    signature: Signature | None = None
    """None where a signed token is the proof (`core.githost.oidc`)."""
    payload: Payload | None = None
    """None where the token says it all."""
    api: HostApi | None = None
    """None where none is spoken to."""
