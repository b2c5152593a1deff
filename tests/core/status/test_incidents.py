import re

import pytest
from msgspec.structs import replace

from supervisor.core.status.in_words import without_log
from supervisor.core.status.incidents import OF_NEEDS, incidents
from supervisor.kit.texts import local_time
from supervisor.model.incident import Incident
from supervisor.model.need import NeedKind

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
            "image-unavailable/web/x:1",
        ),
        (
            {
                "state": "refused",
                "findings": [
                    {
                        "message": "needs the secret word",
                        "path": "web.container",
                        "code": "secret-missing",
                        "subject": "word",
                    }
                ],
            },
            "secret-missing/web/word",
        ),
        (
            {
                "updates": [
                    {"image": "nginx", "version": {"runs": "x"}, "why": "no", "failed": True}
                ]
            },
            "update-failed/web/nginx",
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
            {"state": "failing", "units": [{**UNIT, "up": False, "paused": True}]},
            "unit-paused/web/web.service",
        ),
        (
            {"units": [{**UNIT, "active": "failed", "up": False, "wanted": False}]},
            "unit-failed/web/web.service",
        ),
        (
            {"certificates": [{"name": "site", "state": "failing", "error": "no DNS"}]},
            "certificate-failing/web/site",
        ),
    ],
)
def test_what_is_wrong_with_an_app_has_a_key_that_stays(app: dict[str, object], key: str) -> None:
    (one,) = found(**app).values()
    assert one.key == key
    if key.endswith("web.service"):
        assert one.text.startswith(("web.service is ", "web.service failed"))
    assert one.app == "web"
    assert one.text
    of_others = ("certificate-failing", "unit-paused")
    assert one.command.startswith("podvisor ") or key.startswith(of_others)
    assert "podvisor " not in one.hint


def test_what_is_wrong_beside_the_apps() -> None:
    status = {
        "problems": [
            {"message": "cannot reach systemd"},
            {"message": "no lingering", "code": "host-unfit", "subject": "lingering"},
        ],
        "registry_webhooks": [{"name": "ghcr", "problem": "no such file"}],
        "sources": [
            {
                "name": "home",
                "error": "no route to host",
                "webhook": {"scheme": "github", "problem": "no such file"},
                "findings": [
                    {"message": "is no folder", "path": "x"},
                    {"message": "?", "fatal": False},
                ],
            }
        ],
    }
    assert all(one.command for one in incidents(status, NOW).values())
    assert [*incidents(status, NOW)] == [
        "supervisor-failing//cannot reach systemd",
        "host-unfit//lingering",
        "webhooks-failing//images/ghcr",
        "source-unreadable//home",
        "webhooks-failing//home",
        "source-refused//home:x",
    ]


def test_what_a_finding_has_one_type_stands_as_a_command() -> None:
    finding = {"message": "it cannot send", "code": "notifier-failing", "subject": "phone"}
    status = {"problems": [{**finding, "command": "podvisor notify test phone"}]}
    (one,) = incidents(status, NOW).values()
    assert (one.hint, one.command) == ("", "podvisor notify test phone")


def test_whatever_an_app_may_need_has_a_code() -> None:
    assert OF_NEEDS.keys() == set(NeedKind)


def test_a_text_does_not_repeat_the_lines_of_the_log() -> None:
    text = "web failed (exit-code): exit status 1: a\nb; port 80 is taken by nginx"
    assert without_log(text, ["a", "b"]) == (
        "web failed (exit-code): exit status 1; port 80 is taken by nginx"
    )
    assert without_log(text, ["c"]) == text
    assert without_log(text, []) == text


def test_what_is_said_of_the_same_thing_may_change_and_its_key_does_not() -> None:
    down = {**UNIT, "active": "failed", "up": False}
    first = found(state="failing", units=[down])
    later = found(state="failing", units=[{**down, "failures": 3, "next_try_at": NOW + 60}])
    assert first.keys() == later.keys()
    assert [*first.values()] != [*later.values()]


PAUSED = "podman ps --filter status=paused"
DOWN = {**UNIT, "active": "failed", "up": False}
SICK = {**UNIT, "health": "unhealthy", "health_since": NOW}


@pytest.mark.parametrize(
    ("wrong", "meanwhile", "mended"),
    [
        ({"units": [DOWN]}, {"units": [DOWN]}, {"units": [UNIT]}),
        ({"units": [SICK]}, {"units": [SICK]}, {"units": [UNIT]}),
        ({"units": [SICK]}, {"units": [DOWN]}, {"units": [UNIT]}),
        (
            {"units": [{**UNIT, "up": False, "paused": True}]},
            {"units": [{**UNIT, "up": False, "paused": True}]},
            {"units": [UNIT]},
        ),
        (
            {"state": "refused", "findings": [{"message": "no", "path": "web.container"}]},
            {"findings": [{"message": "no", "path": "web.container"}]},
            {"findings": []},
        ),
        # Seen by passes alone, which are held back.
        ({"waiting": [{"kind": "job", "subject": "j", "text": "j", "failing": True}]}, {}, None),
        ({"state": "reverted", "findings": [{"message": "web.service failed"}]}, {}, None),
        ({}, {}, None),
    ],
)
def test_what_is_wrong_with_an_app_that_is_suspended_stays_open(wrong, meanwhile, mended) -> None:
    known = found(**{"state": "failing", **wrong})

    def suspended(more):
        return incidents({"apps": [{**APP, **more, "state": "suspended"}]}, NOW, known=known)

    assert known
    assert suspended(meanwhile).keys() == known.keys()
    assert mended is None or suspended(mended) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "refused", "findings": [{"message": "no", "path": "web.container"}]},
        {"state": "reverted", "findings": [{"message": "web.service failed"}]},
        {"state": "failing", "units": [DOWN]},
        {"state": "failing", "units": [SICK]},
        {"state": "failing", "units": [{**UNIT, "up": False, "paused": True}]},
        {"state": "failing"},
    ],
)
def test_nothing_is_over_while_what_may_mend_it_is_on_trial(wrong) -> None:
    known = found(**wrong)
    trial = {**APP, "state": "changing", "gate": "web.service has to stay up", "units": [UNIT]}
    seen = incidents({"apps": [trial]}, NOW, known=known)
    assert {key: replace(one, meanwhile="") for key, one in seen.items()} == known
    assert {one.meanwhile for one in seen.values()} == {"on trial now"}
    assert not incidents({"apps": [{**APP, "units": [UNIT]}]}, NOW, known=known)


def test_what_is_done_to_an_app_that_is_suspended_opens_nothing() -> None:
    assert found(state="suspended", units=[DOWN]) == {}


def test_a_failed_version_that_was_given_another_try_is_over_in_a_suspension_too() -> None:
    failed = {"image": "nginx", "version": {"runs": "x"}, "why": "no", "failed": True}
    known = found(updates=[failed])
    one = {**APP, "state": "suspended"}
    assert incidents({"apps": [{**one, "updates": [failed]}]}, NOW, known=known).keys() == (
        known.keys()
    )
    assert incidents({"apps": [one]}, NOW, known=known) == {}


def test_what_is_kept_and_told_says_nothing_that_is_true_at_this_moment_alone() -> None:
    tried = {"failures": 3, "next_try_at": NOW + 50, "failed_at": NOW - 9}
    units = [
        {**DOWN, **tried},
        {**SICK, "name": "b.service", "health_streak": 2, "health_since": NOW - 9},
        {**DOWN, **tried, "name": "c.service", "wanted": False},
    ]
    for state in ("failed", "expired"):
        one = {
            "name": "site",
            "state": state,
            "error": "no DNS",
            "expires": NOW - 90 if state == "expired" else NOW + 90_000,
            "had_since": NOW - 50,
        }
        texts = [
            one.text for one in found(state="failing", units=units, certificates=[one]).values()
        ]
        assert texts[:3] == [
            "web.service is down (failed), brought back 3 times",
            "b.service is unhealthy",
            "c.service failed, brought back 3 times",
        ]
        assert len(texts) == 4
        at = local_time(one["expires"])
        assert f"{'it expired' if state == 'expired' else 'it expires'} {at}" in texts[3]
        assert not re.search(r"\bago\b|\bnow\b|\bin \d", " ".join(texts))


@pytest.mark.parametrize("state", ["ready", "changing", "suspended"])
@pytest.mark.parametrize(
    ("then", "goes_on"),
    [("failed", True), ("activating", True), ("deactivating", True), ("inactive", False)],
)
def test_a_job_that_failed_is_well_when_it_has_run_well(state, then, goes_on) -> None:
    job = {**UNIT, "up": False, "wanted": False}
    (failed,) = found(units=[{**job, "active": "failed", "ended": "exit status 4"}]).values()
    assert failed.text == "web.service failed (exit status 4)"
    now = {"apps": [{**APP, "state": state, "units": [{**job, "active": then}]}]}
    assert [*incidents(now, NOW, known={failed.key: failed})] == [failed.key] * goes_on
    unseen = {"apps": [{**APP, "state": state}]}
    still = incidents(unseen, NOW, known={failed.key: failed})
    assert bool(still) == (state != "ready"), "before its first look nothing is over"


@pytest.mark.parametrize("health", ["", "unhealthy"])
@pytest.mark.parametrize("container", ["systemd-web", ""])
def test_a_paused_unit_is_paused_and_nothing_else(health: str, container: str) -> None:
    unit = {**UNIT, "up": False, "paused": True, "health": health, "container": container}
    (one,) = found(state="failing", units=[unit]).values()
    assert (one.code, one.text) == ("unit-paused", "web.service is paused")
    assert one.command == (f"podman unpause {container}" if container else PAUSED)
    assert not one.log, "its program wrote nothing of it"


def test_a_frozen_unit_is_not_told_to_be_unpaused() -> None:
    held = {"up": False, "paused": True, "frozen": True, "container": "systemd-web"}
    (one,) = found(state="failing", units=[{**UNIT, **held}]).values()
    assert (one.code, one.text) == ("unit-paused", "web.service is frozen")
    assert one.hint == "somebody froze it, with all of its processes, and it is left so"
    assert one.command == "systemctl --user thaw web.service"


def test_a_unit_that_a_condition_of_its_own_keeps_is_not_down() -> None:
    kept = {**UNIT, "name": "b.service", "active": "inactive", "up": False, "unmet": "ConditionX="}
    down = {**UNIT, "active": "failed", "up": False}
    assert [one.subject for one in found(state="failing", units=[down, kept]).values()] == [
        "web.service"
    ]
