"""Sections, keys and specifiers that mean nothing to systemd."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.render.reading import Reading
from supervisor.core.render.vocabulary import report_unknown, report_unread, said_to_systemd
from tests.core.candidates import from_texts

KEYS = {
    "Unit": frozenset({"Description", "After"}),
    "Service": frozenset({"Restart", "ExecStart", "ExecStop", "Environment"}),
    "Install": frozenset({"WantedBy"}),
}


def said(files: dict[str, str], keys: dict[str, frozenset[str]] | None = None) -> list[str]:
    reading = Reading(AppFiles(*from_texts("web", files)))
    report_unknown(reading, KEYS if keys is None else keys)
    return [f"{'!' if one.fatal else ''}{one}" for one in reading.findings]


def test_a_misspelt_key_of_systemds() -> None:
    (words,) = said({"web.container": "[Container]\nBogus=1\n[Service]\nRestrat=no\n"})
    assert words == (
        "apps/web/web.container:4: Restrat= is no key of [Service]:"
        " systemd passes it over (did you mean Restart=?)"
    )
    assert said({"web.container": "[Service]\nRestrat=no\nX-Mine=1\n"}, {}) == []


def test_a_misspelt_section() -> None:
    (words,) = said(
        {"web.container.d/1.conf": "# [Contaner]\n[Contaner]\nImage=x\n[X-Mine]\na=b\n"}
    )
    assert words == (
        "apps/web/web.container.d/1.conf:2: [Contaner] is no section that has a meaning here:"
        " systemd passes it over (did you mean [Container]?)"
    )
    (words,) = said({"tick.timer": "[Timer]\n[Service]\n"})
    assert words.endswith("(there are [Timer], [Unit], [Install])")


def test_data_is_left_alone() -> None:
    assert said({"nginx/conf.d/site.conf": "[Servce]\nRestrat=%e\n", "x.toml": "[a]\nb=%e\n"}) == []


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("[Container]\nExec=date +%e", "!%e in Exec= is no specifier of systemd: the unit would"),
        ("[Container]\nEnvironment=A=50%1", "!%1 in Environment= is no specifier"),
        ("[Service]\nExecStop=/bin/x %Z", "!%Z in ExecStop= is no specifier"),
        ("[Service]\nEnvironment=A=%z", "%z in Environment= is no specifier"),
        ("[Container]\nExec=date +%%e", ""),
        ("[Container]\nExec=echo %% %%%% %h/%i %n %- 50%", ""),
        ("[X-Mine]\nExec=%e", ""),
    ],
)
def test_a_per_cent_sign_that_begins_no_specifier(line: str, finding: str) -> None:
    found = [one.replace("apps/web/web.container:2: ", "") for one in said({"web.container": line})]
    assert [one[: len(finding)] for one in found] == ([finding] if finding else [])


def test_what_systemd_is_asked_about() -> None:
    files = {
        "web.container": "[Unit]\nAfter=db.container\nAfter=x.target\n[Container]\nImage=x\n"
        "[Service]\nRestart=allways\nRestrat=no\nEnvironment=a\\\n b\nExecStart=x\\",
        "web.container.d/1.conf": "[Service]\nRestart=no\n[Install]\nWantedBy=default.target\n",
        "data/a.service": "[Service]\nRestart=no\n[Timer]\nOnCalendar=x\n",
    }
    reading = Reading(AppFiles(*from_texts("web", files)))
    asked = set(said_to_systemd(reading, KEYS))
    assert {
        ("Unit", "After", "x.target"),
        ("Service", "Restart", "allways"),
        ("Service", "Restart", "no"),
        ("Install", "WantedBy", "default.target"),
    } <= asked
    assert all(
        section in KEYS and key in KEYS[section] and "\n" not in value and value != "db.container"
        for section, key, value in asked
    )
    assert list(said_to_systemd(reading, {})) == []


def test_a_value_that_systemd_cannot_read() -> None:
    text = "[Service]\nRestart=allways\n[Install]\nWantedBy=%Z\n"
    reading = Reading(AppFiles(*from_texts("web", {"web.container": text})))
    report_unknown(reading, KEYS)
    unread = {
        ("Service", "Restart", "allways"): "Failed to parse Restart=allways",
        ("Install", "WantedBy", "%Z"): "told already",
    }
    report_unread(reading, unread)
    _, value = reading.findings
    assert not value.fatal
    assert str(value) == (
        "apps/web/web.container:2: systemd passes this over: Failed to parse Restart=allways"
        " (man systemd.directives says where Restart= is explained)"
    )
