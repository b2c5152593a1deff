"""What is unknown of images: a line for each registry and cause."""

import pytest

from supervisor.core.status.unknown_images import unknown_images
from supervisor.model.image import ImageKnowledge, ImageQuestion
from supervisor.model.status import UnknownImages

OURS = "localhost:5005"


def known(image, problem="", answered_at=0.0, failures=1):
    return ImageKnowledge(
        question=ImageQuestion(image=image),
        problem=problem,
        answered_at=answered_at,
        failures=failures if problem else 0,
    )


def refused(name, at=0.0):
    return known(
        f"{OURS}/{name}", f"cannot ask about {OURS}/{name}: {OURS}: Connection refused", at
    )


def test_one_cause_is_told_once_whatever_image_it_was_met_at():
    listed = known(f"{OURS}/db:1", f"cannot list the tags of {OURS}/db: Connection refused", 7.0)
    waits = f"{OURS} is asked again in 5min: cannot ask about {OURS}/web:1: Connection refused"
    some = (refused("web:1", 9.0), refused("api:1"), listed, known(f"{OURS}/x:1", waits))
    assert unknown_images(some) == (
        UnknownImages(registry=OURS, images=4, since=7.0, problem="Connection refused"),
    )


def test_registries_and_causes_are_told_apart():
    gone = known(f"{OURS}/db:1", f"cannot ask about {OURS}/db:1: it has no such tag")
    other = known("quay.io/me/web:1", "cannot ask about quay.io/me/web:1: Connection refused")
    found = unknown_images((other, gone, refused("web:1")))
    assert [(one.registry, one.problem) for one in found] == [
        (OURS, "Connection refused"),
        (OURS, "it has no such tag"),
        ("quay.io", "Connection refused"),
    ]


def test_what_a_registry_answers_is_not_unknown_since_then():
    nothing = known("quay.io/me/web:1", "no tag of quay.io/me/web fits 1.*", 9.0, failures=0)
    (one,) = unknown_images([nothing])
    assert (one.since, one.problem) == (0.0, "no tag of quay.io/me/web fits 1.*")


@pytest.mark.parametrize("some", [(), (known("quay.io/me/web:1", answered_at=9.0),)])
def test_what_is_known_is_not_told(some):
    assert unknown_images(some) == ()
