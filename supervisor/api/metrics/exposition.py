"""All metrics as one text."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from supervisor.api.metrics.answers import Answers
from supervisor.api.metrics.families import gauge
from supervisor.api.metrics.of_apps import (
    of_apps,
    of_certificates,
    of_images,
    of_sources,
    of_webhooks,
)
from supervisor.api.metrics.of_daemon import of_daemon


def exposition(answers: Answers | None) -> bytes:
    """Return the metrics; without answers, that there is no daemon."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(answers))
    return generate_latest(registry)


def families(answers: Answers | None) -> Iterator[Metric]:
    """Yield all families; one of which there is nothing to say has no samples."""
    up = gauge("up", "1 if the daemon answers.")
    up.add_metric([], answers is not None)
    yield up
    if answers:
        yield from of_daemon(answers.status, answers.counters)
        yield from of_apps(answers.status)
        yield from of_sources(answers.status, answers.counters)
        yield from of_webhooks(answers.status)
        yield from of_images(answers.images)
        yield from of_certificates(answers.certificates)


class _Collector:
    """Serves one exposition."""

    def __init__(self, answers: Answers | None) -> None:
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        return families(self._answers)
