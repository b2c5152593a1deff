"""Who uses a certificate, and who still runs with another version of it."""

import msgspec
import pytest

from supervisor.controllers.desired.unit_index import UnitIndex
from supervisor.core.plan.certificates import described, has_taken_up, users_of, yet_to_take_up
from supervisor.model.certificate import CertificateTerms, CertificateUse, DesiredCertificate
from supervisor.model.errors import Finding
from supervisor.model.observed import AppliedApp, UnitInputs
from tests.fakes.machine import app, container, deploy

OLD = app("web", container("web", certificate_uses=(CertificateUse(name="site"),)))
NEW = app(
    "web",
    container("web", version="2", certificate_uses=(CertificateUse(name="site"),)),
    container("mail", certificate_uses=(CertificateUse(name="mx"), CertificateUse(name="site"))),
    revision="r2",
)


def asking(one, *domains, name="site"):
    certificate = DesiredCertificate(
        name=name, path=f"{name}.certificate", terms=CertificateTerms(domains=domains)
    )
    return msgspec.structs.replace(one, certificates=(*one.certificates, certificate))


def applied(name, **units):
    inputs = {
        f"{unit}.service": UnitInputs(digest="1", certificates=had) for unit, had in units.items()
    }
    return AppliedApp(
        name=name, source="home", revision="r1", content="c", applied_at=0.0, units=inputs
    )


def test_users_are_those_of_what_is_wanted_and_of_the_way_back():
    deployments = [deploy(NEW, OLD), deploy(app("other", container("other")))]
    assert users_of("site", deployments) == {"web": ("web.service", "mail.service")}
    assert users_of("nobody's", deployments) == {}


def test_whoever_runs_with_another_version_is_yet_to_take_it_up():
    known = {"web": applied("web", web={"site": "v1"}, mail={"site": "v2"})}
    late = yet_to_take_up("site", "v2", [deploy(NEW, OLD)], known)
    assert late == {"web": ("web.service",)}


def test_what_was_never_started_takes_up_what_there_is_when_it_is():
    assert yet_to_take_up("site", "v2", [deploy(NEW)], {}) == {}
    assert yet_to_take_up("site", "v2", [deploy(NEW)], {"web": applied("web")}) == {}


@pytest.mark.parametrize(
    ("had", "version", "done"),
    [
        ("v1", "v1", True),
        ("v1", "v2", False),
        ("v1", "v1+", False),
        ("v1+", "v1+", True),
        ("v1+", "v1", True),  # it was seen to be served since
        ("v1+", "v2", False),
        ("", "v1", False),
    ],
)
def test_a_version_is_taken_up_or_not(had, version, done):
    assert has_taken_up(had, version) is done


def test_what_is_wanted_counts_before_the_way_back():
    old, new = asking(OLD, "a.example"), asking(NEW, "b.example")
    assert described([deploy(new, old)])["site"].certificate.terms.domains == ("b.example",)
    assert described([deploy(NEW, old)])["site"].certificate.terms.domains == ("a.example",)


def test_an_app_that_goes_describes_nothing_and_one_that_is_refused_does():
    old = asking(OLD, "a.example")
    assert described([deploy(None, old)]) == {}
    refused = deploy(None, old, findings=(Finding(message="no", app="web"),))
    assert described([refused])["site"].app == "web"
    assert described([deploy(None, old, keep=True)])["site"].app == "web"


def test_an_index_knows_who_offers_and_who_uses():
    offering = deploy(asking(app("proxy", container("proxy")), "a.example"))
    index = UnitIndex().follow({"proxy": offering, "web": deploy(NEW)})
    assert index.certificates == {"site": "proxy"}
    assert list(index.users("site")) == ["web"]
    assert list(index.users("none")) == []
