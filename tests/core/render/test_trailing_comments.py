"""Comments behind a value, which Quadlet and systemd take for a part of it."""

import pytest

from supervisor.core.files.app_files import AppFiles
from supervisor.core.render.reading import Reading
from supervisor.core.render.vocabulary import report_unknown
from tests.core.candidates import from_texts


def said(files: dict[str, str]) -> list[str]:
    reading = Reading(AppFiles(*from_texts("web", files)))
    report_unknown(reading, {})
    assert not reading.refused
    return [str(one) for one in reading.findings]


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("Container", "Image=x:1 # the web server"),
        ("Container", "Image=x:1 #comment"),
        ("Container", 'Image=x:1 # {"$imagepolicy": "a:b"}'),
        ("Container", "Image=x:1\t#"),
        ("Container", "Image= # none yet"),
        ("Container", "PublishPort=8080:80 # http"),
        ("Container", "Volume=./data:/data # kept"),
        ("Container", "Environment=A=b # c"),
        ("Container", 'Environment="A=b" # c'),
        ("Container", "Label=a=b # c"),
        ("Service", "Restart=no # by hand"),
        ("Install", "WantedBy=default.target #boot"),
        ("Unit", "After=db.service # first"),
        ("X-Podvisor", "Cooldown=3d # others first"),
    ],
)
def test_a_comment_behind_a_value(section: str, line: str) -> None:
    (words,) = said({"web.container": f"# why\n[{section}]\n{line}\n"})
    key = line.partition("=")[0]
    assert words == (
        f"apps/web/web.container:3: what follows the # is part of {key}=, and no comment"
        " (a comment needs a line of its own)"
    )


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("Container", "Image=x:1"),
        ("Container", "Exec=sh -c 'a' # b"),
        ("Container", "Exec=sed -e s/# / /"),
        ("Container", "HealthCmd=curl http://localhost/#top # x"),
        ("Container", "PodmanArgs=--annotation # "),
        ("Container", "Environment=COLOUR=#fff"),
        ("Container", "Environment=TITLE=Top #1"),
        ("Container", 'Environment="MOTD=a # b" C=d'),
        ("Container", "Environment='MOTD=a # b'"),
        ("Container", "Label=a=`Path(/#/x)`"),
        ("Container", "Volume=/srv/My #1:/data"),
        ("Container", "HealthInterval=5s"),
        ("Unit", "Description=The # of things"),
        ("Unit", "Documentation=https://example.org/#web"),
        ("Service", "ExecStartPre=/bin/echo # x"),
        ("X-Mine", "Note=a # b"),
    ],
)
def test_a_number_sign_that_may_be_meant(section: str, line: str) -> None:
    assert said({"web.container": f"[{section}]\n{line}\n"}) == []


def test_it_is_said_of_drop_ins_and_other_units_and_of_no_data() -> None:
    assert said({"web.container.d/1.conf": "[Container]\nImage=x # y\n"})
    assert said({"tick.timer": "[Timer]\nOnCalendar=daily # at night\n"})
    assert said({"app.conf": "[Container]\nImage=x # y\n", "x.toml": "[a]\nb=1 # c\n"}) == []


def test_of_lines_that_go_on_the_first_is_named() -> None:
    (words,) = said({"web.container": "[Container]\nAfter=a \\\n# a comment\n  b # c\n"})
    assert words.startswith("apps/web/web.container:2: ")
