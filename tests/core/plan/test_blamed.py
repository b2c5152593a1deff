"""Which of several new versions of images is at fault when a release fails."""

import pytest

from supervisor.core.plan.rollout import blamed_of
from supervisor.model.image import Pin
from supervisor.model.observed import Inventory, Observed, UnitState
from tests.fakes.machine import app, container

WEB, DB = (f"reg.example/{name}@sha256:{'b' * 64}" for name in ("web", "db"))
NEW = tuple(
    Pin(path=f"{name}.container", question=name, runs=runs, tag="2")
    for name, runs in (("db", DB), ("web", WEB))
)
APP = app(
    "app",
    container("db", images=(DB,)),
    container("web", images=(WEB,), requires=("db.service", "net.service", "other.service")),
    container("net", images=("localhost/pause",)),
)


@pytest.mark.parametrize(
    ("unit", "down", "blamed"),
    [
        ("web.service", ("web",), (WEB,)),
        ("db.service", ("db", "web"), (DB,)),
        ("web.service", ("db", "web"), (DB,)),  # it fails since what it needs does
        ("web.service", ("net", "web"), (WEB,)),
        ("net.service", ("net",), (DB, WEB)),
        ("other.service", (), (DB, WEB)),
        ("", (), (DB, WEB)),
    ],
)
def test_the_version_of_what_failed_is_and_of_what_that_needs(unit, down, blamed):
    states = {
        f"{name}.service": UnitState(
            name=f"{name}.service", load="loaded", active="failed" if name in down else "active"
        )
        for name in ("db", "web", "net")
    }
    observed = Observed(
        units=states,
        targets=frozenset(),
        apps={},
        inventory=Inventory(),
        applied={},
        owned_root="/",
    )
    assert tuple(pin.runs for pin in blamed_of(APP, NEW, unit, observed)) == blamed
