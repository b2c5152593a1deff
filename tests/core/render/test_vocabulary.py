"""Sections, keys and specifiers that mean nothing to systemd."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.render.reading import Reading
from supervisor.core.render.vocabulary import report_unknown
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
