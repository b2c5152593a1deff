"""One question to one registry: who asks is shown as it wants, and redirects are followed.

Logins and tokens go where they belong, and nowhere else: not along with a redirect to another host.
"""

import ssl
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import anyio
import msgspec

from supervisor import __version__
from supervisor.adapters.registry.certificates import context_for, folder_of, user_folder
from supervisor.adapters.registry.challenges import Challenge, challenges_of, chosen
from supervisor.adapters.registry.credentials import Login, Logins
from supervisor.adapters.registry.endpoints import Endpoint
from supervisor.adapters.registry.memory import Memory, Token, TokenKey, Way, keep
from supervisor.adapters.registry.quirks import quirk_of
from supervisor.adapters.registry.refusals import denied, failure_of, is_busy, wait_of, words_of
from supervisor.adapters.registry.tokens import read_token, realm_of, token_reply
from supervisor.kit.http.connection import HttpError, TooLarge, Unreachable, Untrusted
from supervisor.kit.http.pool import Pool, Reply, Wanted
from supervisor.kit.texts import one_line
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.podman import RegistryRule

_ANSWER_SECONDS = 30.0
_PING_SECONDS = 5.0
"""Some who do not speak TLS just wait on."""
_SMALL = 1 << 20
_TOO_LARGE = "no registry says so much: look whether something else answers in its place"
_USUAL = Wanted(_SMALL, _ANSWER_SECONDS)
_MOST_TRIES = 3
"""As nobody or with what is known, with a token, and once more with the scope that it lacked."""
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_LONGEST_WORDS = 200
_OK = 200
_DENIED = (401, 403)
_HEADERS = {
    "User-Agent": f"podvisor/{__version__}",
    # What is compressed on the way has another hash.
    "Accept-Encoding": "identity",
}


class Round(msgspec.Struct):
    """What questions share that come together."""

    pool: Pool = msgspec.field(default_factory=Pool)
    logins: Logins = msgspec.field(default_factory=Logins)
    contexts: dict[tuple[Path | None, bool], ssl.SSLContext] = {}
    """By the folder of a host; those that have none share one."""
    getting: dict[TokenKey, anyio.Lock] = {}
    """Tokens that somebody is getting now."""
    rules: Sequence[RegistryRule] | None = None
    """None until they are read; `reading` is held meanwhile."""
    reading: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    slow: set[Endpoint] = set()
    """Mirrors that let all the time go by that they had."""
    askers: int = 0

    def context(self, host: str, *, is_insecure: bool) -> ssl.SSLContext:
        """Whom to trust at a host. Raises Stalled."""
        key = (folder_of(host), is_insecure)
        if key not in self.contexts:
            self.contexts[key] = context_for(key[0], is_insecure=is_insecure)
        return self.contexts[key]


class AnswerTooLarge(Stalled):
    """An answer is larger than what was asked for can be."""


class Session(msgspec.Struct, kw_only=True):
    """Asks at one endpoint."""

    endpoint: Endpoint
    doing: str
    """How failures begin: "cannot ask about docker.io/library/nginx:1"."""
    authfile: str
    round: Round
    memory: Memory
    _secrets: set[str] = set()
    """What has been shown, and must not be in what is said."""

    def __repr__(self) -> str:
        return f"Session({self.endpoint.name})"

    @property
    def _host(self) -> str:
        """Where the API is."""
        return quirk_of(self.endpoint.host).asked_at or self.endpoint.host

    async def ask(
        self,
        method: str,
        rest: str,
        *,
        headers: Mapping[str, str],
        limit: int,
        allowed: Collection[int] = (),
        hear: Callable[[bytes], None] | None = None,
        timeout_seconds: float = 0.0,
    ) -> Reply:
        """Ask for `/v2/NAME/rest`; what is not 200, or `allowed`, is a failure.

        `limit`, `hear` and `timeout_seconds` (0 is as usual) are as in `Wanted`. Raises Retry or
        Stalled, and what `hear` raises.
        """
        wanted = Wanted(limit, timeout_seconds or _ANSWER_SECONDS, hear)
        self._mind_rest(self._host)
        url = f"{await self._base()}/v2/{self.endpoint.path}/{rest}"
        login = await self.round.logins.find(
            self.endpoint.host, self.endpoint.path, authfile=self.authfile
        )
        self._secrets.update(login.secrets if login else ())
        proof, said = await self._known_proof(login), ""
        for _ in range(_MOST_TRIES):
            reply = await self._follow(method, url, headers, proof, wanted)
            if reply.status != _DENIED[0]:
                return self._judged(reply, allowed)
            said = self._words(reply)
            way = await self._way(reply, login)
            fresh = await self._prove(way, login, refused=proof) if way else ""
            if fresh in ("", proof):
                break
            proof = fresh
        raise denied(self.doing, self.endpoint.host, said, has_login=login is not None)

    async def fetch(self, url: str) -> Reply:
        """GET something that is for all, and show nothing. Raises Retry or Stalled."""
        return await self._exchange("GET", url, {})

    def shown(self, foreign: str) -> str:
        """Write foreign words for people: without what the other end was shown, and not long."""
        # What is cut is not recognized, nor a secret of which another one is a part.
        for secret in sorted(self._secrets, key=len, reverse=True):
            foreign = foreign.replace(secret, "***")
        return one_line(foreign, _LONGEST_WORDS)

    def _judged(self, reply: Reply, allowed: Collection[int]) -> Reply:
        if reply.status == _OK or reply.status in allowed:
            return reply
        raise self._failure(self._host, reply)

    def _failure(self, host: str, reply: Reply) -> Failure:
        said, shown, after = self._words(reply), self.shown(host), 0.0
        if is_busy(reply):
            after = wait_of(reply, now=time.time())
            if after:
                self.memory.let_rest(host, after, f"{shown} answered {reply.status}")
        return failure_of(self.doing, shown, reply, said, after=after)

    def _mind_rest(self, host: str) -> None:
        seconds, why = self.memory.rest_of(host)
        if seconds:
            raise Retry(f"{self.doing}: {why}, and is not asked for a while", after_seconds=seconds)

    def _words(self, reply: Reply) -> str:
        return self.shown(words_of(reply.body))

    # How a host is reached

    async def _base(self) -> str:
        host = self._host
        if not self.endpoint.is_insecure:
            return f"https://{host}"
        if host not in self.memory.schemes:
            try:
                await self._ping("https")
                keep(self.memory.schemes, host, "https")
            except Unreachable:
                try:
                    await self._ping("http")
                except HttpError as error:
                    raise self._unanswered(host, error) from error
                keep(self.memory.schemes, host, "http")
            except HttpError as error:
                raise self._unanswered(host, error) from error
        return f"{self.memory.schemes[host]}://{host}"

    async def _ping(self, scheme: str) -> Reply:
        host = self._host
        return await self.round.pool.ask(
            "GET",
            f"{scheme}://{host}/v2/",
            headers=_HEADERS,
            context=self.round.context(self.endpoint.host, is_insecure=self.endpoint.is_insecure),
            wanted=Wanted(_SMALL, _PING_SECONDS),
        )

    async def _follow(
        self, method: str, url: str, headers: Mapping[str, str], proof: str, wanted: Wanted
    ) -> Reply:
        """Ask, and go where the answer leads, without what was shown if that is another host."""
        first, in_public = _origin(url), False
        for _ in range(_MOST_REDIRECTS + 1):
            shown = {"Authorization": proof} if proof and _origin(url) == first else {}
            reply = await self._exchange(
                method, url, {**headers, **shown}, wanted=wanted, in_public=in_public
            )
            location = reply.headers.get("location", "")
            if reply.status not in _REDIRECTS or not location:
                if reply.status in _DENIED and _origin(url) != first:
                    raise self._led_away(url, "which wants a login; none goes there")
                return reply
            in_public = reply.is_public
            url = self._next(url, location)
        raise self._led_away(url, "and on and on")

    def _next(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            parts = urlsplit(target)
            is_fit = parts.hostname and parts.username is None and parts.port != 0
        except ValueError:
            is_fit, parts, target = False, urlsplit(""), ""
        schemes = ("https", "http") if self.endpoint.is_insecure else ("https",)
        if not is_fit or parts.scheme not in schemes:
            raise self._led_away(target, "which is no encrypted address")
        return target

    def _led_away(self, url: str, why: str) -> Stalled:
        # Not `hostname`, in whose small letters a secret would not be recognized.
        where = self.shown(urlsplit(url).netloc.rpartition("@")[2] or "elsewhere")
        return Stalled(
            f"{self.doing}: {self._host} leads to {where}, {why}",
            hint="write the image's name with the host that it is at now",
        )

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        wanted: Wanted = _USUAL,
        in_public: bool = False,
    ) -> Reply:
        host = urlsplit(url).netloc
        is_own = host == self._host
        try:
            return await self.round.pool.ask(
                method,
                url,
                headers={**_HEADERS, **headers},
                body=body,
                context=self.round.context(
                    self.endpoint.host if is_own else host,
                    is_insecure=is_own and self.endpoint.is_insecure,
                )
                if url.startswith("https:")
                else None,
                wanted=wanted,
                in_public=in_public,
            )
        except HttpError as error:
            raise self._unanswered(host, error) from error

    def _unanswered(self, host: str, error: HttpError) -> Failure:
        if isinstance(error, Unreachable):
            # It may be reached in the other way by now.
            self.memory.schemes.pop(host, None)
        message = f"{self.doing}: {self.shown(host)}: {self.shown(str(error))}"
        if isinstance(error, Untrusted):
            name = self.endpoint.host if host == self._host else self.shown(host)
            place = user_folder() / name
            return Stalled(
                message,
                hint=f"put the certificate of its authority into {place}/ca.crt"
                " (man containers-certs.d)",
            )
        if isinstance(error, TooLarge):
            return AnswerTooLarge(message, hint=_TOO_LARGE)
        return Retry(message)

    # Who asks

    async def _known_proof(self, login: Login | None) -> str:
        """Return what to show without being asked: what the host wanted the last time."""
        way = self.memory.ways.get(self.endpoint.host)
        if way is None:
            return ""
        try:
            return await self._prove(way, login, refused="")
        except Failure:
            return ""  # it may want something else by now, and says so

    async def _way(self, reply: Reply, login: Login | None) -> Way | None:
        """Read what a refusal asks for; some say it only where nothing is asked."""
        if "www-authenticate" not in reply.headers:
            reply = await self._exchange("GET", f"{await self._base()}/v2/", {})
        found = challenges_of(reply.headers.get("www-authenticate", ""))
        challenge = chosen(found, has_login=login is not None)
        if challenge is None:
            return None
        way = Way(challenge, reply.is_public)
        kept = {name: text for name, text in challenge.words.items() if name in _KEPT_WORDS}
        keep(
            self.memory.ways,
            self.endpoint.host,
            Way(Challenge(challenge.scheme, kept), reply.is_public),
        )
        return way

    async def _prove(self, way: Way, login: Login | None, *, refused: str) -> str:
        """Return the Authorization header that answers a challenge; empty if there is none."""
        if way.challenge.scheme == "basic":
            return login.basic if login else ""
        for_all = login is None and quirk_of(self.endpoint.host).one_anonymous_token
        key = TokenKey(self.endpoint.host, "" if for_all else self.endpoint.path, login)
        async with self.round.getting.setdefault(key, anyio.Lock()):
            token = self.memory.token(key)
            if token is None or f"Bearer {token.text}" == refused:
                self.memory.tokens.pop(key, None)
                token = await self._get_token(way, login)
                keep(self.memory.tokens, key, token)
        self._secrets.add(token.text)
        return f"Bearer {token.text}"

    async def _get_token(self, way: Way, login: Login | None) -> Token:
        realm = realm_of(
            way.challenge,
            doing=self.doing,
            host=self.endpoint.host,
            allows_plain=self.endpoint.is_insecure,
        )
        self._mind_rest(realm.netloc)
        in_public = way.is_public and realm.hostname != urlsplit(f"//{self._host}").hostname

        async def ask(method: str, url: str, headers: dict[str, str], body: bytes) -> Reply:
            return await self._exchange(method, url, headers, body, in_public=in_public)

        scope = way.challenge.words.get("scope") or f"repository:{self.endpoint.path}:pull"
        reply = await token_reply(ask, realm, way.challenge, scope=scope, login=login)
        if reply.status in _DENIED:
            raise denied(
                self.doing, self.endpoint.host, self._words(reply), has_login=login is not None
            )
        if reply.status != _OK:
            raise self._failure(realm.netloc, reply)
        try:
            text, seconds = read_token(reply)
        except ValueError as error:
            raise Retry(f"{self.doing}: {self.shown(realm.netloc)}: {error}") from None
        return Token(text, anyio.current_time() + seconds)


_KEPT_WORDS = ("realm", "service")
"""Of a challenge: its scope is another one for each repository."""


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
