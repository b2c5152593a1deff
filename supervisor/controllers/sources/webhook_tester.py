"""`podvisor webhook test`: sends a delivery to the daemon's own listener, by the way of all others.

Asked by `controllers.operator.service`.
"""

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Listener
from supervisor.controllers.sources.webhooks import TEST_DELIVERY, WebhookController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.webhooks.secrets import WebhookSecrets
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.core.githost.payloads import sample
from supervisor.core.registryhost.senders.registry import senders
from supervisor.kit.clock import Clock
from supervisor.kit.texts import meant
from supervisor.kit.workqueue import WorkQueue
from supervisor.model import registry_webhook
from supervisor.model.errors import Stalled
from supervisor.model.settings import RegistryWebhookSettings, SourceSettings
from supervisor.model.webhook import PREFIX, WebhookTest

_ACCEPTED = 202


class WebhookTester(msgspec.Struct, frozen=True, kw_only=True):
    """Plays the Git host, or the registry."""

    listener: Listener
    webhooks: WebhookController
    secrets: WebhookSecrets
    queue: WorkQueue
    board: StatusBoard
    clock: Clock
    settings: CurrentSettings

    async def test(self, name: str) -> WebhookTest:
        """Send a push as the source's Git host, or the registry, would; returns what came of it.

        Raises Stalled where there is nothing to test, Retry or Stalled without the secret.
        """
        source = self.settings.now.sources.get(name)
        if source and not source.webhook:
            source = None
        target = source or self.settings.now.webhooks.registries.get(name)
        if target is None:
            raise self._nothing_to_test(name)
        if not self.listener.address:
            hint = 'listen = "127.0.0.1:9078", below [webhooks]; podvisor status says what is wrong'
            raise Stalled("nothing listens for webhooks", hint=hint)
        if isinstance(target, SourceSettings):
            return await self._test_source(name, target)
        return await self._test_registry(name, target)

    def _nothing_to_test(self, name: str) -> Stalled:
        settings = self.settings.now
        if name in settings.sources:
            hint = f'webhook = "github" or another, below [sources.{name}]; then reload podvisor'
            return Stalled(f"source {name} takes no webhooks", hint=hint)
        known = [*settings.sources, *settings.webhooks.registries]
        hint = meant(name, known, f"there are: {', '.join(known) or 'none'}")
        return Stalled(f"no source or registry named {name}", hint=hint)

    async def _test_source(self, name: str, source: SourceSettings) -> WebhookTest:
        host = HOSTS[source.webhook]
        if host.signature is None or host.payload is None:
            hint = f"run the workflow that podvisor webhook show {name} prints"
            raise Stalled("cannot test: only GitHub can make its tokens", hint=hint)
        secret = await self.secrets.read(source.webhook_secret)
        now = self.clock.now()
        delivery = f"{TEST_DELIVERY}{int(now)}"
        headers, body = sample(host.payload, source, delivery=delivery)
        headers |= host.signature.sign(body, secret=secret, delivery=delivery, time=now)
        mark = self.queue.generation()
        status, answer = await self.listener.knock(PREFIX + name, headers=headers, body=body)
        stands = None
        heard = self.webhooks.status_of(name)
        if status == _ACCEPTED and heard and not heard.last_ignored:
            await self.queue.wait_for_pass([Kind.SOURCE.key(name)], since=mark)
            stands = self.board.sources.get(name)
        return WebhookTest(
            address=self.listener.address,
            path=PREFIX + name,
            status=status,
            answer=answer,
            target=name,
            read=stands is not None and not stands.error,
            revision=stands.revision if stands else "",
            error=stands.error if stands else "",
        )

    async def _test_registry(self, name: str, registry: RegistryWebhookSettings) -> WebhookTest:
        """Tell of an image that nobody follows: what counts is that it is heard."""
        # For a person who asks for it.
        from supervisor.core.registryhost import payloads, proofs  # noqa: PLC0415

        host, path = senders()[registry.sender], registry_webhook.PREFIX + name
        secret, now = await self.secrets.read(registry.secret), self.clock.now()
        headers, body = payloads.sample(host, registry=registry.registry)
        sent, shown = path, path
        if host.signature is None:
            sent, shown = f"{path}/{proofs.path_token(secret, name)}", f"{path}/…"
        else:
            delivery = f"{TEST_DELIVERY}{int(now)}"
            own = host.signature.sign(body, secret=secret, delivery=delivery, time=now)
            headers = {**headers, **own}
        status, answer = await self.listener.knock(sent, headers=headers, body=body)
        return WebhookTest(
            address=self.listener.address,
            path=shown,
            status=status,
            answer=answer,
            target=name,
            is_registry=True,
        )
