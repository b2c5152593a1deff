"""What artifacts are made of: manifests as they are, and blobs, each as its digest says."""

import errno
import hashlib
import os

from supervisor.adapters.registry.listing import LARGEST_MANIFEST, OCI_INDEX, TYPES
from supervisor.adapters.registry.session import Session
from supervisor.model.errors import Retry

_OK = 200
_NO_SUCH_QUESTION = (400, 404, 405, 406)
_FULL = (errno.ENOSPC, errno.EDQUOT)


async def manifest_of(session: Session, version: str) -> bytes:
    """Return a manifest by its digest or a tag. Raises Retry or Stalled."""
    reply = await session.ask(
        "GET",
        f"manifests/{version}",
        headers={"Accept": TYPES},
        limit=LARGEST_MANIFEST,
    )
    kind, is_digest, _ = version.partition(":")
    if is_digest and f"{kind}:{hashlib.new(kind, reply.body).hexdigest()}" != version:
        raise _other(session, "a manifest")
    return reply.body


async def referrers_of(session: Session, digest: str) -> bytes:
    """Return the index of what refers to a manifest. Raises Retry or Stalled.

    Where the registry has no such question, it is kept under a tag (distribution-spec, "Referrers
    Tag Schema"). Not all of those answer 404: some find fault with it, or send a page for people.
    """
    accept = {"Accept": OCI_INDEX}
    reply = await session.ask(
        "GET",
        f"referrers/{digest}",
        headers=accept,
        limit=LARGEST_MANIFEST,
        allowed=_NO_SUCH_QUESTION,
    )
    if reply.status == _OK and reply.content_type == OCI_INDEX:
        return reply.body
    tag = digest.replace(":", "-")
    reply = await session.ask("GET", f"manifests/{tag}", headers=accept, limit=LARGEST_MANIFEST)
    return reply.body


async def fetch_blob(
    session: Session, digest: str, *, size: int, path: str, timeout_seconds: float
) -> None:
    """Put a blob of `size` bytes into a file, anew if that is there. Raises Retry or Stalled."""
    found, left = hashlib.new(digest.partition(":")[0]), size
    try:
        with open(path, "wb") as file:  # noqa: ASYNC230, PTH123  # it goes to the page cache

            def take(chunk: bytes) -> None:
                nonlocal left
                left -= len(chunk)
                if left < 0:
                    raise _other(session, "a blob")
                found.update(chunk)
                file.write(chunk)

            await session.ask(
                "GET",
                f"blobs/{digest}",
                headers={"Accept": "*/*"},
                limit=size + LARGEST_MANIFEST,
                hear=take,
                timeout_seconds=timeout_seconds,
            )
    except OSError as error:
        why = "disk full" if error.errno in _FULL else os.strerror(error.errno or errno.EIO)
        raise Retry(f"{session.doing}: {why}") from error
    if f"{found.name}:{found.hexdigest()}" != digest:
        raise _other(session, "a blob")


def _other(session: Session, what: str) -> Retry:
    return Retry(
        f"{session.doing}: {session.endpoint.host} sends {what} that is not what its digest says"
    )
