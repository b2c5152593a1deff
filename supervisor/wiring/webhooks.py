"""Who hears webhooks, wired: one receiver for sources, one for images."""

import msgspec

from supervisor.controllers.images.registry_receiver import RegistryReceiver, Told
from supervisor.controllers.sources.webhook_receiver import SourceReceiver
from supervisor.controllers.sources.webhooks import WebhookController
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.router import WebhookRouter
from supervisor.controllers.webhooks.secrets import WebhookSecrets
from supervisor.wiring.ports import Ports


class Receivers(msgspec.Struct, frozen=True, kw_only=True):
    """What the listener hands deliveries to."""

    secrets: WebhookSecrets
    of_registries: RegistryReceiver
    router: WebhookRouter


def webhook_receivers(
    ports: Ports,
    webhooks: WebhookController,
    *,
    settings: CurrentSettings,
    told: Told,
    signed: Told,
) -> Receivers:
    """Wire them; `told` and `signed` are as of `RegistryReceiver`."""
    refusals = webhooks.refusals
    secrets = WebhookSecrets(settings=settings, secrets=ports.secrets)
    of_registries = RegistryReceiver(
        settings=settings,
        secrets=secrets,
        refusals=refusals,
        ledger=ports.ledger,
        clock=ports.clock,
        told=told,
        signed=signed,
    )
    of_sources = SourceReceiver(
        settings=settings,
        secrets=secrets,
        tokens=ports.tokens,
        clock=ports.clock,
        refusals=refusals,
        hear=webhooks.hear,
    )
    receivers = (of_sources, of_registries)
    return Receivers(
        secrets=secrets,
        of_registries=of_registries,
        router=WebhookRouter(settings=settings, refusals=refusals, receivers=receivers),
    )
