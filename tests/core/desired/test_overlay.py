"""A host's own files over those of the apps."""

import pytest

from supervisor.core.config.overlay_setting import common_folder, folder_of, problem
from supervisor.core.desired.discovery import compose
from supervisor.model.errors import Finding
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile

HERE = {"H": "pi.lan", "l": "pi", "u": "me"}
FLEET = (
    "apps/web/web.container",
    "apps/web/site.conf",
    "apps/db/db.container",
    "hosts/pi/web/site.conf",
    "hosts/pi/web/web.container.d/10-host.conf",
    "hosts/pi/only/only.container",
    "hosts/vps/web/site.conf",
    "hosts/vps/shop/shop.container",
)


def composed(*paths, findings=(), overlay="hosts/%l", specifiers=HERE, **settings):
    snapshot = Snapshot(
        source="home",
        revision="r1",
        files=tuple(sorted(TreeFile(path=path, oid=f"oid of {path}", size=1) for path in paths)),
        findings=tuple(findings),
    )
    source = SourceSettings(git=GitUrl("https://git.example/home"), overlay=overlay, **settings)
    return compose(snapshot, source, LimitSettings(), specifiers=specifiers)


def files_of(composition):
    return {
        one.name: {file.path: file.oid.removeprefix("oid of ") for file in one.files}
        for one in composition.candidates
    }


def test_files_take_the_place_of_others_or_are_added():
    done = composed(*FLEET)
    assert files_of(done) == {
        "db": {"db.container": "apps/db/db.container"},
        "only": {"only.container": "hosts/pi/only/only.container"},
        "web": {
            "site.conf": "hosts/pi/web/site.conf",
            "web.container": "apps/web/web.container",
            "web.container.d/10-host.conf": "hosts/pi/web/web.container.d/10-host.conf",
        },
    }
    assert not done.findings
    assert not done.refused


def test_a_file_is_shown_where_it_stands():
    web = next(one for one in composed(*FLEET).candidates if one.name == "web")
    assert (web.root, web.overlay) == ("apps/web", "hosts/pi/web")
    assert web.source_path("site.conf") == "hosts/pi/web/site.conf"
    assert web.source_path("web.container") == "apps/web/web.container"


@pytest.mark.parametrize(
    ("paths", "apps"),
    [
        (["web/web.container", "hosts/pi/web/a", "hosts/vps/x/x.container"], {"web"}),
        (["web.container", "hosts/pi/home/web.container.d/1.conf"], {"home"}),
        (["hosts/pi/web/web.container", "hosts/vps/shop/shop.container"], {"web"}),
    ],
)
def test_the_overlays_are_no_apps_in_any_layout(paths, apps):
    assert set(files_of(composed(*paths))) == apps


def test_where_each_host_has_a_folder_of_the_root_only_its_own_is_an_overlay():
    done = composed("web/web.container", "pi/web/conf", "vps/vps.container", overlay="%l")
    assert set(files_of(done)) == {"web", "vps"}
    assert files_of(done)["web"]["conf"] == "pi/web/conf"


def test_a_host_without_a_folder_takes_the_apps_as_they_are():
    done = composed(*FLEET, specifiers={**HERE, "l": "nas"})
    assert set(files_of(done)) == {"web", "db"}
    assert files_of(done)["web"]["site.conf"] == "apps/web/site.conf"
    (found,) = done.findings
    assert (found.path, found.fatal) == ("hosts/nas", False)


def test_what_lies_over_no_app_is_said():
    done = composed(*FLEET, "hosts/pi/wbe/site.conf", "hosts/pi/README.md")
    (found,) = done.findings
    assert (found.path, found.fatal) == ("hosts/pi/wbe", False)
    assert "did you mean web?" in found.hint


def test_what_is_refused_in_an_overlay_concerns_its_app_on_its_host_alone():
    refused = Finding(message="is a fifo", path="hosts/pi/web/pipe")
    assert set(composed(*FLEET, findings=[refused]).refused) == {"web"}
    done = composed(*FLEET, findings=[refused], specifiers={**HERE, "l": "vps"})
    assert not done.refused
    assert not done.findings


def test_select_and_exclude_count_for_overlays_too():
    assert set(files_of(composed(*FLEET, select=("web", "on*")))) == {"web", "only"}
    assert set(files_of(composed(*FLEET, exclude=("only",)))) == {"web", "db"}


def test_one_unit_in_two_places_is_said_where_it_stands():
    done = composed(*FLEET, "hosts/pi/web/more/web.container")
    (found,) = done.refused["web"]
    assert "define the same unit" in found.message
    assert found.path in ("apps/web/web.container", "hosts/pi/web/more/web.container")


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("hosts/%H", "hosts/pi.lan"),
        ("hosts/%l/%u", "hosts/pi/me"),
        ("a%%b/%l", "a%b/pi"),
        ("hosts/pi", "hosts/pi"),
    ],
)
def test_specifiers_are_those_of_systemd(text, folder):
    assert problem(text) == ""
    assert folder_of(text, HERE) == folder


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_host_name_that_is_no_folder_names_none(name):
    assert folder_of("hosts/%H", {"H": name}) == ""
    done = composed(*FLEET, overlay="hosts/%H", specifiers={"H": name})
    assert set(files_of(done)) == {"web", "db"}


@pytest.mark.parametrize("text", ["/etc", "~/x", "a/../b", "a//b", "hosts/", "%x", "a%", "a\nb"])
def test_what_cannot_be_an_overlay_is_refused(text):
    assert problem(text)


@pytest.mark.parametrize(
    ("text", "folder"),
    [("hosts/%H", "hosts"), ("a/b%l/c", "a"), ("a%%b/%H", "a%b"), ("%H", ""), ("one", "one")],
)
def test_the_folder_of_all_overlays(text, folder):
    assert common_folder(text) == folder
