"""Ask a server over HTTP where a ref stands, without starting git: a tenth of the cost.

One question, `ls-refs` of gitprotocol-v2 and gitprotocol-http. It can only save work: unless the
answer is plain and says that nothing is new, git itself is asked, which knows about proxies,
redirects, credential helpers and old servers.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import msgspec

from supervisor import __version__
from supervisor.adapters.git.command import git
from supervisor.kit.http import client as http
from supervisor.model.git_url import GitUrl

_LEFT_TO_GIT_SECONDS = 3_600.0
"""After that a server, or the configuration, may have become plain."""
_ANSWER_SECONDS = 30.0
_ANSWER_LIMIT = 256 << 10
"""Room for 4,000 refs, for a server may tell of more than it was asked."""
_OK = 200
_HEADERS = {
    # Servers know clients of Git by how this begins.
    "User-Agent": f"git/podvisor-{__version__}",
    "Content-Type": "application/x-git-upload-pack-request",
    "Accept": "application/x-git-upload-pack-result",
    "Git-Protocol": "version=2",
}
_PROXIES = {"http_proxy", "https_proxy", "all_proxy"}
_HARMLESS = {
    *("http.receivepack", "http.uploadpack", "http.getanyfile"),  # for servers
    *("http.lowspeedlimit", "http.lowspeedtime", "http.postbuffer"),  # for much data
}
_FOR_GIT = ("GIT_SSL_", "GIT_PROXY_", "GIT_HTTP_")


def basic(name: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class RefProbe(msgspec.Struct):
    """Remembers whom it is no use to ask."""

    _left: dict[str, float] = {}
    """URLs that are left to git until then."""
    _plain_until: float = 0.0
    """Until then, git is known not to be configured for HTTP in a way of its own."""

    async def finds(self, url: GitUrl, authorization: str, name: str, oid: str) -> bool:
        """Whether the server says, beyond doubt, that the ref `name` still leads to `oid`.

        `authorization` is the header for it, if any.
        """
        now = anyio.current_time()
        if not url.over_http or now < self._left.get(url, 0.0):
            return False
        # A user in the URL means that git may know the password.
        if not set("@?#") & set(url) and await self._is_plain():
            try:
                return await _ask(url, authorization, name) == oid
            except http.Unreachable:
                return False
            except (http.HttpError, ValueError):
                pass
        self._left[url] = now + _LEFT_TO_GIT_SECONDS
        return False

    async def _is_plain(self) -> bool:
        if any(key.lower() in _PROXIES or key.startswith(_FOR_GIT) for key in os.environ):
            return False
        now = anyio.current_time()
        if now >= self._plain_until:
            done = await git(
                *("config", "--name-only", "--get-regexp", r"^(http|url|protocol)\."),
                doing="ask git for its settings",
            )
            if set(done.output.decode(errors="replace").split()) - _HARMLESS:
                return False
            self._plain_until = now + _LEFT_TO_GIT_SECONDS
        return True


async def _ask(url: GitUrl, authorization: str, name: str) -> str:
    """Return what `name` leads to. Raises HttpError or ValueError if the answer leaves doubt."""
    headers = dict(_HEADERS)
    if authorization := authorization or _of_netrc(url.host):
        headers["Authorization"] = authorization
    async with http.ask(
        "POST",
        f"{url.rstrip('/')}/git-upload-pack",
        headers=headers,
        body=_line("command=ls-refs\n") + b"0001" + _line(f"ref-prefix {name}\n") + b"0000",
        timeout_seconds=_ANSWER_SECONDS,
    ) as answer:
        if answer.status != _OK or answer.headers.get("content-type") != _HEADERS["Accept"]:
            raise ValueError(answer.status)
        for line in _lines(await answer.read(limit=_ANSWER_LIMIT)):
            oid, _, ref = line.removesuffix(b"\n").partition(b" ")
            if ref == name.encode():
                return oid.decode()
    raise ValueError("it does not tell of this ref")


def _of_netrc(host: str) -> str:
    """Return the header that `~/.netrc` makes for a host, as git would send it; or nothing."""
    import netrc  # noqa: PLC0415

    try:
        found = netrc.netrc(Path.home() / ".netrc").authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return ""
    return basic(found[0], found[2]) if found and found[2] else ""


def _line(text: str) -> bytes:
    content = text.encode()
    return b"%04x%b" % (len(content) + 4, content)


def _lines(answer: bytes) -> Iterator[bytes]:
    """Yield Git's pkt-lines up to the flush that ends them. Raises ValueError if it is missing."""
    at = 0
    while size := int(answer[at : at + 4], 16):
        if not 4 < size <= len(answer) - at:  # noqa: PLR2004  # the four digits count
            raise ValueError("no lines of Git's protocol")
        yield answer[at + 4 : at + size]
        at += size
