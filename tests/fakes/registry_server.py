"""A registry on a port of this machine: real HTTP, with the manners of those that there are."""

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

INDEX = "application/vnd.oci.image.index.v1+json"
USER, PASSWORD = "pi", "raspb3rry-of-this-test"
TOKEN = "t0ken-of-this-test"
IDENTITY = "1dentity-of-this-test"
_HANDSHAKE = b"\x16"
"""How TLS begins."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came."""

    method: str
    path: str
    """Without its query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    is_endless: bool = False
    """Whether more and more follows, until whoever asked has enough."""
    stalls: bool = False
    """Whether the last byte never comes."""


class RegistryServer:
    """Serves while its block lasts; what is not set behaves as Distribution does."""

    def __init__(self) -> None:
        self.manifests: dict[str, dict[str, bytes]] = {}
        """Repository to tag to content."""
        self.versions: dict[str, bytes] = {}
        """All that there ever were, by `NAME@sha256:…`."""
        self.blobs: dict[str, bytes] = {}
        """By `NAME@sha256:…`."""
        self.referrers: dict[str, bytes] | None = None
        """By digest; None if it has no such question."""
        self.login = ""
        """`basic`, `bearer` or nothing."""
        self.is_for_all = False
        """Whether a token is given to whoever asks."""
        self.realm = ""
        """Where tokens are; empty is here."""
        self.challenges: tuple[str, ...] | None = None
        """What is said to who may not, instead of what `login` makes of it."""
        self.expires = 300
        self.page = 0
        """How many tags a page has at most; 0 is all."""
        self.tells_digest = True
        self.etag = ""
        self.before: Callable[[Asked], Told | None] = lambda _: None
        """Answers before anything else is thought of."""
        self.asked: list[Asked] = []
        self.connections = 0
        self.left = asyncio.Event()
        """Set while nobody is connected."""
        self._tokens = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.is_secure = False

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.is_secure else 'http'}://{self.host}"

    @property
    def lines(self) -> list[str]:
        """Method and path of all that was asked, but for the question what is spoken here."""
        return [one.line for one in self.asked if one.path != "/v2/"]

    async def serve(self, context: ssl.SSLContext | None = None) -> Self:
        self.is_secure = context is not None
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aenter__(self) -> Self:
        return self if self._server else await self.serve()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server:
            self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def push_index(self, image: str, *contents: str) -> str:
        """Have `NAME:TAG` stand for an index, of these contents for a platform each; its digest."""
        parts = [{"digest": f"sha256:{sha256(one.encode()).hexdigest()}"} for one in contents]
        return self.push(image, manifests=parts)

    def push(self, image: str, content: str = "", **more: object) -> str:
        """Have `NAME:TAG` stand for some content; returns its digest."""
        name, _, tag = image.rpartition(":")
        said = {"schemaVersion": 2, "mediaType": INDEX, "of": content, **more}
        manifest = json.dumps(said).encode()
        self.manifests.setdefault(name, {})[tag] = manifest
        digest = f"sha256:{sha256(manifest).hexdigest()}"
        self.versions[f"{name}@{digest}"] = manifest
        return digest

    def put(self, image: str, manifest: bytes, blobs: Iterable[bytes]) -> str:
        """Have `NAME:TAG` stand for a manifest, of which these are the blobs; its digest."""
        name, _, tag = image.rpartition(":")
        self.manifests.setdefault(name, {})[tag] = manifest
        for one in blobs:
            self.blobs[f"{name}@sha256:{sha256(one).hexdigest()}"] = one
        digest = f"sha256:{sha256(manifest).hexdigest()}"
        self.versions[f"{name}@{digest}"] = manifest
        return digest

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        self.connections += 1
        self.left.clear()
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()
            if not self._serving:
                self.left.set()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if first == _HANDSHAKE:
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        parts = urlsplit(target)
        asked = Asked(
            method=method,
            path=parts.path,
            query={name: " ".join(values) for name, values in parse_qs(parts.query).items()},
            headers=headers,
            body=await reader.readexactly(int(headers.get("content-length", "0"))),
        )
        self.asked.append(asked)
        await self._tell(writer, asked, self.before(asked) or self._answer(asked))
        return True

    async def _tell(self, writer: asyncio.StreamWriter, asked: Asked, told: Told) -> None:
        lines = [
            f"HTTP/1.1 {told.status} So",
            *(f"{name}: {value}" for name, value in told.headers),
        ]
        if not told.is_endless:
            lines.append(f"Content-Length: {len(told.body) + told.stalls}")
        writer.write("\r\n".join([*lines, "\r\n"]).encode())
        writer.write(told.body if asked.method != "HEAD" else b"")
        while told.is_endless:
            writer.write(told.body)
            await writer.drain()
            await asyncio.sleep(0)
        await writer.drain()
        if told.stalls:
            await asyncio.Event().wait()

    def _answer(self, asked: Asked) -> Told:
        if asked.path == "/token":
            return self._token(asked)
        if not self._is_let_in(asked):
            said = self._challenges(asked) if self.challenges is None else self.challenges
            return _error(401, "UNAUTHORIZED", *(("WWW-Authenticate", one) for one in said))
        if asked.path == "/v2/":
            return Told(body=b"{}")
        name, (_, _, tag) = _repository(asked.path), asked.path.partition("/manifests/")
        if "/referrers/" in asked.path:
            if self.referrers is None:
                return Told(status=404, body=b"404 page not found")
            found = self.referrers.get(asked.path.rpartition("/")[2])
            body = found or b'{"schemaVersion": 2, "manifests": []}'
            return Told(headers=(("Content-Type", INDEX),), body=body)
        if "/blobs/" in asked.path:
            blob = self.blobs.get(f"{name}@{asked.path.rpartition('/')[2]}")
            return _error(404, "BLOB_UNKNOWN") if blob is None else Told(body=blob)
        return self._manifest(name, tag) if tag else self._tags(name, asked)

    def _is_let_in(self, asked: Asked) -> bool:
        shown = asked.headers.get("authorization", "")
        if self.login == "basic":
            return shown == basic(USER, PASSWORD)
        name = _repository(asked.path)
        return self.login != "bearer" or shown == f"Bearer {TOKEN}-{self._tokens}-{name}"

    def _challenges(self, asked: Asked) -> tuple[str, ...]:
        if self.login == "basic":
            return ('Basic realm="here"',)
        name = _repository(asked.path)
        realm = self.realm or f"{self.url}/token"
        scope = f',scope="repository:{name}:pull"' if name else ""
        return (f'Bearer realm="{realm}",service="registry, here"{scope}',)

    def _token(self, asked: Asked) -> Told:
        form = {name: one[0] for name, one in parse_qs(asked.body.decode()).items()}
        words = {**asked.query, **form}
        is_known = (
            asked.headers.get("authorization") == basic(USER, PASSWORD)
            or form.get("refresh_token") == IDENTITY
        )
        if not is_known and not self.is_for_all:
            return _error(401, "UNAUTHORIZED")
        name = words.get("scope", "::").split(":")[1]
        text = f"{TOKEN}-{self._tokens}-{name}"
        return Told(body=json.dumps({"token": text, "expires_in": self.expires}).encode())

    def forget_tokens(self) -> None:
        """None that was given is good any more."""
        self._tokens += 1

    def _manifest(self, name: str, tag: str) -> Told:
        manifest = self.versions.get(f"{name}@{tag}") or self.manifests.get(name, {}).get(tag)
        if manifest is None:
            return _error(404, "MANIFEST_UNKNOWN")
        headers = [("Content-Type", INDEX)]
        if self.tells_digest:
            headers.append(("Docker-Content-Digest", f"sha256:{sha256(manifest).hexdigest()}"))
        return Told(headers=tuple(headers), body=manifest)

    def _tags(self, name: str, asked: Asked) -> Told:
        if name not in self.manifests:
            return _error(404, "NAME_UNKNOWN")
        if self.etag and asked.headers.get("if-none-match") == self.etag:
            return Told(status=304)
        tags = list(self.manifests[name])
        if last := asked.query.get("last"):
            tags = tags[tags.index(last) + 1 :]
        size = min(self.page, int(asked.query.get("n", self.page))) or len(tags)
        headers = [("ETag", self.etag)] if self.etag else []
        if len(tags) > size:
            query = urlencode({"n": size, "last": tags[size - 1]})
            headers.append(("Link", f'</v2/{name}/tags/list?{query}>; rel="next"'))
        body = json.dumps({"name": name, "tags": tags[:size]}).encode()
        return Told(headers=tuple(headers), body=body)


def _repository(path: str) -> str:
    """The name in a path of the registry's; nothing in that of what all registries speak."""
    name = path.removeprefix("/v2/").partition("/manifests/")[0].partition("/blobs/")[0]
    return name.partition("/referrers/")[0].removesuffix("/tags/list")


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _error(status: int, code: str, *headers: tuple[str, str]) -> Told:
    body = json.dumps({"errors": [{"code": code, "message": f"it is {code.lower()}"}]}).encode()
    return Told(status=status, headers=headers, body=body)


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """Make one that signs itself, its key beside it; returns it, and what a server needs."""
    key, found = folder / f"{name}.key", folder / f"{name}.cert"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key}"
        f" -out {found} -subj /CN=test -addext subjectAltName=DNS:{name}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(found, key)
    return found, context
