"""Metrics of what is looked after: apps and units, sources, webhooks, images, certificates."""

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

from supervisor.api.metrics.families import counter, gauge
from supervisor.controllers.keys import Kind
from supervisor.model.certificate_status import CertificateState, CertificateStatus
from supervisor.model.counters import Counters
from supervisor.model.health import Health
from supervisor.model.status import AppState, Status
from supervisor.model.webhook import Refusal


def of_apps(status: Status) -> Iterator[Metric]:
    """Yield those of apps and their units."""
    states = gauge(
        "app_state", "1 for the state that an app is in, 0 for the others.", "app", "state"
    )
    applied = gauge("app_applied_timestamp_seconds", "When an app changed last.", "app")
    trial = gauge("app_on_trial", "1 while the gate of an app's release has not decided.", "app")
    wanted = gauge(
        "unit_wanted", "1 if a unit should run now and no condition keeps it.", "app", "unit"
    )
    up = gauge("unit_up", "1 if a unit runs, or has ended as a job should.", "app", "unit")
    healthy = gauge(
        "unit_healthy",
        "1 if a unit's checks find it well, 0 if they do not (yet); of units that are checked.",
        "app",
        "unit",
    )
    failures = gauge(
        "unit_failures", "How often in a row a unit was started in vain.", "app", "unit"
    )
    for app in status.apps:
        for state in AppState:
            states.add_metric([app.name, state], app.state is state)
        if app.applied_at:
            applied.add_metric([app.name], app.applied_at)
        if app.stale:
            continue  # of its units, and of its trial, nobody knows yet
        trial.add_metric([app.name], bool(app.gate))
        for unit in app.units:
            of = [app.name, unit.name]
            wanted.add_metric(of, unit.wanted and not unit.unmet)
            up.add_metric(of, unit.up or unit.ended_well)
            if unit.health is not Health.NONE:
                healthy.add_metric(of, unit.health is Health.HEALTHY)
            failures.add_metric(of, unit.failures)
    yield from (states, applied, trial, wanted, up, healthy, failures)


def of_sources(status: Status, counters: Counters) -> Iterator[Metric]:
    """Yield those of sources."""
    ok = gauge("source_ok", "1 if a source could be read the last time.", "source")
    read = gauge(
        "source_read_timestamp_seconds", "When a source was last read without an error.", "source"
    )
    failures = gauge("source_failures", "How often in a row a source could not be read.", "source")
    for source in status.sources:
        ok.add_metric([source.name], not source.error)
        if source.read_at:
            read.add_metric([source.name], source.read_at)
        failures.add_metric([source.name], counters.failing.get(Kind.SOURCE.key(source.name), 0))
    yield from (ok, read, failures)


def of_webhooks(status: Status) -> Iterator[Metric]:
    """Yield those of webhooks, of Git hosts and of registries."""
    listening = gauge(
        "webhook_listener_open", "1 if webhooks are listened for, as the settings say."
    )
    refusals = counter("webhook_refusals", "Requests for webhooks that were refused.", "reason")
    if status.webhooks:
        listening.add_metric([], status.webhooks.open)
        for reason in Refusal:
            refusals.add_metric([reason], status.webhooks.refused.get(reason, 0))
    pushes = counter(
        "source_webhooks",
        "Webhooks for a source: accepted (repeated ones among them), repeated, ignored or refused.",
        "source",
        "outcome",
    )
    for source in status.sources:
        for outcome in ("accepted", "repeated", "ignored", "refused") if source.webhook else ():
            pushes.add_metric([source.name, outcome], getattr(source.webhook, outcome))
    images = counter(
        "registry_webhooks",
        "Webhooks of a registry: accepted, ignored or refused.",
        "registry",
        "outcome",
    )
    for registry in status.registry_webhooks:
        for outcome in ("accepted", "ignored", "refused"):
            images.add_metric([registry.name, outcome], getattr(registry, outcome))
    yield from (listening, refusals, pushes, images)


def of_images(status: Status) -> Iterator[Metric]:
    """Yield those of images that are followed."""
    newer = gauge(
        "image_update_available",
        "1 for an image of which a newer version is known and not run, whatever keeps it.",
        "app",
        "image",
    )
    # Of units that name the same image, one line: a pair of labels may be there once.
    for name, image in sorted(
        {(app.name, one.image) for app in status.apps for one in app.updates}
    ):
        newer.add_metric([name, image], 1)
    unknown = gauge(
        "images_unknown",
        "Images of which it is not known whether there is a newer version, by registry.",
        "registry",
    )
    silent: dict[str, int] = {}
    for one in status.unknown_images:
        silent[one.registry] = silent.get(one.registry, 0) + one.images
    for registry, images in silent.items():
        unknown.add_metric([registry], images)
    yield from (newer, unknown)


def of_certificates(certificates: Iterable[CertificateStatus]) -> Iterator[Metric]:
    """Yield those of certificates."""
    labels = ("certificate", "app", "issuer")
    states = gauge(
        "certificate_state",
        "1 for the state that a certificate is in, 0 for the others.",
        *labels,
        "state",
    )
    expiry = gauge(
        "certificate_expiry_timestamp_seconds",
        "When the certificate that is installed expires.",
        *labels,
    )
    renewal = gauge(
        "certificate_renewal_timestamp_seconds", "When a certificate is to be renewed.", *labels
    )
    for one in certificates:
        of = [one.name, one.app, one.issuer]
        for state in CertificateState:
            states.add_metric([*of, state], one.state is state)
        if one.expires:
            expiry.add_metric(of, one.expires)
        if one.renew_at:
            renewal.add_metric(of, one.renew_at)
    yield from (states, expiry, renewal)
