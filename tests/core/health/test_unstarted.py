"""What starts a unit, and what is said of one that nothing starts."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.health import unstarted
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredApp
from supervisor.model.quadlet import UnitKind
from tests.core.candidates import from_texts
from tests.fakes.machine import app, container, network

PLACE = Place(stage="/stage", live="/live", home="/home/pi")
RUN = "[Service]\nExecStart=/bin/true\n"


def plain(texts: dict[str, str], links: dict[str, str] | None = None) -> DesiredApp:
    """An app of plain units, as they are read from their files."""
    candidate, contents = from_texts("app", texts, links=links or {})
    reading = Reading(AppFiles(candidate, contents))
    read_plain_units(reading, PLACE)
    return DesiredApp(
        name="app",
        source="home",
        revision="r1",
        root="apps/app",
        files=candidate.files,
        units=tuple(reading.units),
        generator="5.4.2",
    )


def found(*apps: DesiredApp) -> list[str]:
    units = [unit for one in apps for unit in one.units]
    return [str(one) for app in apps for one in unstarted.found_without_systemd(app, units)]


def wanted_by(target: str, key: str = "WantedBy") -> str:
    return f"{RUN}[Install]\n{key}={target}\n"


@pytest.mark.parametrize(
    ("target", "better"),
    [
        ("multi-user.target", "default.target"),
        ("graphical.target", "default.target"),
        ("network-online.target", "default.target"),
        ("defualt.target", "default.target"),
        ("default-user.target", "default.target"),
        ("timer.target", "timers.target"),
        ("socket.target", "sockets.target"),
        ("my-stakc.target", "my-stack.target"),
    ],
)
def test_a_target_that_no_user_has_is_said_with_line_and_the_nearest(
    target: str, better: str
) -> None:
    stack = "[Install]\nWantedBy=default.target\n"
    texts = {"a.service": wanted_by(target, "RequiredBy"), "my-stack.target": stack}
    (said,) = found(plain(texts))
    assert said == (
        f"apps/app/a.service:4: RequiredBy={target}: a user's systemd has no such target, so"
        f" nothing starts a.service (write RequiredBy={better})"
    )


def test_one_target_of_two_that_is_not_there_is_said_too() -> None:
    (said,) = found(plain({"a.service": wanted_by("multi-user.target default.target")}))
    assert "no such target" in said
    assert "nothing starts" not in said


def test_no_install_at_all_is_said() -> None:
    (said,) = found(plain({"a.service": RUN}))
    assert "nothing starts a.service" in said
    assert "WantedBy=default.target" in said
    (said,) = found(plain({"a.timer": "[Timer]\nOnCalendar=daily\n", "a.service": RUN}))
    assert "nothing starts a.timer" in said
    assert "WantedBy=timers.target" in said


@pytest.mark.parametrize(
    "more",
    [
        {"a.timer": "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"},
        {"x.timer": "[Timer]\nUnit=a.service\n[Install]\nWantedBy=timers.target\n"},
        {"a.socket": "[Socket]\nListenStream=/x\n[Install]\nWantedBy=sockets.target\n"},
        {"a.path": "[Path]\nPathExists=/x\n[Install]\nWantedBy=paths.target\n"},
        {"b.service": f"[Unit]\nWants=a.service\n{wanted_by('default.target')}"},
        {"b.service": f"[Unit]\nRequires=a.service\n{wanted_by('default.target')}"},
        {"b.service": f"[Unit]\nOnFailure=a.service\n{wanted_by('default.target')}"},
        {
            "c.service": f"[Unit]\nWants=b.service\n{wanted_by('default.target')}",
            "b.service": f"[Unit]\nWants=a.service\n{RUN}",
        },
    ],
)
def test_what_another_unit_starts_is_started(more: dict[str, str]) -> None:
    assert found(plain({"a.service": RUN, **more})) == []


def test_a_target_of_the_apps_own_starts_what_it_wants_if_something_starts_it() -> None:
    unit = wanted_by("stack.target")
    stack = "[Install]\nWantedBy=default.target\n"
    assert found(plain({"a.service": unit, "stack.target": stack})) == []
    (said,) = found(plain({"a.service": unit, "stack.target": "[Unit]\nDescription=x\n"}))
    assert "nothing starts stack.target" in said


@pytest.mark.parametrize("need", ["pl@one.service", "pl@%n.service"])
def test_a_template_is_started_by_its_instances(need: str) -> None:
    template = {"pl@.service": wanted_by("default.target")}
    user = {"b.service": f"[Unit]\nOnFailure={need}\n{wanted_by('default.target')}"}
    assert found(plain(template | user)) == []
    default = {"pl@.service": wanted_by("default.target") + "DefaultInstance=one\n"}
    assert found(plain(default)) == []


def test_a_link_that_names_an_instance_is_said_to_start_none() -> None:
    template = {"pl@.service": wanted_by("default.target")}
    (said,) = found(plain(template, {"pl@one.service": "pl@.service"}))
    assert "pl@.service" in said
    assert "pl@one.service" in said
    assert "DefaultInstance=" in said


def test_another_app_may_start_it() -> None:
    other = app("other", container("web", requires=("db.service",)))
    db = app("db", container("db", wanted_by=()), network("site"))
    assert found(db, other) == []
    (said,) = found(db)
    assert "nothing starts db.service" in said


def test_of_a_pod_that_nothing_starts_one_thing_is_said() -> None:
    pod = container("p-pod", kind=UnitKind.POD, path="p.pod", wanted_by=(), requires=("a.service",))
    member = container("a", wanted_by=(), requires=("p-pod.service",))
    (said,) = found(app("p", pod, member))
    assert "nothing starts p-pod.service" in said


def test_what_a_person_started_has_something_start_others_but_nothing_start_it() -> None:
    units = plain({"a.service": wanted_by("b.service"), "b.service": RUN}).units
    assert unstarted.unstarted(units, {"b.service"}) == {"b.service"}
