"""Which images a webhook tells of: proves or refuses the deliveries of registries.

`controllers.webhooks.router` asks. Whatever proves itself is answered with success, also if it
concerns nobody or cannot be read: Distribution would send it for ever, and nothing else.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.refusals import Refusals
from supervisor.controllers.webhooks.secrets import WebhookSecrets
from supervisor.core.githost.host import Unreadable
from supervisor.core.registryhost.senders.registry import senders
from supervisor.kit.clock import Clock
from supervisor.kit.rates import Throttle
from supervisor.model.errors import Failure
from supervisor.model.events import EventKind
from supervisor.model.registry_webhook import PREFIX, ImageNews, RegistryWebhook
from supervisor.model.settings import RegistryWebhookSettings, Settings
from supervisor.model.webhook import Answer, Delivery, Sender, WebhookMemory

if TYPE_CHECKING:
    from supervisor.core.registryhost.host import RegistryHost

_KEPT_AGAIN_SECONDS = 60.0
_SAID_AGAIN_SECONDS = 60.0
"""So often the event log tells of one image, and the ledger when a registry was heard."""

Told = Callable[[Sequence[str]], Collection[str]]
"""Takes whole names of images, with or without a tag; returns what is asked for them, if anything.

It may not wait: what it has asked is asked afterwards.
"""


class RegistryReceiver(msgspec.Struct, kw_only=True):
    """Hears registries, for all images. A `controllers.webhooks.router.Receiver`."""

    settings: CurrentSettings
    secrets: WebhookSecrets
    refusals: Refusals
    ledger: Ledger
    clock: Clock
    told: Told
    signed: Told
    """As `told`, of images by digest, `HOST/NAME@sha256:…`, of which a signature was pushed."""
    _stands: dict[str, RegistryWebhook] = {}
    _kept: Throttle = msgspec.field(default_factory=partial(Throttle, seconds=_KEPT_AGAIN_SECONDS))
    _said: Throttle = msgspec.field(default_factory=partial(Throttle, seconds=_SAID_AGAIN_SECONDS))

    def __post_init__(self) -> None:
        self.settings.subscribe(self._forget)

    def _forget(self, settings: Settings) -> None:
        registries = settings.webhooks.registries
        self._stands = {name: one for name, one in self._stands.items() if name in registries}

    def target(self, path: str) -> str | None:
        """Return what refusals are counted by, of the registry that takes webhooks on this path.

        Those that can prove nothing else have a token at the end of theirs.
        """
        name, slash, _ = path.removeprefix(PREFIX).partition("/")
        registry = self.settings.now.webhooks.registries.get(name)
        if registry is None or not path.startswith(PREFIX):
            return None
        return _target(name) if bool(slash) == _has_token(registry) else None

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        """Hear a delivery; what it names has been handed on when this returns."""
        # Not before a registry tells of something.
        from supervisor.core.registryhost import payloads  # noqa: PLC0415

        name, _, token = path.removeprefix(PREFIX).partition("/")
        registry, target = self.settings.now.webhooks.registries[name], _target(name)
        host = senders()[registry.sender]
        try:
            check = partial(_fault, host, name, token, delivery)
            fault = await self.secrets.fault(registry.secret, check)
        except Failure as failure:
            return self.refusals.refuse_unchecked(sender, failure, target)
        if refused := self.refusals.refuse_unproved(sender, fault, target):
            return refused
        if self.target(path) is None:  # the settings were read anew in the meantime
            return self.refusals.refuse_path(sender, path)
        try:
            news = payloads.read(host, delivery, registry=registry.registry)
        except Unreadable as error:
            news = ImageNews(ignored=str(error))
        return self._hear(name, registry, news)

    def _hear(self, name: str, registry: RegistryWebhookSettings, news: ImageNews) -> Answer:
        stands = self._stand(name, registry)
        now, at = anyio.current_time(), self.clock.now()
        if self._kept.passes(name, now=now):
            self.ledger.put(WebhookMemory(heard_at=at), _target(name))
        first, *others = (*news.images, *news.signed) or ("",)
        shown = f"{first} and {len(others)} more" if others else first
        asked = first and (*self.told(news.images), *self.signed(news.signed))
        word = "pushed" if news.images else "signed"
        if news.is_ping:
            text, status = f"podvisor hears of {name}", 200
            last, counts = "a ping", {}
        elif asked:
            doing = "asks for" if news.images else "looks for the signature of"
            text, status = f"podvisor {doing} {shown}", 202
            last, counts = f"{word}: {shown}", {"accepted": stands.accepted + 1}
            if self._said.passes(f"{name} {first}", now=now):
                self.ledger.log(EventKind.WEBHOOK, source=_target(name), reason=last)
        else:
            does = "follows" if news.images else "waits for a signature of"
            why = f"nothing here {does} {shown}" if first else news.ignored
            text, status = f"ignored: {why}", 202
            last, counts = text, {"ignored": stands.ignored + 1}
        self._stands[name] = msgspec.structs.replace(
            stands, heard_at=at, last=last, last_ignored="ignored" in counts, **counts
        )
        return Answer(status=status, text=text)

    async def look(self) -> None:
        """Find out of which registries deliveries could not be checked now."""
        for name, registry in self.settings.now.webhooks.registries.items():
            problem = await self.secrets.problem(registry.secret)
            self.refusals.note_problem(_target(name), problem)

    def status(self) -> tuple[RegistryWebhook, ...]:
        """Return how the webhooks of all registries stand."""
        return tuple(
            msgspec.structs.replace(
                self._stand(name, registry),
                sender=registry.sender,
                refused=self.refusals.by_target[_target(name)],
                problem=self.refusals.problems.get(_target(name), ""),
            )
            for name, registry in self.settings.now.webhooks.registries.items()
        )

    def _stand(self, name: str, registry: RegistryWebhookSettings) -> RegistryWebhook:
        if name not in self._stands:
            memory = self.ledger.get(WebhookMemory, _target(name)) or WebhookMemory()
            heard_at, sender = memory.heard_at, registry.sender
            self._stands[name] = RegistryWebhook(name=name, sender=sender, heard_at=heard_at)
        return self._stands[name]


def _target(name: str) -> str:
    return f"images/{name}"


def _has_token(registry: RegistryWebhookSettings) -> bool:
    return senders()[registry.sender].signature is None


def _fault(host: "RegistryHost", name: str, token: str, delivery: Delivery, secret: bytes) -> str:
    """Why a delivery proves nothing; empty if it does."""
    if host.signature is not None:
        return host.signature.fault(delivery, secret=secret, times=())
    from supervisor.core.registryhost import proofs  # noqa: PLC0415

    is_right = proofs.is_token(token, secret=secret, name=name)
    return "" if is_right else "what its path ends with is not the token"
