import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from supervisor.api.metrics import Answers, exposition
from supervisor.model.certificate_status import CertificateList, CertificateState, CertificateStatus
from supervisor.model.image import ImageKnowledge, ImageQuestion, ImageVersion
from supervisor.model.image_status import ImageList, ImageStatus
from supervisor.model.status import AppState, AppStatus, SourceStatus, Status, UnitStatus

NGINX = ImageQuestion(image="docker.io/library/nginx:1.27")
OLD, NEW = (ImageVersion(runs=f"docker.io/library/nginx@sha256:{digit * 64}") for digit in "ab")


def told(answers: Answers | None) -> dict[tuple[str, ...], float]:
    """What a scraper understands, each once: the name, and values in the order of their labels."""
    families = text_string_to_metric_families(exposition(answers).decode())
    samples = [one for family in families for one in family.samples]
    found = {
        (one.name, *(one.labels[label] for label in sorted(one.labels))): one.value
        for one in samples
    }
    assert len(found) == len(samples)
    return found


def answers(**more: Any) -> Answers:
    parts: dict[str, Any] = {
        "status": Status(running=True, version="1.2.3"),
        "images": ImageList(running=True),
        "certificates": CertificateList(),
    }
    return Answers(**(parts | more))


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
    said = told(answers(status=status))
    assert said["podvisor_up",] == 1
    assert said["podvisor_build_info", "1.2.3"] == 1
    assert said["podvisor_start_time_seconds",] == 5
    states = {key[2]: value for key, value in said.items() if key[0] == "podvisor_app_state"}
    assert states == {state: state == "failing" for state in AppState}
    assert said["podvisor_unit_wanted", "web", "web.service"] == 1
    assert said["podvisor_unit_up", "web", "web.service"] == 0
    assert said["podvisor_unit_failures", "web", "web.service"] == 3
    assert said["podvisor_source_ok", "home"] == 1
    assert said["podvisor_source_ok", "far"] == 0
    assert said["podvisor_source_read_timestamp_seconds", "home"] == 7
    assert ("podvisor_source_read_timestamp_seconds", "far") not in said


def test_an_image_that_two_units_name_is_one() -> None:
    known = ImageKnowledge(question=NGINX, newest=NEW, answered_at=9.0)
    images = tuple(
        ImageStatus(app="web", image=NGINX.image, paths=(path,), running=running, known=known)
        for path, running in (("a.container", OLD), ("b.container", NEW))
    )
    silent = ImageStatus(app="web", image="localhost/own:1")
    said = told(answers(images=ImageList(running=True, images=(*images, silent))))
    assert said["podvisor_image_update_available", "web", NGINX.image] == 1
    assert said["podvisor_image_answered_timestamp_seconds", "web", NGINX.image] == 9
    assert not [key for key in said if "localhost/own:1" in key]


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
    said = told(answers(certificates=CertificateList(certificates=(base, missing))))
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
    said = told(answers(status=Status(running=True, version="1", apps=(app,))))
    assert said["podvisor_app_state", odd, "ready"] == 1


def test_the_reference_names_them_all() -> None:
    written = exposition(answers()).decode()
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text()
    documented = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert documented == re.findall(r"^# TYPE (\S+)", written, re.MULTILINE)
