"""Families of metrics, under podvisor's name; a short way to make them."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily


def gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    """Return one for what goes up and down."""
    return GaugeMetricFamily(f"podvisor_{name}", documentation, labels=labels)


def counter(name: str, documentation: str, *labels: str) -> CounterMetricFamily:
    """Return one for what only grows, from 0 when the daemon starts; `_total` is added."""
    return CounterMetricFamily(f"podvisor_{name}", documentation, labels=labels)


def summary(name: str, documentation: str, *labels: str) -> SummaryMetricFamily:
    """Return one for how many there were (`_count`), and what they came to (`_sum`)."""
    return SummaryMetricFamily(f"podvisor_{name}", documentation, labels=labels)
