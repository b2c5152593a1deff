"""What `podvisor doctor` says of podvisor itself, by what the daemon and the files say."""

from typing import Any

import msgspec
import pytest

from supervisor.core.config.reader import read_settings
from supervisor.core.status.daemon_checks import CHECKS, Told
from supervisor.model.doctor import Examined, Severity
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode

SETTINGS = '[sources.home]\nfolder = "~/apps"\n[web]\nlisten = "127.0.0.1:9079"\n'
SETTINGS += '[notify.phone]\nurl = "file:~/x"\n'
STATUS = {
    "running": True,
    "version": "0.1.0",
    "started_at": 2000.0,
    "apps": [{"name": "web", "state": "ready"}],
    "sources": [{"name": "home", "location": "~/apps"}],
}
NO_PAGE = '[sources.home]\nfolder = "~/apps"\n'
SOUND = Told(
    version="0.1.0",
    installed_at=1000.0,
    now=3000.0,
    service_file="~/.config/systemd/user/podvisor.service",
    page_socket=True,
    config="~/.config/podvisor/config.toml",
    settings=read_settings(SETTINGS).settings,
    status=STATUS,
    images={"running": True, "images": [{"app": "web", "image": "nginx:1", "known": {"x": 1}}]},
    secrets={"secrets": [{"name": "db", "state": "current"}]},
    certificates={"certificates": [{"name": "web", "state": "valid"}]},
    notify={"notifiers": [{"name": "phone"}]},
)


def examined(told: Told) -> list[Examined]:
    return [one for check in CHECKS for one in check.examine(told)]


def told(**more: Any) -> Told:
    return msgspec.structs.replace(SOUND, **more)


def status(**more: Any) -> Told:
    return told(status={**STATUS, **more})


def test_where_all_is_well_every_check_says_so() -> None:
    found = examined(SOUND)
    assert {one.code for one in found} == {check.code for check in CHECKS}
    assert {one.severity for one in found} == {Severity.OK}


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
AILING = {"name": "web", "state": "failing", "error": "no answer", "hint": "wait", "expires": 4e9}
ROWS: list[tuple[Told, str, Severity, str, str]] = [
    (told(service_file=""), "service", ERROR, "not a service", "podvisor setup"),
    (
        told(settings=None, findings=(Finding(message="no TOML", path="c.toml", line=3),)),
        "settings",
        ERROR,
        "c.toml:3: no TOML",
        "",
    ),
    (
        told(findings=(Finding(message="odd", path="c.toml", hint="mend it", fatal=False),)),
        "settings",
        WARNING,
        "c.toml: odd",
        "mend it",
    ),
    (
        told(unread=(Finding(message="notify.phone.url: cannot read x", hint="put it there"),)),
        "setting-secrets",
        ERROR,
        "notify.phone.url: cannot read x",
        "put it there",
    ),
    (
        told(notify={"notifiers": [{"name": "phone", "failure": "401", "hint": "look"}]}),
        "notifiers",
        ERROR,
        "notifier phone cannot tell anybody: 401",
        "podvisor notify test phone",
    ),
    (told(settings=None), "settings", WARNING, "there are no settings", "podvisor init"),
    (
        told(settings=read_settings("").settings),
        "settings",
        WARNING,
        "names no source",
        "",
    ),
    (told(status=None, silence="start it"), "daemon", ERROR, "does not answer", "start it"),
    (
        status(version="0.0.9"),
        "daemon-version",
        WARNING,
        "podvisor 0.0.9 runs, and 0.1.0 is installed",
        "systemctl --user restart",
    ),
    (
        status(started_at=999.0),
        "daemon-version",
        WARNING,
        "installed anew",
        "systemctl --user restart",
    ),
    (
        status(problems=[{"message": "the ledger is full", "hint": "make room"}]),
        "supervisor",
        ERROR,
        "the ledger is full",
        "make room",
    ),
    (
        status(watches=[{"what": "Podman's events", "reason": "no log", "hint": "usermod"}]),
        "supervisor",
        WARNING,
        "Podman's events: no log",
        "usermod",
    ),
    (told(page_state="failed"), "page", ERROR, "podvisor-web.socket is failed", "status"),
    (told(page_socket=False), "page", ERROR, "nobody does", "podvisor setup"),
    (
        told(settings=read_settings(NO_PAGE).settings),
        "page",
        WARNING,
        "does not ask for",
        "podvisor setup",
    ),
    (
        status(
            incidents=[
                {"code": "unit-down", "app": "web", "text": "it is down", "command": "podvisor x"}
            ]
        ),
        "apps",
        ERROR,
        "web: it is down",
        "podvisor x",
    ),
    (
        status(incidents=[{"code": "source-unreadable", "text": "source home", "hint": "look"}]),
        "sources",
        ERROR,
        "source home",
        "look",
    ),
    (
        told(secrets={"secrets": [{"name": "db", "state": "missing", "units": ["web.service"]}]}),
        "secrets",
        ERROR,
        "secret db is missing; web.service needs it",
        "podvisor secret list",
    ),
    (
        told(certificates={"certificates": [AILING]}),
        "certificates",
        WARNING,
        "certificate web: no answer",
        "podvisor certs test web",
    ),
    (
        told(certificates={"certificates": [{"name": "w", "state": "expired", "expires": 9.0}]}),
        "certificates",
        ERROR,
        "it expired",
        "podvisor certs test w",
    ),
    (
        status(unknown_images=[{"registry": "ghcr.io", "images": 2, "problem": "timeout"}]),
        "registries",
        WARNING,
        "of 2 images of ghcr.io it is unknown whether there are newer ones: timeout",
        "podvisor images",
    ),
    (
        told(images={"images": [{"image": f"web{number}:1"} for number in range(6)]}),
        "image-policies",
        INFO,
        "6 images without a policy: web0:1, web1:1, web2:1, web3:1 and 2 more",
        "ImagePolicy=",
    ),
]


@pytest.mark.parametrize(
    ("what", "code", "severity", "seen", "mend"),
    ROWS,
    ids=[f"{number}-{row[1]}" for number, row in enumerate(ROWS)],
)
def test_says_what_is_wrong(
    what: Told, code: str, severity: Severity, seen: str, mend: str
) -> None:
    (found,) = [one for one in examined(what) if one.code == code and one.severity is severity]
    assert seen in found.seen
    assert mend in "\n".join([found.advice, *found.commands])
    assert found.why


THING = "the-thing"
OTHERS = {
    IncidentCode.NOTIFIER_FAILING: {"notify": {"notifiers": [{"name": THING, "failure": "401"}]}},
    IncidentCode.SECRET_MISSING: {"secrets": {"secrets": [{"name": THING, "state": "missing"}]}},
    IncidentCode.CERTIFICATE_FAILING: {
        "certificates": {"certificates": [{**AILING, "name": THING}]}
    },
}


@pytest.mark.parametrize("code", IncidentCode)
@pytest.mark.parametrize("app", ["", "web"])
@pytest.mark.parametrize("is_fatal", [True, False])
def test_each_kind_of_trouble_is_told_once(code: IncidentCode, app: str, is_fatal: bool) -> None:  # noqa: FBT001
    incident = {"code": code, "subject": THING, "app": app, "text": f"{THING} fails"}
    problem = {**incident, "message": f"{THING} fails", "fatal": is_fatal}
    for problems in ([], [problem]):
        for others in ({}, OTHERS.get(code, {})):
            found = examined(
                told(status={**STATUS, "incidents": [incident], "problems": problems}, **others)
            )
            saying = [one.code for one in found if THING in one.seen]
            if problems and code is IncidentCode.HOST_UNFIT and not app:
                assert not saying, "the look at the machine tells it"
            else:
                assert len(saying) == 1
                if others:
                    assert saying[0] in ("notifiers", "secrets", "certificates")
            well = {one.code for one in found if one.severity is Severity.OK}
            assert not well & {*saying}
            assert not (app and "apps" in well), "something is wrong with one"


def test_what_the_settings_say_is_told_by_the_settings_alone() -> None:
    finding = Finding(message="odd key", path="c.toml", line=3, fatal=False)
    secret = Finding(message="notify.phone.url: cannot read x")
    problems = [
        {"code": "settings-doubtful", "message": "odd key", "path": "c.toml", "fatal": False},
        {"code": "settings-doubtful", "message": secret.message, "fatal": False},
        {"message": "the settings on disk are refused: those from before stay in force"},
    ]
    found = examined(
        told(findings=(finding,), unread=(secret,), status={**STATUS, "problems": problems})
    )
    assert [one.code for one in found if "odd key" in one.seen] == ["settings"]
    assert [one.code for one in found if secret.message in one.seen] == ["setting-secrets"]
    assert [one.code for one in found if "stay in force" in one.seen] == ["supervisor"]


def test_a_secret_that_is_missing_comes_with_how_to_provide_it() -> None:
    hint = "podman secret create db - makes it of its input"
    incident = {"code": "secret-missing", "app": "web", "subject": "db", "text": "x", "hint": hint}
    secrets = {"secrets": [{"name": "db", "state": "missing"}]}
    found = examined(told(secrets=secrets, status={**STATUS, "incidents": [incident]}))
    assert [one.advice for one in found if "db" in one.seen] == [hint]


def test_every_check_has_been_spoilt() -> None:
    assert {check.code for check in CHECKS} == {row[1] for row in ROWS}


def test_an_image_that_stays_by_its_digest_or_a_persons_order_needs_no_policy() -> None:
    images = [
        {"image": "a@sha256:1"},
        {"image": "localhost/web:1"},
        {"image": "b:1", "pinned": {"reference": "b:1"}},
    ]
    found = examined(told(images={"images": images}))
    assert all(one.severity is Severity.OK for one in found)


def test_without_a_daemon_what_only_it_knows_is_unknown() -> None:
    found = examined(
        told(
            status=None,
            images=None,
            secrets=None,
            certificates=None,
            notify=None,
            silence="start it",
        )
    )
    unknown = {one.code for one in found if one.severity is Severity.UNKNOWN}
    assert unknown == {
        *("supervisor", "apps", "sources", "secrets", "certificates", "registries"),
        *("image-policies", "notifiers"),
    }
    assert {one.code for one in found if one.severity is ERROR} == {"daemon"}


def test_before_setup_it_is_not_said_that_no_daemon_answers() -> None:
    found = examined(told(status=None, service_file="", silence="podvisor setup makes it one"))
    assert [one.code for one in found if one.severity is ERROR] == ["service"]
