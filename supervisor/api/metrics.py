"""What Prometheus is told, in its text format: of what the daemon answers to some questions.

Names and units follow https://prometheus.io/docs/practices/naming/. Only who asks for metrics loads
this, and prometheus-client with it.
"""

from collections.abc import Iterator, Mapping

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from supervisor.model.certificate_status import CertificateList, CertificateState
from supervisor.model.image_status import ImageList, ImageStatus
from supervisor.model.status import AppState, Status

QUESTIONS = ("/v1/status", "/v1/images", "/v1/certificates")
"""That metrics are made of the answers to."""


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics are made of."""

    status: Status
    images: ImageList
    certificates: CertificateList

    @classmethod
    def read(cls, bodies: Mapping[str, bytes]) -> "Answers":
        """Read them as the daemon gave them, by the path of each of `QUESTIONS`."""
        status, images, certificates = (bodies[path] for path in QUESTIONS)
        return cls(
            status=msgspec.json.decode(status, type=Status),
            images=msgspec.json.decode(images, type=ImageList),
            certificates=msgspec.json.decode(certificates, type=CertificateList),
        )


def exposition(answers: Answers | None) -> bytes:
    """Return the metrics; without answers, that there is no daemon."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(answers))
    return generate_latest(registry)


class _Collector:
    """Serves one exposition."""

    def __init__(self, answers: Answers | None) -> None:
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("podvisor_up", "Whether the daemon answers.")
        up.add_metric([], self._answers is not None)
        yield up
        if self._answers:
            yield from _daemon(self._answers.status)
            yield from _apps(self._answers.status)
            yield from _sources(self._answers.status)
            yield from _images(self._answers.images)
            yield from _certificates(self._answers.certificates)


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"podvisor_{name}", documentation, labels=labels)


def _daemon(status: Status) -> Iterator[Metric]:
    yield InfoMetricFamily("podvisor_build", "Which podvisor.", {"version": status.version})
    started = _gauge("start_time_seconds", "When the daemon started, in seconds since 1970.")
    started.add_metric([], status.started_at)
    yield started
    problems = _gauge("problems", "What is wrong with podvisor itself, as its status says.")
    problems.add_metric([], sum(one.fatal for one in status.problems))
    yield problems


def _apps(status: Status) -> Iterator[Metric]:
    states = _gauge("app_state", "1 for the state that an app is in.", "app", "state")
    applied = _gauge("app_applied_timestamp_seconds", "When it changed last.", "app")
    wanted = _gauge("unit_wanted", "Whether a unit should run now.", "app", "unit")
    up = _gauge("unit_up", "Whether a unit runs.", "app", "unit")
    failures = _gauge("unit_failures", "In vain started, this often in a row.", "app", "unit")
    for app in status.apps:
        for state in AppState:
            states.add_metric([app.name, state], app.state is state)
        if app.applied_at:
            applied.add_metric([app.name], app.applied_at)
        for unit in app.units:
            wanted.add_metric([app.name, unit.name], unit.wanted)
            up.add_metric([app.name, unit.name], unit.up)
            failures.add_metric([app.name, unit.name], unit.failures)
    yield from (states, applied, wanted, up, failures)


def _sources(status: Status) -> Iterator[Metric]:
    ok = _gauge("source_ok", "Whether it could be read the last time.", "source")
    read = _gauge("source_read_timestamp_seconds", "When it was read last.", "source")
    for source in status.sources:
        ok.add_metric([source.name], not source.error)
        if source.read_at:
            read.add_metric([source.name], source.read_at)
    yield from (ok, read)


def _images(images: ImageList) -> Iterator[Metric]:
    newer = _gauge("image_update_available", "Whether a newer one is known.", "app", "image")
    answered = _gauge(
        "image_answered_timestamp_seconds", "When its registry answered last.", "app", "image"
    )
    # Of units that name the same image, one line: a pair of labels may be there once.
    for (app, image), some in _by_name(images).items():
        newer.add_metric([app, image], any(one.newer for one in some))
        heard = [one.known.answered_at for one in some if one.known and one.known.answered_at]
        if heard:
            answered.add_metric([app, image], min(heard))
    yield from (newer, answered)


def _by_name(images: ImageList) -> dict[tuple[str, str], list[ImageStatus]]:
    found: dict[tuple[str, str], list[ImageStatus]] = {}
    for one in images.images:
        if one.known:
            found.setdefault((one.app, one.image), []).append(one)
    return found


def _certificates(certificates: CertificateList) -> Iterator[Metric]:
    labels = ("certificate", "app", "issuer")
    states = _gauge("certificate_state", "1 for the state that it is in.", *labels, "state")
    expiry = _gauge("certificate_expiry_timestamp_seconds", "When it expires.", *labels)
    renewal = _gauge("certificate_renewal_timestamp_seconds", "When it is renewed.", *labels)
    for one in certificates.certificates:
        of = [one.name, one.app, one.issuer]
        for state in CertificateState:
            states.add_metric([*of, state], one.state is state)
        if one.expires:
            expiry.add_metric(of, one.expires)
        if one.renew_at:
            renewal.add_metric(of, one.renew_at)
    yield from (states, expiry, renewal)
