"""Which apps stay although their source does not hold them any more."""

import pytest

from supervisor.core.desired.prune_guard import Permit, PruneGuard
from supervisor.model.observed import Manifest
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot
from tests.fakes.machine import app, container

SOURCES = {"home": SourceSettings(folder="/srv/home")}


def installed(*names):
    return {
        name: Manifest(
            name=name,
            source="home",
            revision="r1",
            root=name,
            files=(),
            units=(f"{name}.service",),
            sealed=True,
        )
        for name in names
    }


def at(revision):
    return {"home": Snapshot(source="home", revision=revision, files=())}


def kept(apps, *, held=(), sources=SOURCES, snapshots=None, permits=(), units=(), read=("home",)):
    guard = PruneGuard(
        sources=sources,
        snapshots=at("r2") if snapshots is None else snapshots,
        permits=permits,
    )
    taker = app("taker", *(container(unit.removesuffix(".service")) for unit in units))
    return guard.kept(apps, held, read, [taker])


def test_one_of_several_may_go():
    assert not kept(installed("a", "b"), held={"b"})


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"sources": {}}, "no longer in the settings"),
        ({"read": ()}, "could not be read yet"),
        ({}, "no longer holds any of its 2 apps"),
    ],
)
def test_all_of_a_source_stay(case, why):
    assert {name: why in reason for name, reason in kept(installed("a", "b"), **case).items()} == {
        "a": True,
        "b": True,
    }


def test_one_that_goes_by_another_name_goes():
    assert set(kept(installed("a", "b"), units={"a.service"})) == {"b"}


def test_a_person_lets_them_go_as_long_as_the_source_is_as_it_was():
    permit = Permit.given_now((), at("r2"))
    assert not kept(installed("a", "b"), permits=[permit])
    assert set(kept(installed("a", "b"), permits=[permit], snapshots=at("r3"))) == {"a", "b"}


def test_a_person_lets_some_go():
    permit = Permit.given_now(["a"], at("r2"))
    assert set(kept(installed("a", "b"), permits=[permit])) == {"b"}


def test_what_is_not_read_may_go_while_it_is_not_read():
    permit = Permit.given_now((), {})
    gone = {"sources": {}, "permits": [permit]}
    assert not kept(installed("a"), snapshots={}, **gone)
    assert set(kept(installed("a"), snapshots=at("r1"), **gone)) == {"a"}
