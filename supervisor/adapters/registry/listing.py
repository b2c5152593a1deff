"""The questions: what a tag stands for, what an index has, and which tags there are."""

import hashlib
import re
from collections.abc import Sequence

import msgspec

from supervisor.adapters.registry.pages import is_version, next_query, query_after, tags_of
from supervisor.adapters.registry.quirks import quirk_of
from supervisor.adapters.registry.session import AnswerTooLarge, Session
from supervisor.kit.http.pool import Reply
from supervisor.kit.json_reading import read_json
from supervisor.model.errors import Retry, Stalled
from supervisor.model.image import TagDigest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_INDEXES = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
TYPES = ", ".join(
    (
        *_INDEXES,
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""All of them: else the answer is the digest of something else, or that there is none."""
_OLD = re.compile(r"docker\.distribution\.manifest\.v1\+(?:json|prettyjws)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
LARGEST_MANIFEST = 4 << 20
_NOT_BY_HEAD = (400, 405, 501)
_PAGE, _SMALL_PAGE = 1_000, 100
"""More is refused by some (ECR), and cut down to less by others; who refuses it gets the small."""
_MOST_PAGES = 500
_MOST_TAGS = 100_000
_MOST_BYTES = 2 << 20
"""Of a list: 20,000 tags of a hundred characters."""
_UNCHANGED, _TOO_MANY = 304, 400
_OWN_LOGIN = "check that the network needs no login of its own"
_WITHOUT_TAGS = "name a tag and take ImagePolicy=digest, which needs no list of tags"


class _Manifest(msgspec.Struct):
    schemaVersion: int  # noqa: N815  # as it is written


class _Part(msgspec.Struct):
    digest: str


class _Index(msgspec.Struct):
    manifests: list[_Part] = []


async def digest_of(session: Session, tag: str) -> TagDigest:
    """Return the digest of the index, or of the manifest if that is what a tag (or digest) names.

    It is asked for, not the manifest, which counts as a pull; where it is not told, the manifest
    is read and hashed. Raises Retry or Stalled.
    """
    rest, headers = f"manifests/{tag}", {"Accept": TYPES}
    if not quirk_of(session.endpoint.host).tells_at_get:
        reply = await session.ask("HEAD", rest, headers=headers, limit=0, allowed=_NOT_BY_HEAD)
        if digest := _told(reply):
            _refuse_old(session, reply)
            return TagDigest(digest=digest, is_index=_is_index(reply))
    digest, reply = await _read(session, tag)
    return TagDigest(digest=digest, is_index=_is_index(reply))


async def manifests_of(session: Session, index: str) -> tuple[str, ...]:
    """Return the digests of what an index has; empty if it is none. Raises Retry or Stalled."""
    digest, reply = await _read(session, index)
    if digest != index:
        raise Retry(
            f"{session.doing}: {session.endpoint.host} sends {digest} where it is asked for {index}"
        )
    found = read_json(reply.body, _Index)
    return tuple(one.digest for one in found.manifests) if found else ()


async def _read(session: Session, tag: str) -> tuple[str, Reply]:
    """Read what a tag (or digest) names; returns its digest as well. Raises Retry or Stalled."""
    rest, headers = f"manifests/{tag}", {"Accept": TYPES}
    reply = await session.ask("GET", rest, headers=headers, limit=LARGEST_MANIFEST)
    _refuse_old(session, reply)
    told = _told(reply)
    kind = "sha512" if (told or tag).startswith("sha512") else "sha256"
    digest = f"{kind}:{hashlib.new(kind, reply.body).hexdigest()}"
    if told not in ("", digest):
        raise Retry(
            f"{session.doing}: {session.endpoint.host} sends a manifest whose digest is {digest},"
            f" and says that it is {told}"
        )
    manifest = read_json(reply.body, _Manifest)
    if manifest is None or manifest.schemaVersion != 2:  # noqa: PLR2004  # of all four types
        raise Retry(
            f"{session.doing}: {session.endpoint.host} sends something that is no manifest",
            hint=_OWN_LOGIN,
        )
    return digest, reply


def _is_index(reply: Reply) -> bool:
    return reply.content_type in _INDEXES


def _told(reply: Reply) -> str:
    digest = reply.headers.get("docker-content-digest", "").strip()
    return digest if _DIGEST.fullmatch(digest) else ""


def _refuse_old(session: Session, reply: Reply) -> None:
    if _OLD.search(reply.content_type):
        raise Stalled(
            f"{session.doing}: {session.endpoint.host} has it in a format that Podman cannot pull",
            hint="push it anew, with a program of these days",
        )


async def list_tags(session: Session) -> Sequence[str]:
    """Return all tags, in the registry's order, none twice, no digests.

    A list that did not change is not read anew where the registry says so. Raises Retry or Stalled.
    """
    rest, name = "tags/list", session.endpoint.name
    found: dict[str, None] = {}
    query, asked, size, etag, most = f"n={_PAGE}", set[str](), 0, "", _PAGE
    kept = session.memory.tags(name)
    while query:
        if query in asked:
            raise _odd(session, "its list of tags goes round in a circle")
        known = kept if not asked else None
        asked.add(query)
        try:
            reply = await session.ask(
                "GET",
                f"{rest}?{query}",
                headers={
                    "Accept": "application/json",
                    **({"If-None-Match": known.etag} if known else {}),
                },
                limit=_MOST_BYTES - size,
                allowed=(
                    *((_UNCHANGED,) if known else ()),
                    *((_TOO_MANY,) if query == f"n={_PAGE}" else ()),
                ),
            )
        except AnswerTooLarge as error:
            raise Stalled(str(error), hint=_WITHOUT_TAGS) from None
        if known and reply.status == _UNCHANGED:
            return known.tags
        if reply.status == _TOO_MANY:
            most = _SMALL_PAGE
            query = f"n={most}"
            continue
        size += len(reply.body)
        before = len(found)
        try:
            page = tags_of(reply.body)
            found.update(dict.fromkeys(page))
            query = next_query(reply.headers.get("link", ""), url=f"https://{name}/{rest}?{query}")
        except ValueError as error:
            if _is_page(reply):
                where = session.endpoint.host
                message = f"{session.doing}: {where} sends a web page, and no list of tags"
                raise Retry(message, hint=_OWN_LOGIN) from None
            raise _odd(session, str(error)) from None
        if not query and len(found) > before:
            query = query_after(page, page[-1], page=most)
        if len(found) > _MOST_TAGS or len(asked) >= _MOST_PAGES or size >= _MOST_BYTES:
            raise _odd(session, f"it has more than {len(found)} tags")
        # That of a first page would say nothing of the others.
        etag = reply.headers.get("etag", "") if not query and len(asked) == 1 else ""
    tags = tuple(tag for tag in found if is_version(tag))
    # What is not ASCII could not be sent back.
    session.memory.keep_tags(name, etag if etag.isascii() else "", tags)
    return tags


def _is_page(reply: Reply) -> bool:
    """Whether it is HTML, as networks send it that want a login first."""
    return reply.content_type == "text/html" or reply.body.lstrip()[:1] == b"<"


def _odd(session: Session, why: str) -> Stalled:
    return Stalled(
        f"{session.doing}: {session.endpoint.host}: {session.shown(why)}",
        hint=_WITHOUT_TAGS,
    )
