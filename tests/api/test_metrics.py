import re
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from supervisor.api.metrics import exposition, families
from supervisor.model.certificate_status import CertificateState, CertificateStatus
from supervisor.model.counters import (
    Counters,
    Metrics,
    NotifierCount,
    PassCount,
    ProcessUsage,
    QueueLength,
)
from supervisor.model.health import Health
from supervisor.model.image import HeldUpdate, ImageVersion
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.registry_webhook import RegistryWebhook
from supervisor.model.status import (
    AppState,
    AppStatus,
    SourceStatus,
    Status,
    UnitStatus,
    UnknownImages,
)
from supervisor.model.webhook import ListenerStatus, SourceWebhook

NEW = ImageVersion(runs=f"docker.io/library/nginx@sha256:{'b' * 64}")


def told(metrics: Metrics | None) -> dict[tuple[str, ...], float]:
    """What a scraper understands, each once: the name, and values in the order of their labels."""
    families = text_string_to_metric_families(exposition(metrics).decode())
    samples = [one for family in families for one in family.samples]
    found = {
        (one.name, *(one.labels[label] for label in sorted(one.labels))): one.value
        for one in samples
    }
    assert len(found) == len(samples)
    return found


def metrics(**more: Any) -> Metrics:
    return Metrics(**({"status": Status(running=True, version="1.2.3", apps=())} | more))


def test_no_daemon() -> None:
    assert told(None) == {("podvisor_up",): 0}


def test_apps_units_and_sources() -> None:
    unit = UnitStatus(name="web.service", active="failed", sub="", wanted=True, failures=3)
    status = Status(
        running=True,
        version="1.2.3",
        started_at=5.0,
        apps=(AppStatus(name="web", source="home", state=AppState.FAILING, units=(unit,)),),
        sources=(
            SourceStatus(name="home", location="/apps", read_at=7.0),
            SourceStatus(name="far", location="https://example.org", error="out of reach"),
        ),
    )
    said = told(metrics(status=status))
    assert said["podvisor_up",] == 1
    assert said["podvisor_build_info", "1.2.3"] == 1
    assert said["podvisor_daemon_start_time_seconds",] == 5
    states = {key[2]: value for key, value in said.items() if key[0] == "podvisor_app_state"}
    assert states == {state: state == "failing" for state in AppState}
    assert said["podvisor_unit_wanted", "web", "web.service"] == 1
    assert said["podvisor_unit_up", "web", "web.service"] == 0
    assert said["podvisor_unit_failures", "web", "web.service"] == 3
    assert said["podvisor_source_ok", "home"] == 1
    assert said["podvisor_source_ok", "far"] == 0
    assert ("podvisor_unit_healthy", "web", "web.service") not in said
    assert said["podvisor_source_read_timestamp_seconds", "home"] == 7
    assert ("podvisor_source_read_timestamp_seconds", "far") not in said


def test_an_image_that_two_units_name_is_one() -> None:
    updates = tuple(
        HeldUpdate(app="web", question=key, image="nginx:1.27", version=NEW, why="a cooldown")
        for key in ("one", "two")
    )
    app = AppStatus(name="web", source="", state=AppState.READY, updates=updates)
    said = told(metrics(status=Status(running=True, version="1", apps=(app,))))
    assert said["podvisor_image_update_available", "web", "nginx:1.27"] == 1


def test_images_of_which_nothing_is_known_are_counted_by_their_registry() -> None:
    unknown = tuple(
        UnknownImages(registry=registry, images=images, problem="no answer")
        for registry, images in (("ghcr.io", 2), ("quay.io", 1), ("ghcr.io", 3))
    )
    said = told(metrics(status=Status(running=True, version="1", apps=(), unknown_images=unknown)))
    assert said["podvisor_images_unknown", "ghcr.io"] == 5
    assert said["podvisor_images_unknown", "quay.io"] == 1


def test_when_certificates_expire() -> None:
    base = CertificateStatus(
        name="web",
        app="web",
        state=CertificateState.VALID,
        domains=("example.org",),
        issuer="letsencrypt",
        expires=30.0,
        renew_at=20.0,
    )
    missing = CertificateStatus(
        name="new", app="web", state=CertificateState.MISSING, domains=("a.example",), issuer="x"
    )
    said = told(metrics(certificates=(base, missing)))
    of = ("web", "web", "letsencrypt")
    assert said["podvisor_certificate_expiry_timestamp_seconds", *of] == 30
    assert said["podvisor_certificate_renewal_timestamp_seconds", *of] == 20
    assert said["podvisor_certificate_state", *of, "valid"] == 1
    assert said["podvisor_certificate_state", *of, "expired"] == 0
    assert ("podvisor_certificate_expiry_timestamp_seconds", "web", "new", "x") not in said
    assert said["podvisor_certificate_state", "web", "new", "x", "missing"] == 1


def test_words_from_outside_stay_in_their_place() -> None:
    odd = 'a"b\\c\nd{} 1'
    app = AppStatus(name=odd, source="", state=AppState.READY)
    said = told(metrics(status=Status(running=True, version="1", apps=(app,))))
    assert said["podvisor_app_state", odd, "ready"] == 1


def test_what_the_daemon_has_done() -> None:
    counters = Counters(
        passes={"app": PassCount(ended=3, seconds=4.5, retries=2)},
        failing={"source:home": 2},
        queue=QueueLength(later=7),
        events={"applied": 1, "step-start-failed": 2},
        releases={"failed": 1},
        repairs={"unit": 4},
        pulls={"pulled": 5},
        process=ProcessUsage(user_seconds=1.5, waits=9, resident_bytes=30 << 20, open_files=12),
    )
    source = SourceStatus(name="home", location="/apps")
    status = Status(running=True, version="1", apps=(), sources=(source,))
    said = told(metrics(counters=counters, status=status))
    assert said["podvisor_pass_duration_seconds_count", "app"] == 3
    assert said["podvisor_pass_duration_seconds_sum", "app"] == 4.5
    assert said["podvisor_pass_duration_seconds_count", "image"] == 0
    assert said["podvisor_pass_failures_total", "retry", "app"] == 2
    assert said["podvisor_pass_failures_total", "stall", "app"] == 0
    assert said["podvisor_source_failures", "home"] == 2
    assert said["podvisor_queue_keys", "later"] == 7
    assert said["podvisor_queue_keys", "ready"] == 0
    assert said["podvisor_events_total", "step-start-failed"] == 2
    assert said["podvisor_events_total", "reverted"] == 0
    assert said["podvisor_releases_total", "failed"] == 1
    assert said["podvisor_releases_total", "good"] == 0
    assert said["podvisor_repairs_total", "unit"] == 4
    assert said["podvisor_image_pulls_total", "pulled"] == 5
    assert said["podvisor_daemon_cpu_seconds_total", "user"] == 1.5
    assert said["podvisor_daemon_context_switches_total", "voluntary"] == 9
    assert said["podvisor_daemon_resident_memory_bytes",] == 30 << 20
    assert said["podvisor_daemon_open_fds",] == 12


def test_notifiers_are_told_of_by_name() -> None:
    some = {"phone": NotifierCount(sent=3, failed=1, waiting=2, failing=True)}
    said = told(metrics(counters=Counters(notifiers={**some, "mail": NotifierCount()})))
    assert said["podvisor_notifications_total", "phone", "sent"] == 3
    assert said["podvisor_notifications_total", "phone", "failed"] == 1
    assert said["podvisor_notifications_total", "mail", "failed"] == 0
    assert said["podvisor_notifications_waiting", "phone"] == 2
    assert said["podvisor_notifier_ok", "phone"] == 0
    assert said["podvisor_notifier_ok", "mail"] == 1


def test_what_is_wrong_is_counted_by_its_code() -> None:
    wrong = tuple(
        Incident(code=IncidentCode.UNIT_DOWN, app="web", subject=unit, text="down")
        for unit in ("a.service", "b.service")
    )
    said = told(metrics(status=Status(running=True, version="1", apps=(), incidents=wrong)))
    found = {key[1]: value for key, value in said.items() if key[0] == "podvisor_incidents"}
    assert found == {code: 2 * (code == "unit-down") for code in IncidentCode}


def test_checks_and_trials() -> None:
    units = tuple(
        UnitStatus(name=f"{health or 'none'}.service", active="active", sub="", health=health)
        for health in Health
    )
    app = AppStatus(name="web", source="", state=AppState.CHANGING, gate="more", units=units)
    said = told(metrics(status=Status(running=True, version="1", apps=(app,))))
    assert said["podvisor_app_on_trial", "web"] == 1
    found = {key[2]: value for key, value in said.items() if key[0] == "podvisor_unit_healthy"}
    assert found == {"healthy.service": 1, "starting.service": 0, "unhealthy.service": 0}


def test_who_is_down_is_wanted_and_not_up() -> None:
    units = (
        UnitStatus(name="job.service", active="inactive", sub="", wanted=True, ended_well=True),
        UnitStatus(name="odd.service", active="inactive", sub="", wanted=True, unmet="Condition"),
        UnitStatus(name="bad.service", active="failed", sub="", wanted=True),
    )
    app = AppStatus(name="web", source="", state=AppState.FAILING, units=units)
    said = told(metrics(status=Status(running=True, version="1", apps=(app,))))

    def down(unit: UnitStatus) -> bool:
        wanted, up = (said[f"podvisor_unit_{word}", "web", unit.name] for word in ("wanted", "up"))
        return wanted > up

    assert [down(unit) for unit in units] == [unit.is_down for unit in units]


def test_webhooks() -> None:
    webhook = SourceWebhook(scheme="forgejo", accepted=3, repeated=1, refused=2)
    status = Status(
        running=True,
        version="1",
        apps=(),
        sources=(
            SourceStatus(name="home", location="/apps", webhook=webhook),
            SourceStatus(name="folder", location="/apps"),
        ),
        webhooks=ListenerStatus(address="127.0.0.1:1", open=True, refused={"signature": 2}),
        registry_webhooks=(RegistryWebhook(name="zot", sender="zot", ignored=4),),
    )
    said = told(metrics(status=status))
    assert said["podvisor_webhook_listener_open",] == 1
    assert said["podvisor_webhook_refusals_total", "signature"] == 2
    assert said["podvisor_webhook_refusals_total", "path"] == 0
    assert said["podvisor_source_webhooks_total", "accepted", "home"] == 3
    assert said["podvisor_source_webhooks_total", "refused", "home"] == 2
    assert ("podvisor_source_webhooks_total", "accepted", "folder") not in said
    assert said["podvisor_registry_webhooks_total", "ignored", "zot"] == 4
    without = told(metrics())
    assert not [key for key in without if "webhook" in key[0]]


def test_the_text_is_what_prometheus_client_writes() -> None:
    odd = 'a"b\\c\nd{} 1é'
    units = (UnitStatus(name=odd, active="active", sub="", health=Health.HEALTHY, failures=10**7),)
    apps = tuple(
        AppStatus(name=name, source="", state=AppState.READY, applied_at=1.7e9 + 0.25, units=units)
        for name in (odd, "web")
    )
    counters = Counters(events={"applied": 3}, passes={"app": PassCount(ended=3, seconds=1e-9)})
    full = metrics(status=Status(running=True, version=odd, apps=apps), counters=counters)

    class Collector:
        def collect(self) -> Any:
            return families(full)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    assert exposition(full) == generate_latest(registry)


def test_names_keep_the_conventions() -> None:
    for one in families(metrics()):
        assert re.fullmatch(r"podvisor_[a-z]+(_[a-z]+)*", one.name)
        assert one.documentation.endswith(".")
        assert one.documentation[0].isupper() or one.documentation[0] == "1"


def test_no_family_is_there_twice() -> None:
    names = [one.name for one in families(metrics())]
    assert len(set(names)) == len(names)
