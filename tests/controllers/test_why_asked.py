"""Why an app is as it is, asked of a daemon that runs."""

import anyio
import pytest

from supervisor.model.errors import Stalled
from supervisor.model.why import FactKind

pytestmark = pytest.mark.anyio

PHOTOS = {"photos/gallery.container": ""}


def texts(why, about):
    return [one.text for one in why.facts if one.about is about]


async def test_from_the_push_to_the_crash(world):
    world.reader.put("home", PHOTOS)
    async with world.running() as daemon:
        await world.push(daemon, {"photos/gallery.container": "# another"})
        why = await daemon.service.why("photos")
        (release,) = [one for one in why.facts if one.about is FactKind.RELEASE]
        assert release.text.startswith("photos runs ")
        assert release.causes[0].text.startswith("source home came to ")
        assert texts(why, FactKind.STATE) == ["photos is well"]
        assert not texts(why, FactKind.UNIT), "it was started for its release"

        world.systemd.dies("gallery.service")
        await anyio.sleep(100)
        why = await daemon.service.why("photos")
        (repaired,) = texts(why, FactKind.UNIT)
        assert repaired.startswith("gallery.service was started: ")
        assert "should run" in repaired
        assert why.facts[-1].at > release.at

        of_unit = await daemon.service.why("gallery")
        assert (of_unit.app, of_unit.unit) == ("photos", "gallery.service")
        assert texts(of_unit, FactKind.UNIT) == [repaired]
        with pytest.raises(Stalled, match="no app and no unit"):
            await daemon.service.why("photo")


async def test_an_app_that_left_is_told_of(world):
    world.reader.put("home", {**PHOTOS, "web/site.container": ""})
    async with world.running() as daemon:
        await world.push(daemon, {"web/site.container": ""})
        why = await daemon.service.why("photos")
        assert texts(why, FactKind.RELEASE) == ["photos is gone: no longer in the source"]


async def test_an_app_that_no_pass_has_seen_yet_is_no_unknown_one(world):
    world.reader.put("home", PHOTOS)
    async with world.running():
        pass
    async with world.running(first_pass=False) as daemon:
        why = await daemon.service.why("photos")
        assert texts(why, FactKind.STATE) == [
            "podvisor has begun, and has not looked at photos yet"
        ]
        with pytest.raises(Stalled, match="no app and no unit"):
            await daemon.service.why("photo")
