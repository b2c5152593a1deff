"""Webhooks' payloads: what a body says, whether it concerns a source, and one to test with.

To be read only after its signature was found good; even then it only ever names a source.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

import msgspec

from supervisor.core.githost.host import Payload, Unreadable
from supervisor.kit.texts import one_line
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import Delivery, Message

_LONGEST_DELIVERY = 64
_FORM = "application/x-www-form-urlencoded"
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


def read(payload: Payload, delivery: Delivery) -> Message:
    """Return what a delivery says. Raises Unreadable."""
    identity = _first(delivery, payload.delivery_headers)
    try:
        content = unwrapped(delivery) if payload.in_forms else delivery.body
        message = payload.read(content, _first(delivery, payload.event_headers))
    except ValueError as error:
        # msgspec tells where something is amiss, never what stands there.
        raise Unreadable(f"cannot read it: {error}") from None
    except RecursionError:
        raise Unreadable("cannot read it: it is nested too deeply") from None
    return msgspec.structs.replace(message, delivery=one_line(identity, _LONGEST_DELIVERY))


def sample(
    payload: Payload, settings: SourceSettings, *, delivery: str
) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a push to what a source follows."""
    ref = settings.ref or "main"
    full = ref if ref.startswith("refs/") else f"{_HEADS}{ref}"
    repository = repository_path(settings.git) or "me/home"
    body = payload.push(repository, full, full.removeprefix(_HEADS))
    headers = {"content-type": "application/json"}
    headers |= dict.fromkeys(payload.event_headers, payload.event)
    headers |= dict.fromkeys(payload.delivery_headers, delivery)
    return headers, msgspec.json.encode(body)


def concern(message: Message, settings: SourceSettings) -> str:
    """Why a push does not concern the source; empty if it does."""
    if not message.changes:
        return (
            f"it is no push but “{one_line(message.event)}”" if message.event else "it is no push"
        )
    ours = repository_path(settings.git)
    named = [repository_path(one) for one in message.repositories]
    if ours and any(named) and not any(_is_same(ours, one) for one in named if one):
        return f"it is of {one_line(message.repositories[0])}, not of this source's repository"
    if any(_follows(settings.ref, message.default_branch, one.ref) for one in message.changes):
        return ""
    followed = settings.ref or message.default_branch or "a branch"
    return f"it is of {one_line(message.changes[0].ref)}, not of {followed}"


def pushed_revision(message: Message) -> str:
    """Return the revision that it names first, shortened, as a word for people."""
    return next((one_line(one.revision[:8]) for one in message.changes if one.revision), "")


def repository_path(url: str) -> str:
    """Return what makes two URLs the same repository, however they reach it: the path.

    A Git host knows itself under other names than whoever fetches from it, and over SSH under
    none: hosts are not compared. The signature is by the secret of this one source anyway.
    """
    return GitUrl(url).repository.casefold()


def _is_same(ours: str, named: str) -> bool:
    """Whether one path is the other, perhaps below something: /srv/git/me/home, me/home."""
    return ours == named or ours.endswith(f"/{named}") or named.endswith(f"/{ours}")


def _follows(ref: str, default_branch: str, pushed: str) -> bool:
    if ref:
        return pushed in {ref, _HEADS + ref, _TAGS + ref}
    if default_branch:
        return pushed == _HEADS + default_branch
    return pushed.startswith(_HEADS)


def _first(delivery: Delivery, names: Sequence[str]) -> str:
    return next((value for name in names if (value := delivery.headers.get(name))), "")


def unwrapped(delivery: Delivery) -> bytes:
    """Return the JSON, out of the form if it is in one. Raises ValueError."""
    if delivery.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return delivery.body
    fields = parse_qsl(delivery.body.decode("ascii"), max_num_fields=4)
    return dict(fields).get("payload", "").encode()
