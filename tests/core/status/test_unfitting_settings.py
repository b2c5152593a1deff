"""What the settings say of apps and images that are not there."""

import pytest

from supervisor.core.status.unfitting_settings import unfitting
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import HealthSettings, ImageSettings, ImageUpdateSettings, Settings

THERE = ImageUpdateSettings()
APPS = {"web", "db"}
IMAGES = {"docker.io/library/nginx:1.27", "ghcr.io/me/web:latest"}


def said(**images: dict[str, ImageUpdateSettings]) -> list[tuple[str, str]]:
    found = list(unfitting(Settings(images=ImageSettings(**images)), apps=APPS, images=IMAGES))
    assert not any(one.fatal for one in found)
    return [(one.message, one.hint) for one in found]


def test_an_app_that_is_misspelt() -> None:
    why = "“wbe” in `images.by_app` fits no app", "did you mean “web”?"
    assert said(by_app={"web": THERE, "wbe": THERE}) == [why]


def test_an_interval_for_an_app_that_is_gone() -> None:
    health = HealthSettings(idle_interval_by_app={"photos": Seconds(60), "db": Seconds(60)})
    (found,) = unfitting(Settings(health=health), apps=APPS, images=IMAGES)
    assert found.message == "“photos” in `health.idle_interval_by_app` fits no app"
    assert found.hint == "take it out, or write what is there"


@pytest.mark.parametrize(
    "glob", ["docker.io/nginx", "docker.io/*", "ghcr.io/me/web", "*:latest", "*"]
)
def test_a_glob_that_fits(glob: str) -> None:
    assert said(by_image={glob: THERE}) == []


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("ghcr.io/me/wbe", "did you mean “ghcr.io/me/web”?"),
        ("quay.io/*", "take it out, or write what is there"),
    ],
)
def test_a_glob_that_fits_nothing(glob: str, hint: str) -> None:
    what = f"“{glob}” in `images.by_image` fits no image that is kept up to date"
    assert said(by_image={glob: THERE}) == [(what, hint)]
