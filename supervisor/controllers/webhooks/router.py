"""Which receiver a request on the listener for webhooks is for, and who is not heard at all.

`api.webhooks` asks. A sender that is refused too often (`controllers.webhooks.refusals`) is not
heard for a while.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.refusals import TOO_OFTEN, Refusals
from supervisor.core.githost.client_address import sender
from supervisor.model.webhook import Answer, Delivery, Refusal, Sender

_METHOD_NOT_ALLOWED = 405


class Receiver(Protocol):
    """Takes the deliveries of some paths."""

    def target(self, path: str) -> str | None:
        """Return what refusals on this path are counted by; None if it takes nothing there."""

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        """Hear a delivery on such a path, or refuse it; what it tells has then been handed on."""

    async def look(self) -> None:
        """Find out whose deliveries could not be checked now."""


class WebhookRouter(msgspec.Struct, frozen=True, kw_only=True):
    """One for the listener. Serves `api.webhooks.WebhookRouter`."""

    settings: CurrentSettings
    refusals: Refusals
    receivers: Sequence[Receiver]

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
        target = next(filter(None, (one.target(path) for one in self.receivers)), None)
        if target is None:
            return self.refusals.refuse_path(sender, path)
        if method != "POST":
            text = "webhooks are sent with POST"
            answer = self.refusals.refuse(sender, Refusal.PATH, text, target)
            return Answer(status=_METHOD_NOT_ALLOWED, text=answer.text)
        return None

    def too_large(self, sender: Sender) -> Answer:
        """Return the refusal of a body that is over the limit."""
        limit = self.body_size >> 10
        return self.refusals.refuse(sender, Refusal.SIZE, f"its body is larger than {limit} KiB")

    def too_slow(self, sender: Sender) -> None:
        """Count one that was cut off, or broke off."""
        self.refusals.refuse(sender, Refusal.SLOW, "it took too long, or broke off")

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        """Hear a delivery; what it tells has been handed on when this returns."""
        for one in self.receivers:
            if one.target(path) is not None:
                return await one.receive(sender, path=path, delivery=delivery)
        # The settings were read anew in the meantime.
        return self.refusals.refuse_path(sender, path)

    async def look(self) -> None:
        """Find out whose deliveries could not be checked now."""
        for one in self.receivers:
            await one.look()
