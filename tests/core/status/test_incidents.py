import pytest

from supervisor.core.status.incidents import incidents
from supervisor.model.incident import Incident, IncidentCode

NOW = 1_000_000.0
APP = {"name": "web", "source": "home", "state": "ready"}
UNIT = {"name": "web.service", "active": "active", "sub": "running", "up": True, "wanted": True}


def found(**app: object) -> dict[str, Incident]:
    return incidents({"apps": [{**APP, **app}]}, NOW)


def test_nothing_is_wrong_with_an_app_that_is_well() -> None:
    assert found(units=[UNIT]) == {}


@pytest.mark.parametrize(
    ("app", "key"),
    [
        (
            {
                "state": "refused",
                "findings": [{"message": "no [Container]", "path": "web.container"}],
            },
            "app-refused/web/web.container",
        ),
        (
            {"state": "reverted", "findings": [{"message": "web.service failed"}]},
            "app-reverted/web/",
        ),
        ({"state": "failing"}, "app-failing/web/"),
        (
            {
                "state": "failing",
                "waiting": [{"kind": "image", "subject": "x:1", "text": "x:1", "failing": True}],
            },
            "need-failing/web/x:1",
        ),
        (
            {"state": "failing", "units": [{**UNIT, "active": "failed", "up": False}]},
            "unit-down/web/web.service",
        ),
        (
            {"state": "failing", "units": [{**UNIT, "health": "unhealthy", "health_since": NOW}]},
            "unit-unhealthy/web/web.service",
        ),
        (
            {"certificates": [{"name": "site", "state": "failing", "error": "no DNS"}]},
            "certificate/web/site",
        ),
    ],
)
def test_what_is_wrong_with_an_app_has_a_key_that_stays(app: dict[str, object], key: str) -> None:
    (one,) = found(**app).values()
    assert one.key == key
    assert one.app == "web"
    assert one.text


def test_what_is_wrong_beside_the_apps() -> None:
    status = {
        "problems": [{"message": "cannot reach systemd"}],
        "sources": [
            {
                "name": "home",
                "error": "no route to host",
                "findings": [
                    {"message": "is no folder", "path": "x"},
                    {"message": "?", "fatal": False},
                ],
            }
        ],
    }
    assert [one.code for one in incidents(status, NOW).values()] == [
        IncidentCode.SUPERVISOR,
        IncidentCode.SOURCE_UNREADABLE,
        IncidentCode.SOURCE_REFUSED,
    ]


def test_what_is_said_of_the_same_thing_may_change_and_its_key_does_not() -> None:
    down = {**UNIT, "active": "failed", "up": False}
    first = found(state="failing", units=[down])
    later = found(state="failing", units=[{**down, "failures": 3, "next_try_at": NOW + 60}])
    assert first.keys() == later.keys()
    assert [*first.values()] != [*later.values()]
