"""Bitbucket, in the cloud and on a server of one's own, whose payloads differ.

https://support.atlassian.com/bitbucket-cloud/docs/event-payloads
"""

from collections.abc import Iterator

import msgspec

from supervisor.core.githost.host import Form, GitHost, Payload, Unreadable
from supervisor.core.githost.signatures import HexHmac
from supervisor.model.webhook import Change, Message

_MOST_CHANGES = 1_000


class _Target(msgspec.Struct):
    hash: str = ""


class _Ref(msgspec.Struct):
    """A branch or tag; on a server of one's own `id` is its full name."""

    type: str = ""
    name: str = ""
    id: str = ""
    target: _Target | None = None


class _RefChange(msgspec.Struct):
    new: _Ref | None = None
    old: _Ref | None = None
    ref: _Ref | None = None
    to: str = msgspec.field(default="", name="toHash")


class _Changes(msgspec.Struct):
    changes: list[_RefChange] = []


class _Project(msgspec.Struct):
    key: str | None = None


class _Repository(msgspec.Struct):
    full_name: str | None = None
    slug: str | None = None
    project: _Project | None = None


class _Push(msgspec.Struct):
    push: _Changes | None = None
    changes: list[_RefChange] = []
    repository: _Repository | None = None


def _read(content: bytes, event: str) -> Message:
    if event == "diagnostics:ping":
        return Message(is_ping=True)
    if event not in {"repo:push", "repo:refs_changed"}:
        return Message(event=event or "an unnamed event")
    push = msgspec.json.decode(content, type=_Push)
    changes = tuple(_changes(push))
    if not changes or push.repository is None:
        raise Unreadable("cannot read it: a push names its changes and its repository")
    one = push.repository
    key = one.project.key if one.project else None
    full_name = one.full_name or (f"{key}/{one.slug}" if key and one.slug else "")
    return Message(changes=changes, repositories=(full_name,) if full_name else ())


def _changes(push: _Push) -> Iterator[Change]:
    for change in (push.push.changes if push.push else push.changes)[:_MOST_CHANGES]:
        if change.ref is not None:
            yield Change(change.ref.id, change.to)
        elif (one := change.new or change.old) and one.name:
            revision = one.target.hash if change.new and one.target else ""
            kind = "tags" if one.type == "tag" else "heads"
            yield Change(f"refs/{kind}/{one.name}", revision)


def _push(repository: str, _ref: str, branch: str) -> object:
    new = {"type": "branch", "name": branch, "target": {"hash": "0" * 40}}
    return {"push": {"changes": [{"new": new}]}, "repository": {"full_name": repository}}


HOST = GitHost(
    name="bitbucket",
    signature=HexHmac(("x-hub-signature", "sha256=")),
    checked_by="X-Hub-Signature",
    payload=Payload(
        read=_read,
        push=_push,
        event="repo:push",
        event_headers=("x-event-key",),
        delivery_headers=("x-request-uuid", "x-request-id"),
    ),
    form=Form(
        where="Enter this at Bitbucket, in Repository settings → Webhooks → Add webhook",
        fields={"URL": "{url}", "Secret": "{secret}", "Triggers": "Repository push"},
    ),
)
