"""All metrics as one text."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from supervisor.api.metrics import text
from supervisor.api.metrics.families import gauge
from supervisor.api.metrics.of_apps import (
    of_apps,
    of_certificates,
    of_images,
    of_sources,
    of_webhooks,
)
from supervisor.api.metrics.of_daemon import of_daemon
from supervisor.model.counters import Metrics


def exposition(metrics: Metrics | None) -> bytes:
    """Return the metrics; without an answer, that there is no daemon."""
    return text.written(families(metrics))


def families(metrics: Metrics | None) -> Iterator[Metric]:
    """Yield all families; one of which there is nothing to say has no samples."""
    up = gauge("up", "1 if the daemon answers.")
    up.add_metric([], metrics is not None)
    yield up
    if metrics:
        yield from of_daemon(metrics.status, metrics.counters)
        yield from of_apps(metrics.status)
        yield from of_sources(metrics.status, metrics.counters)
        yield from of_webhooks(metrics.status)
        yield from of_images(metrics.status)
        yield from of_certificates(metrics.certificates)
