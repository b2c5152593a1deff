"""Drop-ins: those that reach beyond their app, and those of the user's own."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.render.drop_ins import report_reaching, shaped_outside
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.quadlet import UnitKind
from tests.core.candidates import from_texts

QUADLETS = "/home/pi/.config/containers/systemd"


def reading(*paths: str, made: tuple[str, ...] = ()) -> Reading:
    one = Reading(AppFiles(*from_texts("web", dict.fromkeys(paths, ""))))
    for name in made:
        unit = DesiredUnit(name=name, kind=UnitKind.CONTAINER, path="", digest="")
        one.units.append(unit)
    return one


@pytest.mark.parametrize("link", ["container.d", "web-.container.d"])
def test_a_link_that_makes_a_folder_reach_beyond_its_app_is_refused(link: str) -> None:
    texts = {"web.container": "", "common/1.conf": ""}
    one = Reading(AppFiles(*from_texts("web", texts, links={link: "common"})))
    report_reaching(one)
    (finding,) = one.findings
    assert finding.fatal
    assert finding.path == f"apps/web/{link}/1.conf"


def test_a_linked_folder_of_which_systemd_learns_nothing_is_told_of() -> None:
    texts = {"web.service": "[Service]\nExecStart=/bin/true\n", "common/1.conf": "[Service]\n"}
    one = Reading(AppFiles(*from_texts("web", texts, links={"web.service.d": "common"})))
    report_reaching(one)
    (finding,) = one.findings
    assert not finding.fatal
    assert finding.message == "web.service.d has no effect: it is a link to a folder"
    assert one.files.drop_ins("web.service") == []


@pytest.mark.parametrize(
    ("drop_in", "said", "hint"),
    [
        ("container.d/1.conf", "container.d changes every .container there is", "web.container.d"),
        ("deep/pod.d/1.conf", "pod.d changes every .pod there is", "web.pod.d"),
        ("web-.container.d/1.conf", "every .container whose name begins with web-", "by hand"),
        ("web-.service.d/1.conf", "every .service whose name begins with web-", "web.service.d"),
        ("db.container.d/1.conf", "db.container, which is no unit of app web", "leave it out"),
        ("db.service.d/1.conf", "db.service, which is no unit of app web", "leave it out"),
        ("app.slice.d/1.conf", "app.slice, which is no unit of app web", "leave it out"),
    ],
)
def test_what_would_change_others_is_refused_by_name(drop_in: str, said: str, hint: str) -> None:
    one = reading("web.container", drop_in, made=("web.service",))
    report_reaching(one)
    (finding,) = one.findings
    assert finding.fatal
    assert finding.path == f"apps/web/{drop_in}"
    assert said in finding.message
    assert hint in finding.hint


def test_what_has_no_effect_is_a_warning() -> None:
    one = reading("web.service", "service.d/1.conf")
    report_reaching(one)
    (finding,) = one.findings
    assert (finding.fatal, "has no effect" in finding.message) == (False, True)


def test_an_apps_own_are_well() -> None:
    one = reading(
        *("web.container", "web.container.d/1.conf", "web.service.d/1.conf"),
        *("job@.container", "job@.container.d/1.conf", "job@a.container.d/1.conf"),
        *("job@.service.d/1.conf", "job@b.service.d/1.conf"),
        *("deep/tick.timer", "deep/tick.timer.d/1.conf", "p.pod", "p-pod.service.d/1.conf"),
        *("conf.d/site.conf", "nginx/conf.d/1.conf", "web.container.d/notes.txt"),
        made=("web.service", "job@.service", "tick.timer", "p-pod.service"),
    )
    report_reaching(one)
    assert one.findings == []


@pytest.mark.parametrize(
    ("folder", "unit", "counts"),
    [
        ("container.d", "web.container", True),
        ("web.container.d", "deep/web.container", True),
        ("web-.container.d", "web-a.container", True),
        ("job@.container.d", "job@a.container", True),
        ("web-.container.d", "web.container", False),
        ("db.container.d", "web.container", False),
        ("container.d", "web.pod", False),
        ("service.d", "web.service", False),
    ],
)
def test_drop_ins_of_the_users_own(folder: str, unit: str, *, counts: bool) -> None:
    around = {f"{QUADLETS}/{folder}/1.conf": "1", f"{QUADLETS}/own.container": "1"}
    one = DesiredUnit(name="x.service", kind=UnitKind.CONTAINER, path=unit, digest="")
    assert bool(shaped_outside(one, around).outside) == counts
