"""`podvisor webhook test`: sends a delivery to the daemon's own listener, by the way of all others.

Asked by `controllers.operator.service`.
"""

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Listener
from supervisor.controllers.sources.webhook_auth import WebhookAuthenticator
from supervisor.controllers.sources.webhooks import TEST_DELIVERY, WebhookController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.core.githost.payloads import sample
from supervisor.kit.clock import Clock
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Stalled
from supervisor.model.webhook import PREFIX, WebhookTest

_ACCEPTED = 202


class WebhookTester(msgspec.Struct, frozen=True, kw_only=True):
    """Plays the Git host."""

    listener: Listener
    webhooks: WebhookController
    authenticator: WebhookAuthenticator
    queue: WorkQueue
    board: StatusBoard
    clock: Clock
    settings: CurrentSettings

    async def test(self, name: str) -> WebhookTest:
        """Send a push as the source's Git host would; returns what came of it.

        Raises Stalled where there is nothing to test, Retry or Stalled without the secret.
        """
        sources = self.settings.now.sources
        source = sources.get(name)
        if source is None:
            known = ", ".join(sources) or "none"
            raise Stalled(f"no source named {name}", hint=f"there are: {known}")
        if not source.webhook:
            hint = f'webhook = "github" or another, below [sources.{name}]; then reload podvisor'
            raise Stalled(f"source {name} takes no webhooks", hint=hint)
        if not self.listener.address:
            hint = 'listen = "127.0.0.1:9078", below [webhooks]; podvisor status says what is wrong'
            raise Stalled("nothing listens for webhooks", hint=hint)
        host = HOSTS[source.webhook]
        if host.signature is None or host.payload is None:
            hint = f"run the workflow that podvisor webhook show {name} prints"
            raise Stalled("cannot test: only GitHub can make its tokens", hint=hint)
        secret = await self.authenticator.secret(source.webhook_secret)
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
            source=name,
            read=stands is not None and not stands.error,
            revision=stands.revision if stands else "",
            error=stands.error if stands else "",
        )
