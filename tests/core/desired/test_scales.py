"""Of which files nothing runs the image, as what names it is scaled to 0."""

import pytest

from supervisor.core.desired.scales import idle_files
from supervisor.model.app import DesiredUnit
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Scale

IMAGE = DesiredUnit(name="i-image.service", kind=UnitKind.IMAGE, path="i.image", digest="")


def template(name: str, replicas: int | None, *requires: str) -> DesiredUnit:
    return DesiredUnit(
        name=f"{name}@.service",
        kind=UnitKind.CONTAINER,
        path=f"{name}@.container",
        digest="",
        replicas=replicas,
        requires=requires,
    )


def scale(name: str, replicas: int, instead_of: int) -> Scale:
    unit = f"{name}@.service"
    return Scale(app="app", unit=unit, replicas=replicas, instead_of=instead_of, at=1.0)


@pytest.mark.parametrize(
    ("orders", "idle"),
    [
        ([], {"none@.container"}),
        ([scale("a", 0, 2)], {"none@.container", "a@.container"}),
        ([scale("a", 0, 3)], {"none@.container"}),  # its file says another number by now
        ([scale("none", 1, 0)], set()),
        (
            [scale("a", 0, 2), scale("b", 0, 1)],
            {"none@.container", "a@.container", "b@.container", "i.image"},
        ),
    ],
)
def test_an_image_is_idle_where_all_that_name_it_are(orders: list[Scale], idle: set[str]) -> None:
    units = [
        template("a", 2, IMAGE.name),
        template("b", 1, IMAGE.name),
        template("none", 0),
        template("plain", None),
        IMAGE,
    ]
    assert idle_files(units, orders) == idle
