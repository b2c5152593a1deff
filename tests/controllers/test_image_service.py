"""What people ask about images, on the whole daemon in virtual time."""

import pytest

from supervisor.model.errors import Stalled

WEB = {"web/web.container": "image=docker.io/library/nginx:1.27"}


async def test_images_that_nobody_follows_are_listed(world):
    async with world.running() as daemon:
        await world.push(daemon, {**WEB, "db/db.container": ""})
        listed = await daemon.service.images("")
        assert [(one.app, one.image) for one in listed.images] == [
            ("web", "docker.io/library/nginx:1.27")
        ]
        assert (await daemon.service.images("db")).images == ()


async def test_an_unknown_app_has_no_images(world):
    async with world.running() as daemon:
        await world.push(daemon, WEB)
        with pytest.raises(Stalled, match="no app named “wbe”") as refused:
            await daemon.service.images("wbe")
        assert "“web”" in refused.value.hint
