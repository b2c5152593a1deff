"""What an app waits for is typed: a program reads the kind and the subject, a person the text."""

import msgspec
import pytest

from supervisor.core.plan import planner
from supervisor.core.plan.needs import blocked_units
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Inventory
from supervisor.model.plan import StartUnit
from supervisor.model.secret import DesiredSecret, SecretKind, SecretUse
from tests.fakes.machine import Machine, app, container, deploy

SECRET = DesiredSecret(name="db", kind=SecretKind.AGE, path="db.secret", place="db.age", oid="1")


def using(name, secret):
    unit = container(name)
    use = SecretUse(secret, unit.path, 1)
    return msgspec.structs.replace(unit, secret_uses=(use,))


def needs(new, **more):
    machine = Machine()
    machine.teach(new)
    observed = machine.observe([deploy(new)])
    inventory = msgspec.structs.replace(observed.inventory, secrets={})
    observed = msgspec.structs.replace(observed, inventory=inventory)
    (verdict,) = planner.plan([deploy(new)], observed, 0.0, **more).verdicts
    return msgspec.json.decode(msgspec.json.encode(verdict))["waiting"]


def test_an_image_is_needed_by_all_units_that_run_it():
    units = [container(name, images=("img:2",)) for name in ("one", "two")]
    assert needs(app("blog", *units)) == [
        {
            "kind": "image",
            "subject": "img:2",
            "text": "image img:2",
            "units": ["one.service", "two.service"],
        }
    ]


def test_who_makes_a_secret_is_said_with_it():
    own = msgspec.structs.replace(app("blog", using("web", "db")), secrets=(SECRET,))
    assert needs(own, offered={"db": "blog"}) == [
        {
            "kind": "secret",
            "subject": "db",
            "text": "secret db",
            "detail": "db is not there",
            "units": ["web.service"],
        }
    ]
    (need,) = needs(app("blog", using("web", "db")), offered={"db": "data"})
    assert (need["kind"], need["subject"], need["app"]) == ("secret", "db", "data")


@pytest.mark.parametrize("after", ["r1", "r2"])
def test_only_what_lacks_something_is_blocked(after):
    """And it is not started, be it of the revision that runs or of another."""
    machine = Machine()
    one = app("blog", container("web"), container("late", images=("img:late",)), revision="r1")
    machine.teach(one)
    machine.images.add("img:late")
    machine.converge([deploy(one)])
    machine.images.discard("img:late")
    for unit in ("web.service", "late.service"):
        machine.stop(unit)
    new = msgspec.structs.replace(one, revision=after)
    plan = machine.plan([deploy(new, one)])
    assert [step.unit for step in plan.steps if isinstance(step, StartUnit)] == ["web.service"]
    assert blocked_units(new, machine.observe([deploy(new)])) == {"late.service"}


def test_of_what_podman_does_not_say_nothing_is_lacking():
    unit = using("web", "db")
    machine = Machine()
    observed = machine.observe([])
    observed = msgspec.structs.replace(observed, inventory=Inventory())
    assert not blocked_units(app("blog", unit, container("one", images=("a",))), observed)


def test_people_read_the_text_with_why():
    need = Need(kind=NeedKind.IMAGE, subject="img:1", text="image img:1")
    assert str(need) == "image img:1"
    assert str(msgspec.structs.replace(need, detail="no route to host")) == (
        "image img:1: no route to host"
    )
