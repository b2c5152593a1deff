"""Whose word counts for an image."""

import msgspec
import pytest

from supervisor.core.images.rules import effective
from supervisor.model.image import ImageQuestion, ImageRule, UpdateMode, UpdateTerms
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import ImageSettings, ImageUpdateSettings

RULE = ImageRule(question=ImageQuestion(image="docker.io/library/nginx:1.27"), path="web.container")
NOTIFY = ImageUpdateSettings(update=UpdateMode.NOTIFY)


def test_without_a_word_it_is_as_for_all():
    settings = ImageSettings(cooldown=Seconds(60), window="Sat", keep=5)
    assert effective(RULE, "web", settings) == UpdateTerms(
        update=UpdateMode.AUTO, cooldown=60, window="Sat", keep=5
    )


def test_the_unit_beats_the_image_and_that_the_app_and_that_all():
    settings = ImageSettings(
        cooldown=Seconds(1),
        window="Mon",
        keep=1,
        by_app={"web": ImageUpdateSettings(cooldown=Seconds(2), window="Tue", keep=2)},
        by_image={"docker.io/*": ImageUpdateSettings(cooldown=Seconds(3), window="Wed")},
    )
    rule = msgspec.structs.replace(RULE, cooldown=4.0)
    assert effective(rule, "web", settings) == UpdateTerms(
        update=UpdateMode.AUTO, cooldown=4, window="Wed", keep=2
    )
    assert effective(rule, "db", settings).keep == 1


def test_a_word_that_says_nothing_of_it_is_a_word():
    settings = ImageSettings(cooldown=Seconds(60), window="Sat")
    rule = msgspec.structs.replace(RULE, cooldown=0.0, window="")
    assert effective(rule, "web", settings).cooldown == 0
    assert effective(rule, "web", settings).window == ""


@pytest.mark.parametrize(
    ("glob", "fits"),
    [
        ("docker.io/library/nginx", True),
        ("docker.io/nginx", True),
        ("docker.io/library/nginx:1.27", True),
        ("docker.io/library/nginx:1.2*", True),
        ("docker.io/*", True),
        ("*", True),
        ("*/nginx", True),
        ("nginx", False),
        ("docker.io/library/nginx:1.28", False),
        ("quay.io/*", False),
    ],
)
def test_an_image_by_its_name(glob, fits):
    settings = ImageSettings(by_image={"quay.io/x": NOTIFY, glob: NOTIFY})
    assert (effective(RULE, "web", settings).update is UpdateMode.NOTIFY) == fits


def test_of_several_globs_the_first_that_says_something():
    settings = ImageSettings(
        by_image={
            "docker.io/library/*": ImageUpdateSettings(keep=7),
            "docker.io/*": ImageUpdateSettings(keep=8, update=UpdateMode.OFF),
        }
    )
    terms = effective(RULE, "web", settings)
    assert (terms.keep, terms.update) == (7, UpdateMode.OFF)
