"""Who is heard: proves or refuses what comes in on the listener for webhooks.

`api.webhooks` asks; what has proved itself is handed on to `controllers.sources.webhooks`. A sender
that is refused too often (`controllers.sources.webhook_refusals`) is not heard for a while.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

import anyio
import msgspec

from supervisor.controllers.ports import Secrets, Tokens
from supervisor.controllers.sources.webhook_refusals import TOO_OFTEN, Refusals
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.githost import oidc, payloads
from supervisor.core.githost.client_address import sender
from supervisor.core.githost.host import Signature, Unreadable
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.kit.clock import Clock
from supervisor.kit.rates import SeenSet
from supervisor.kit.texts import one_line
from supervisor.model.errors import Failure, Finding
from supervisor.model.settings import SecretRef, SourceSettings
from supervisor.model.webhook import PREFIX, Answer, Delivery, Message, Refusal, Sender

_SECRET_SECONDS = 60.0
"""So long a secret is kept: a storm of webhooks must not be one of questions to Podman."""
_FRESH_SECONDS = 1.0
"""A secret that was read so lately is not read again because a signature is wrong."""
_MOST_KNOWN = 2_048
_METHOD_NOT_ALLOWED = 405

Hear = Callable[[str, Message, bool], Answer]
"""Takes the name of a source, what was said, and whether the very same had been said before."""


class _Secret(msgspec.Struct):
    content: bytes
    read_at: float

    def __repr__(self) -> str:
        return "_Secret()"


class WebhookAuthenticator(msgspec.Struct, kw_only=True):
    """Hears senders, for all sources. Serves `api.webhooks.WebhookAuthenticator`."""

    settings: CurrentSettings
    secrets: Secrets
    tokens: Tokens
    clock: Clock
    refusals: Refusals
    hear: Hear
    _kept: dict[SecretRef, _Secret] = {}
    _seen: SeenSet[bytes] = msgspec.field(default_factory=partial(SeenSet, most=_MOST_KNOWN))
    _genuine: SeenSet[bytes] = msgspec.field(default_factory=partial(SeenSet, most=_MOST_KNOWN))
    """Tokens whose signature was verified."""
    _began: tuple[float, float] | None = None
    """What time it was when the first delivery came, and how long the machine had run."""

    def __post_init__(self) -> None:
        self.settings.subscribe(lambda _: self._kept.clear())

    @property
    def body_size(self) -> int:
        """Largest body that is read."""
        return int(self.settings.now.webhooks.body_size)

    def sender(self, peer: str, headers: Mapping[str, str]) -> Sender:
        """Return who sends, where a proxy that is trusted says so."""
        proxies = self.settings.now.webhooks.trusted_proxies
        return sender(peer, headers.get("x-forwarded-for", ""), proxies)

    def admit(self, sender: Sender, *, method: str, path: str) -> Answer | None:
        """Return the refusal of whoever need not be heard at all, before a body is read.

        An address that only a proxy's word stands for may be anybody's: it is heard, and counts
        for what it proves. Else whoever can write that header could silence a Git host.
        """
        if not sender.by_proxy and self.refusals.is_spent(sender):
            return self.refusals.refuse(sender, Refusal.LIMIT, TOO_OFTEN)
        name = self._source(path)
        if name is None:
            return self._for_nobody(sender, path)
        if method != "POST":
            answer = self.refusals.refuse(sender, Refusal.PATH, "webhooks are sent with POST", name)
            return Answer(status=_METHOD_NOT_ALLOWED, text=answer.text)
        return None

    def _for_nobody(self, sender: Sender, path: str) -> Answer:
        text = f"nobody takes webhooks on {one_line(path)}"
        return self.refusals.refuse(sender, Refusal.PATH, text)

    def too_large(self, sender: Sender) -> Answer:
        """Return the refusal of a body that is over the limit."""
        limit = self.body_size >> 10
        return self.refusals.refuse(sender, Refusal.SIZE, f"its body is larger than {limit} KiB")

    def too_slow(self, sender: Sender) -> None:
        """Count one that was cut off, or broke off."""
        self.refusals.refuse(sender, Refusal.SLOW, "it took too long, or broke off")

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        """Hear a delivery; what it tells has been handed on when this returns."""
        name = self._source(path)
        if name is None:  # the settings were read anew in the meantime
            return self._for_nobody(sender, path)
        settings = self.settings.now.sources[name]
        host, message = HOSTS[settings.webhook], Message()
        try:
            if host.signature is None or host.payload is None:
                fault, message = await self._token(settings, delivery)
            elif not (fault := await self._fault(host.signature, settings, delivery)):
                message = payloads.read(host.payload, delivery)
        except Unreadable as error:
            return self.refusals.refuse(sender, Refusal.PAYLOAD, str(error), name)
        except Failure as failure:
            self.refusals.problems[name] = str(Finding.of(failure))
            # Where secrets are, and why they cannot be read, is nobody's business outside.
            text = "it cannot be checked at present"
            return self.refusals.refuse(sender, Refusal.SECRET, text, name, blame=False)
        self.refusals.problems.pop(name, None)
        if fault:
            return self.refusals.refuse(sender, Refusal.SIGNATURE, fault, name)
        return self.hear(name, message, self._is_repeat(name, delivery))

    async def look(self) -> None:
        """Find out of which sources deliveries could not be checked now."""
        for name, source in self.settings.now.sources.items():
            if source.webhook_secret:
                try:
                    await self.secret(source.webhook_secret)
                    self.refusals.problems.pop(name, None)
                except Failure as failure:
                    self.refusals.problems[name] = str(Finding.of(failure))

    def _source(self, path: str) -> str | None:
        """Return the source that takes webhooks on this path."""
        name = path.removeprefix(PREFIX)
        settings = self.settings.now.sources.get(name)
        return name if path == PREFIX + name and settings and settings.webhook else None

    def _is_repeat(self, name: str, delivery: Delivery) -> bool:
        digest = hashlib.sha256(name.encode())
        # Signed, too, or all that there is; other headers are anybody's to change.
        for header in ("webhook-id", "authorization"):
            digest.update(b"\0" + delivery.headers.get(header, "").encode())
        digest.update(b"\0" + delivery.body)
        return self._seen.saw(digest.digest())

    async def _fault(
        self, signature: Signature, settings: SourceSettings, delivery: Delivery
    ) -> str:
        """Why a delivery proves nothing, by the secret as it is now; empty if it does."""
        reference, times = settings.webhook_secret, self._times()
        secret = await self.secret(reference)
        fault = signature.fault(delivery, secret=secret, times=times)
        if not fault:
            return ""
        # It may have been changed just now.
        fresh = await self.secret(reference, no_older=_FRESH_SECONDS)
        if fresh == secret:
            return fault
        return signature.fault(delivery, secret=fresh, times=times)

    async def secret(self, reference: SecretRef, *, no_older: float = _SECRET_SECONDS) -> bytes:
        """Return a secret as it was read lately. Raises Retry or Stalled."""
        now = anyio.current_time()
        known = self._kept.get(reference)
        if known is None or known.read_at + no_older < now:
            known = _Secret(await self.secrets.read(reference), now)
            self._kept[reference] = known
        return known.content

    async def _token(self, settings: SourceSettings, delivery: Delivery) -> tuple[str, Message]:
        """Return what is wrong with a token, and what it tells."""
        kind, _, text = delivery.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return "it has no “Authorization: Bearer” with a token", Message()
        try:
            token = oidc.parse(text.strip())
        except ValueError as error:
            return str(error), Message()
        issuer = self.settings.now.webhooks.oidc_issuer
        if fault := oidc.fault(token.claims, settings, issuer=issuer, times=self._times()):
            return fault, Message()
        digest = hashlib.sha256(f"{issuer} {token.text}".encode()).digest()
        if not self._genuine.has(digest):
            name = token.key_name
            if not await self.tokens.is_genuine(token.text, issuer=issuer, key_name=name):
                return "the token is not signed by its issuer", Message()
            self._genuine.saw(digest)
        return "", oidc.message(token.claims)

    def _times(self) -> tuple[float, float]:
        """What time it is: by the clock, and by how long it is since the first delivery.

        A clock that is set, back or right, must not make podvisor deaf: one of the two will do.
        """
        now = self.clock.now()
        running = anyio.current_time() + self.clock.suspended()
        if self._began is None:
            self._began = now, running
        then, before = self._began
        return now, then + running - before
