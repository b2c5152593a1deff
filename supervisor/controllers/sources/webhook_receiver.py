"""Which source a webhook tells of: proves or refuses the deliveries of Git hosts.

`controllers.webhooks.router` asks; what has proved itself is handed on to
`controllers.sources.webhooks`.
"""

import hashlib
from collections.abc import Callable
from functools import partial

import anyio
import msgspec

from supervisor.controllers.ports import Tokens
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.refusals import Refusals
from supervisor.controllers.webhooks.secrets import WebhookSecrets
from supervisor.core.githost import oidc, payloads
from supervisor.core.githost.host import Signature, Unreadable
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.kit.clock import Clock
from supervisor.kit.rates import SeenSet
from supervisor.model.errors import Failure
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import PREFIX, Answer, Delivery, Message, Refusal, Sender

_MOST_KNOWN = 2_048

Hear = Callable[[str, Message, bool], Answer]
"""Takes the name of a source, what was said, and whether the very same had been said before."""


class SourceReceiver(msgspec.Struct, kw_only=True):
    """Hears Git hosts, for all sources. A `controllers.webhooks.router.Receiver`."""

    settings: CurrentSettings
    secrets: WebhookSecrets
    tokens: Tokens
    clock: Clock
    refusals: Refusals
    hear: Hear
    _seen: SeenSet[bytes] = msgspec.field(default_factory=partial(SeenSet, most=_MOST_KNOWN))
    _genuine: SeenSet[bytes] = msgspec.field(default_factory=partial(SeenSet, most=_MOST_KNOWN))
    """Tokens whose signature was verified."""
    _began: tuple[float, float] | None = None
    """What time it was when the first delivery came, and how long the machine had run."""

    def target(self, path: str) -> str | None:
        """Return the source that takes webhooks on this path."""
        name = path.removeprefix(PREFIX)
        settings = self.settings.now.sources.get(name)
        return name if path == PREFIX + name and settings and settings.webhook else None

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        """Hear a delivery; what it tells has been handed on when this returns."""
        name = path.removeprefix(PREFIX)
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
            return self.refusals.refuse_unchecked(sender, failure, name)
        if refused := self.refusals.refuse_unproved(sender, fault, name):
            return refused
        if self.target(path) is None:  # the settings were read anew in the meantime
            return self.refusals.refuse_path(sender, path)
        return self.hear(name, message, self._is_repeat(name, delivery))

    async def look(self) -> None:
        """Find out of which sources deliveries could not be checked now."""
        for name, source in self.settings.now.sources.items():
            if source.webhook_secret:
                problem = await self.secrets.problem(source.webhook_secret)
                self.refusals.note_problem(name, problem)

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
        times = self._times()

        def check(secret: bytes) -> str:
            return signature.fault(delivery, secret=secret, times=times)

        return await self.secrets.fault(settings.webhook_secret, check)

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
