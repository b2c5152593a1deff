"""Lists of tags, page by page: the distribution specification's "Content Discovery"."""

import re
from collections.abc import Collection
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from supervisor.core.images.reference import is_tag
from supervisor.kit.json_reading import read_json

_LINK = re.compile(r'<([^<>]*)>\s*((?:;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s",;]*)\s*)*)', re.ASCII)
_WORD = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"([^"]*)"|([^\s",;]*))', re.ASCII)
_REFERRER = re.compile(r"sha256-[0-9a-f]{64}\b")
"""Tags under which signatures and the like of a digest are found."""


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


def tags_of(body: bytes) -> list[str]:
    """Read one page. Raises ValueError if it is none."""
    found = read_json(body, _Tags)
    if found is None:
        raise ValueError("it is no list of tags")
    return found.tags or []


def is_version(tag: str) -> bool:
    """Whether it is a tag of an image, no digest that is listed among them."""
    return is_tag(tag) and not (tag.startswith("sha256-") and _REFERRER.match(tag))


def next_query(link: str, *, url: str) -> str:
    """Return the query of the next page of `url`; empty if there is none.

    Nothing but the query is taken: some registries name themselves wrongly behind a proxy. Raises
    ValueError if the header leads to another host.
    """
    for target, words in _LINK.findall(link):
        if _is_next(words):
            found = urlsplit(urljoin(url, target))
            if found.hostname != urlsplit(url).hostname:
                host = found.netloc.rpartition("@")[2]
                raise ValueError(f"its list goes on at another host, {host}")
            return str(found.query)
    return ""


def _is_next(words: str) -> bool:
    """Whether a link's parameters have `next` among its relations (RFC 8288, 3.3)."""
    return any(
        one[1].lower() == "rel" and "next" in (one[2] or one[3] or "").lower().split()
        for one in _WORD.finditer(words)
    )


def query_after(tags: Collection[str], last: str, *, page: int) -> str:
    """Return the query for what follows a full page that does not say whether anything does."""
    return urlencode({"n": page, "last": last}) if len(tags) == page else ""
