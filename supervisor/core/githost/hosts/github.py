"""GitHub: https://docs.github.com/webhooks, https://docs.github.com/rest/commits/statuses.

Pull requests: https://docs.github.com/rest/pulls/pulls.
"""

from typing import Literal

import msgspec

from supervisor.core.githost.host import (
    Form,
    GitHost,
    HostApi,
    Payload,
    PullApi,
    StatusApi,
    Unreadable,
)
from supervisor.core.githost.signatures import HexHmac
from supervisor.model.pull_request import Number, PullRequest, PullState
from supervisor.model.webhook import Change, Message


class Repository(msgspec.Struct):
    full_name: str | None = None
    clone_url: str | None = None
    ssh_url: str | None = None
    default_branch: str | None = None


class Push(msgspec.Struct):
    """Forgejo's and Gitea's, too, and the generic one, which may name its repository only."""

    ref: str = ""
    after: str | None = None
    repository: Repository | str | None = None


def _read(content: bytes, event: str) -> Message:
    if event == "ping":
        return Message(is_ping=True)
    if event != "push":
        return Message(event=event or "an unnamed event")
    push = msgspec.json.decode(content, type=Push)
    one = push.repository
    if not push.ref or not isinstance(one, Repository):
        raise Unreadable("cannot read it: a push names its ref and its repository")
    return Message(
        changes=(Change(push.ref, push.after or ""),),
        repositories=tuple(filter(None, (one.full_name, one.clone_url, one.ssh_url))),
        default_branch=one.default_branch or "",
    )


def _push(repository: str, ref: str, branch: str) -> object:
    named = {"full_name": repository, "default_branch": branch}
    return {"ref": ref, "after": "0" * 40, "repository": named}


class _Place(msgspec.Struct):
    id: int = 0


class _Branch(msgspec.Struct):
    ref: str
    repo: _Place | None = None
    """None where the fork that it was in is gone."""


class _Pull(msgspec.Struct):
    """As both Git hosts of the other line of descent answer, too."""

    number: Number
    state: Literal["open", "closed"]
    head: _Branch
    base: _Branch
    html_url: str = ""
    merged_at: str | None = None


def read_pulls(content: bytes) -> tuple[PullRequest, ...]:
    """Read one pull request, or a list of them. Raises ValueError."""
    found = msgspec.json.decode(content, type=_Pull | list[_Pull])
    return tuple(map(_pull, found if isinstance(found, list) else [found]))


def _pull(one: _Pull) -> PullRequest:
    state = PullState.OPEN if one.state == "open" else PullState.CLOSED
    is_own = one.head.repo is not None and one.head.repo == one.base.repo
    return PullRequest(
        number=one.number,
        url=one.html_url,
        state=PullState.MERGED if one.merged_at else state,
        head=one.head.ref if is_own else "",
        to=one.base.ref,
    )


PAYLOAD = Payload(
    read=_read,
    push=_push,
    event_headers=("x-github-event",),
    delivery_headers=("x-github-delivery",),
    in_forms=True,
)
HOST = GitHost(
    name="github",
    signature=HexHmac(("x-hub-signature-256", "sha256=")),
    checked_by="X-Hub-Signature-256",
    payload=PAYLOAD,
    api=HostApi(
        path="/api/v3",
        base_of={"github.com": "https://api.github.com"},
        token_prefix="Bearer ",  # noqa: S106  # what stands before it
        status=StatusApi(),
        pulls=PullApi(
            query="state=open&head={owner}:{head}&base={to}",
            read=read_pulls,
            right="“Pull requests: read and write”",
        ),
    ),
    form=Form(
        where="Enter this at GitHub, in the repository's Settings → Webhooks → Add webhook",
        fields={
            "Payload URL": "{url}",
            "Content type": "application/json",
            "Secret": "{secret}",
            "Events": "Just the push event",
            "SSL verification": "enabled",
        },
    ),
)
