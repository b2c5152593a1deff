"""Two apps that want one name: who is here keeps it, and of new ones none wins by the alphabet."""

import pytest
from msgspec.structs import replace

from supervisor.core.desired.conflicts import app_conflicts, unit_conflicts
from supervisor.model.app import Candidate, DesiredApp, DesiredUnit
from supervisor.model.quadlet import UnitKind
from supervisor.model.source import TreeFile


def candidate(name, *paths, source="home"):
    files = tuple(TreeFile(path, f"oid-{path}") for path in sorted(paths))
    return Candidate(name=name, source=source, revision="r", root=name, files=files)


def desired(name, *units, source="home"):
    return DesiredApp(
        name=name,
        source=source,
        revision="r",
        root=name,
        files=(),
        units=tuple(
            DesiredUnit(name=unit, kind=UnitKind.PLAIN, path=unit, digest="") for unit in units
        ),
        generator="v",
    )


@pytest.mark.parametrize(
    ("holders", "refused"),
    [({}, {"archived", "cloud"}), ({"cloud": "home"}, {"archived"}), ({"other": "x"}, None)],
)
def test_two_apps_with_one_file(holders, refused):
    apps = [candidate("archived", "old/c.container"), candidate("cloud", "c.container")]
    expected = {"archived", "cloud"} if refused is None else refused
    kept, found = app_conflicts(apps, holders)
    assert set(found) == expected
    assert {one.name for one in kept} == {"archived", "cloud"} - expected
    assert all("both define c.container" in some[0].message for some in found.values())


def test_the_way_out_is_said_for_new_apps():
    apps = [candidate("archived", "c.container"), candidate("cloud", "c.container")]
    _, found = app_conflicts(apps, {})
    assert "`exclude` app cloud or archived" in found["cloud"][0].hint
    _, found = app_conflicts(apps, {"archived": "home"})
    assert "`exclude` app cloud in" in found["cloud"][0].hint
    _, found = app_conflicts(apps, {"archived": "home", "cloud": "home"})
    assert "`exclude`" not in found["cloud"][0].hint, "that would remove what runs"


@pytest.mark.parametrize(("source", "of"), [("home", ""), ("other", " of source {}")])
def test_both_places_of_a_name_are_said(source, of):
    first, second = of.format("home"), of.format("other")
    apps = [candidate("a", "c.container"), candidate("b", "x/c.container", source=source)]
    _, found = app_conflicts(apps, {"a": "home"})
    assert f"(a/c.container{first} and b/x/c.container{second})" in found["b"][0].message
    units = {"a": desired("a", "c.service"), "b": desired("b", "c.service", source=source)}
    refused = unit_conflicts(units, {"a"})
    assert f"(a/c.service{first} and b/c.service{second})" in refused["b"][0].message


def test_who_loses_to_one_that_is_here_takes_nobody_else_along():
    apps = [
        candidate("a", "x.container", "y.container"),
        candidate("b", "y.container"),
        candidate("here", "x.container"),
    ]
    kept, found = app_conflicts(apps, {"here": "home"})
    assert set(found) == {"a"}
    assert {one.name for one in kept} == {"here", "b"}


@pytest.mark.parametrize(
    ("holders", "refused"),
    [
        ({}, {"web"}),
        ({"web": "home"}, {"also/web"}),
        ({"web": "also"}, {"home/web"}),
    ],
)
def test_two_sources_with_one_app(holders, refused):
    apps = [candidate("web", "a.container"), candidate("web", "a.container", source="also")]
    kept, found = app_conflicts(apps, holders)
    assert set(found) == refused
    assert [one.source for one in kept] == ([] if not holders else [holders["web"]])


@pytest.mark.parametrize(
    ("holders", "standing", "refused"),
    [
        ((), (), {"a", "b"}),
        (("b",), (), {"a"}),
        ((), ("c",), {"a", "b"}),
        (("a", "b"), (), {"b"}),
    ],
)
def test_two_apps_with_one_unit(holders, standing, refused):
    apps = {name: desired(name, "web.service") for name in "ab"}
    here = [desired(name, "web.service") for name in standing]
    assert set(unit_conflicts(apps, holders, here)) == refused


def test_an_alias_is_a_name_as_well():
    """systemd gives what it names to whoever says so: a unit of another app, or its instance."""
    thief = desired("thief", "thief.service")
    (unit,) = thief.units
    for alias, taken in (("c.service", {"c.service"}), ("w@2.service", {"w@.service"})):
        named = replace(thief, units=(replace(unit, aliases=(alias,)),))
        (other,) = desired("here", *taken).units
        many = replace(other, instances=("1", "2")) if "@" in other.name else other
        here = replace(desired("here"), units=(many,))
        refused = unit_conflicts({"here": here, "thief": named}, {"here"})
        assert set(refused) == {"thief"}
        (finding,) = refused["thief"]
        assert f"both define the unit {alias}" in finding.message
        assert "an Alias= is one" in finding.hint


@pytest.mark.parametrize("holders", [{"a"}, set()])
def test_two_files_are_told_of_once_however_many_names_they_share(holders):
    (unit,) = desired("a", "c.service").units
    unit = replace(unit, kind=UnitKind.CONTAINER, object_name="systemd-c")
    apps = {name: replace(desired(name), units=(unit,)) for name in ("a", "b")}
    for standing in ((), (apps["a"],)):
        wanted = {"b": apps["b"]} if standing else apps
        refused = unit_conflicts(wanted, holders, standing)
        assert [len(found) for found in refused.values()] == [1] * (2 - bool(holders or standing))
        assert "both define the unit c.service" in refused["b"][0].message
