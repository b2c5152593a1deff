"""GitLab: https://docs.gitlab.com/user/project/integrations/webhooks.

It sends the secret itself; or, if that is a signing token `whsec_…`, a signature with the time and
the delivery in it, as standardwebhooks.com has them. Merge requests: https://docs.gitlab.com/api/merge_requests.
"""

import base64
import hmac
from collections.abc import Collection
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
from supervisor.core.githost.signatures import is_equal
from supervisor.model.pull_request import Number, PullRequest, PullState
from supervisor.model.webhook import Change, Delivery, Message

_WINDOW_SECONDS = 300.0
"""How far a time that is signed may be off."""
_SIGNING_KEY = b"whsec_"
_SIGNING = (
    "Newer GitLabs can sign: generate a signing token there, and put it, whsec_ and all, "
    "where the secret is. With a secret token they send the secret itself: use https."
)


class _Signature:
    """Which of the two is for the secret to say."""

    def fault(self, delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:
        if secret.startswith(_SIGNING_KEY):
            return _standard_fault(delivery, secret=secret, times=times)
        token = delivery.headers.get("x-gitlab-token")
        if token is None:
            return "it has no X-Gitlab-Token"
        return "" if is_equal(token, secret) else "its X-Gitlab-Token is not the secret"

    def sign(self, body: bytes, *, secret: bytes, delivery: str, time: float) -> dict[str, str]:
        if not secret.startswith(_SIGNING_KEY):
            return {"x-gitlab-token": secret.decode("latin-1")}
        stamp = str(int(time))
        return {
            "webhook-id": delivery,
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + standard(key_of(secret), delivery, stamp, body),
        }


def _standard_fault(delivery: Delivery, *, secret: bytes, times: Collection[float]) -> str:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    identity, stamp, signatures = (delivery.headers.get(name) for name in names)
    if identity is None or stamp is None or signatures is None:
        return "it has no webhook-id, webhook-timestamp and webhook-signature"
    try:
        good = standard(key_of(secret), identity, stamp, delivery.body)
    except ValueError:
        return "the secret is no signing token of GitLab's: what follows whsec_ must be Base64"
    found = [is_equal(one, b"v1," + good.encode()) for one in signatures.split(" ")]
    if not any(found):
        return "its webhook-signature is wrong"
    # Digits alone: int() takes much else, and a float can be anything.
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= len("9999999999")):
        return "its webhook-timestamp is no time"
    if all(abs(int(stamp) - time) > _WINDOW_SECONDS for time in times):
        return "its webhook-timestamp is too far from this machine's time"
    return ""


def standard(key: bytes, identity: str, stamp: str, body: bytes) -> str:
    """Return the signature of a delivery."""
    content = b".".join((identity.encode("latin-1"), stamp.encode("latin-1"), body))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def key_of(secret: bytes) -> bytes:
    """Return what a signing token encodes. Raises ValueError if it is none."""
    key = base64.b64decode(secret.removeprefix(_SIGNING_KEY), validate=True)
    if not key:
        raise ValueError("it is empty")
    return key


class _Project(msgspec.Struct):
    path_with_namespace: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None
    default_branch: str | None = None


class _Push(msgspec.Struct):
    object_kind: str = ""
    ref: str = ""
    after: str | None = None
    project: _Project | None = None


def _read(content: bytes, event: str) -> Message:
    push = msgspec.json.decode(content, type=_Push)
    if push.object_kind not in {"push", "tag_push"}:
        return Message(event=push.object_kind or event or "an unnamed event")
    if not push.ref or push.project is None:
        raise Unreadable("cannot read it: a push names its ref and its project")
    one = push.project
    return Message(
        changes=(Change(push.ref, push.after or ""),),
        repositories=tuple(
            filter(None, (one.path_with_namespace, one.git_http_url, one.git_ssh_url))
        ),
        default_branch=one.default_branch or "",
    )


def _push(repository: str, ref: str, branch: str) -> object:
    project = {"path_with_namespace": repository, "default_branch": branch}
    return {"object_kind": "push", "ref": ref, "after": "0" * 40, "project": project}


class _Pull(msgspec.Struct):
    number: Number = msgspec.field(name="iid")
    state: Literal["opened", "locked", "closed", "merged"]
    """Locked is one that is being merged."""
    source_branch: str
    target_branch: str
    source_project_id: int | None = None
    target_project_id: int = 0
    web_url: str = ""


_STATES = {"closed": PullState.CLOSED, "merged": PullState.MERGED}


def _read_pulls(content: bytes) -> tuple[PullRequest, ...]:
    found = msgspec.json.decode(content, type=_Pull | list[_Pull])
    return tuple(map(_pull, found if isinstance(found, list) else [found]))


def _pull(one: _Pull) -> PullRequest:
    return PullRequest(
        number=one.number,
        url=one.web_url,
        state=_STATES.get(one.state, PullState.OPEN),
        head=one.source_branch if one.source_project_id == one.target_project_id else "",
        to=one.target_branch,
    )


HOST = GitHost(
    name="gitlab",
    signature=_Signature(),
    checked_by="X-Gitlab-Token; webhook-signature, if the secret begins with whsec_",
    payload=Payload(
        read=_read,
        push=_push,
        event="Push Hook",
        event_headers=("x-gitlab-event",),
        delivery_headers=("webhook-id", "x-gitlab-event-uuid"),
    ),
    api=HostApi(
        path="/api/v4",
        has_subgroups=True,
        token_header="PRIVATE-TOKEN",  # noqa: S106  # a name
        status=StatusApi(
            url="{base}/projects/{repository}/statuses/{revision}",
            context="name",
            failure="failed",
            repeated="cannot transition status",
        ),
        pulls=PullApi(
            name="merge request !{number}",
            url="{base}/projects/{repository}/merge_requests",
            query="state=opened&source_branch={head}&target_branch={to}",
            head="source_branch",
            to="target_branch",
            body="description",
            edit="PUT",
            closing=("state_event", "close"),
            read=_read_pulls,
            right="the scope `api`, and the role Developer",
        ),
    ),
    form=Form(
        where="Enter this at GitLab, in the project's Settings → Webhooks → Add new webhook",
        fields={
            "URL": "{url}",
            "Secret token": "{secret}",
            "Trigger": "Push events",
            "SSL verification": "enabled",
        },
        notes=(_SIGNING,),
    ),
)
