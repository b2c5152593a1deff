"""Webhooks' payloads: what a body says, in the words of whoever sent it, and whether it concerns.

To be read only after `core.githost.signatures` found its signature good. Even then it only ever
names a source: what there is to do is found by looking at the source.
"""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qsl

import msgspec

from supervisor.model.git_url import GitUrl
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import Change, Delivery, Message, Scheme

_MOST_CHANGES = 1_000
_LONGEST_DELIVERY = 64
_LONGEST_SHOWN = 100
_FORM = "application/x-www-form-urlencoded"
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


class Unreadable(ValueError):
    """The body is not what this sender sends; says why, in words that are safe to show."""


class _Repository(msgspec.Struct):
    full_name: str | None = None
    clone_url: str | None = None
    ssh_url: str | None = None
    default_branch: str | None = None


class _Push(msgspec.Struct):
    """GitHub's, Forgejo's and Gitea's, and the generic one."""

    ref: str = ""
    after: str | None = None
    repository: _Repository | str | None = None


class _Project(msgspec.Struct):
    path_with_namespace: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None
    default_branch: str | None = None


class _GitlabPush(msgspec.Struct):
    object_kind: str = ""
    ref: str = ""
    after: str | None = None
    project: _Project | None = None


class _Target(msgspec.Struct):
    hash: str = ""


class _Ref(msgspec.Struct):
    """A branch or tag; in Bitbucket's own server `id` is its full name."""

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


class _BitbucketProject(msgspec.Struct):
    key: str | None = None


class _BitbucketRepository(msgspec.Struct):
    full_name: str | None = None
    slug: str | None = None
    project: _BitbucketProject | None = None


class _BitbucketPush(msgspec.Struct):
    push: _Changes | None = None
    changes: list[_RefChange] = []
    repository: _BitbucketRepository | None = None


def read(scheme: Scheme, delivery: Delivery) -> Message:
    """Return what it says. Raises Unreadable."""
    event = next(
        (value for name in _EVENTS if (value := delivery.headers.get(name))),
        "",
    )
    identity = next((value for name in _DELIVERIES if (value := delivery.headers.get(name))), "")
    try:
        message = _READERS[scheme](_content(scheme, delivery), event)
    except (msgspec.DecodeError, ValueError) as error:
        # msgspec tells where something is amiss, never what stands there.
        raise Unreadable(f"cannot read it: {error}") from None
    except RecursionError:
        raise Unreadable("cannot read it: it is nested too deeply") from None
    return msgspec.structs.replace(message, delivery=shown(identity, _LONGEST_DELIVERY))


def concern(message: Message, settings: SourceSettings) -> str:
    """Why a push does not concern the source; empty if it does."""
    if not message.changes:
        return f"it is no push but “{shown(message.event)}”" if message.event else "it is no push"
    ours = repository_path(settings.git)
    named = [repository_path(one) for one in message.repositories]
    if ours and any(named) and not any(_is_same(ours, one) for one in named if one):
        return f"it is of {shown(message.repositories[0])}, not of this source's repository"
    if any(_follows(settings.ref, message.default_branch, one.ref) for one in message.changes):
        return ""
    followed = settings.ref or message.default_branch or "a branch"
    return f"it is of {shown(message.changes[0].ref)}, not of {followed}"


def pushed_revision(message: Message) -> str:
    """Return the revision that it names first, shortened, as a word for people."""
    return next((shown(one.revision[:8]) for one in message.changes if one.revision), "")


def repository_path(url: str) -> str:
    """Return what makes two URLs the same repository, however they reach it: the path.

    A Git host knows itself under other names than whoever fetches from it, and over SSH under
    none: hosts are not compared. The signature is by the secret of this one source anyway.
    """
    return GitUrl(url).repository.casefold()


def shown(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Write a foreign text in one line, without control characters, and not too long."""
    plain = text if text.isprintable() else ascii(text)[1:-1]
    return plain if len(plain) <= longest else plain[:longest] + "…"


def _is_same(ours: str, named: str) -> bool:
    """Whether one path is the other, perhaps below something: /srv/git/me/home, me/home."""
    return ours == named or ours.endswith(f"/{named}") or named.endswith(f"/{ours}")


def _follows(ref: str, default_branch: str, pushed: str) -> bool:
    if ref:
        return pushed in {ref, _HEADS + ref, _TAGS + ref}
    if default_branch:
        return pushed == _HEADS + default_branch
    return pushed.startswith(_HEADS)


def _content(scheme: Scheme, delivery: Delivery) -> bytes:
    """Return the JSON, out of the form in which GitHub and its kin can wrap it."""
    if (
        _READERS[scheme] is not _github
        or delivery.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM
    ):
        return delivery.body
    fields = parse_qsl(delivery.body.decode("ascii"), max_num_fields=4)
    return dict(fields).get("payload", "").encode()


def _github(content: bytes, event: str) -> Message:
    if event == "ping":
        return Message(is_ping=True)
    if event != "push":
        return Message(event=event or "an unnamed event")
    push = msgspec.json.decode(content, type=_Push)
    if not push.ref or not isinstance(push.repository, _Repository):
        raise Unreadable("cannot read it: a push names its ref and its repository")
    one = push.repository
    return Message(
        changes=(Change(push.ref, push.after or ""),),
        repositories=_named(one.full_name, one.clone_url, one.ssh_url),
        default_branch=one.default_branch or "",
    )


def _gitlab(content: bytes, event: str) -> Message:
    push = msgspec.json.decode(content, type=_GitlabPush)
    if push.object_kind not in {"push", "tag_push"}:
        return Message(event=push.object_kind or event or "an unnamed event")
    if not push.ref or push.project is None:
        raise Unreadable("cannot read it: a push names its ref and its project")
    one = push.project
    return Message(
        changes=(Change(push.ref, push.after or ""),),
        repositories=_named(one.path_with_namespace, one.git_http_url, one.git_ssh_url),
        default_branch=one.default_branch or "",
    )


def _bitbucket(content: bytes, event: str) -> Message:
    if event == "diagnostics:ping":
        return Message(is_ping=True)
    if event not in {"repo:push", "repo:refs_changed"}:
        return Message(event=event or "an unnamed event")
    push = msgspec.json.decode(content, type=_BitbucketPush)
    changes = tuple(_bitbucket_changes(push))
    if not changes or push.repository is None:
        raise Unreadable("cannot read it: a push names its changes and its repository")
    one = push.repository
    key = one.project.key if one.project else None
    full_name = one.full_name or (f"{key}/{one.slug}" if key and one.slug else "")
    return Message(changes=changes, repositories=_named(full_name))


def _bitbucket_changes(push: _BitbucketPush) -> Iterator[Change]:
    for change in (push.push.changes if push.push else push.changes)[:_MOST_CHANGES]:
        if change.ref is not None:
            yield Change(change.ref.id, change.to)
        elif (one := change.new or change.old) and one.name:
            revision = one.target.hash if change.new and one.target else ""
            yield Change((_TAGS if one.type == "tag" else _HEADS) + one.name, revision)


def _generic(content: bytes, event: str) -> Message:
    if event == "ping":
        return Message(is_ping=True)
    push = msgspec.json.decode(content, type=_Push)
    if not push.ref:
        raise Unreadable('cannot read it: it must be JSON with a "ref", such as "refs/heads/main"')
    one = push.repository
    names = (one.full_name, one.clone_url) if isinstance(one, _Repository) else (one or "",)
    ref = push.ref if push.ref.startswith("refs/") else _HEADS + push.ref
    return Message(changes=(Change(ref, push.after or ""),), repositories=_named(*names))


def _named(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name)


_READERS: Mapping[Scheme, Callable[[bytes, str], Message]] = {
    Scheme.GITHUB: _github,
    Scheme.FORGEJO: _github,
    Scheme.GITEA: _github,
    Scheme.GITLAB: _gitlab,
    Scheme.BITBUCKET: _bitbucket,
    Scheme.GENERIC: _generic,
}
_EVENTS = (
    "x-forgejo-event",
    "x-gitea-event",
    "x-github-event",
    "x-gitlab-event",
    "x-event-key",
    "x-event",
)
_DELIVERIES = (
    "x-forgejo-delivery",
    "x-gitea-delivery",
    "x-github-delivery",
    "webhook-id",
    "x-gitlab-event-uuid",
    "x-request-uuid",
    "x-request-id",
    "x-delivery",
)
