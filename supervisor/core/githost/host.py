"""What there is to know of a Git host; the files of `core.githost.hosts` say it of each."""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import msgspec

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
    """From JSON, and what the event is called. Raises DecodeError, ValueError or Unreadable."""
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

    path: str
    """Of the API, on the Git host."""
    base_of: Mapping[str, str] = {}
    """Where the API is somewhere else, by the Git host's name."""
    url: str = "{base}/repos/{repository}/statuses/{revision}"
    has_subgroups: bool = False
    """A repository's name can have more than two parts; they are one of the URL's then."""
    context: str = "context"
    """The key of the body that names the status."""
    failure: str = "failure"
    """The word for a failure."""
    token_header: str = "Authorization"  # noqa: S105  # a name
    token_prefix: str = ""
    repeated: str = ""
    """What a refusal says, in small letters, that only means that it was told before."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
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
    status_api: StatusApi | None = None
