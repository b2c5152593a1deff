"""Whoever else can send a signed request: a hook on a Git server, a pipeline."""

import msgspec

from supervisor.core.githost.host import Form, GitHost, Payload, Unreadable
from supervisor.core.githost.hosts.github import Push, Repository
from supervisor.core.githost.signatures import HexHmac
from supervisor.model.webhook import Change, Message

_CURL = """\
body='{{"ref": "refs/heads/main", "after": "'$(git rev-parse HEAD)'"}}'
hex=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -fsS -H "X-Signature: sha256=$hex" -d "$body" {url}"""


def _read(content: bytes, event: str) -> Message:
    if event == "ping":
        return Message(is_ping=True)
    push = msgspec.json.decode(content, type=Push)
    if not push.ref:
        raise Unreadable('cannot read it: it must be JSON with a "ref", such as "refs/heads/main"')
    one = push.repository
    names = (one.full_name, one.clone_url) if isinstance(one, Repository) else (one,)
    ref = push.ref if push.ref.startswith("refs/") else f"refs/heads/{push.ref}"
    return Message(
        changes=(Change(ref, push.after or ""),), repositories=tuple(filter(None, names))
    )


def _push(repository: str, ref: str, _branch: str) -> object:
    return {"ref": ref, "after": "0" * 40, "repository": repository}


HOST = GitHost(
    name="generic",
    signature=HexHmac(("x-signature", "sha256=")),
    checked_by="X-Signature: sha256= and the hex HMAC-SHA256 of the body",
    payload=Payload(
        read=_read, push=_push, event_headers=("x-event",), delivery_headers=("x-delivery",)
    ),
    form=Form(
        where="Send this when something was pushed",
        fields={"URL": "{url}", "Method": "POST", "Secret": "{secret}"},
        text=(_CURL,),
    ),
)
