"""Who gives an order waits until all replicas had their turn: the whole daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.model.health import Health
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.controllers.test_replicas import (
    SETTLE,
    deploy,
    instances,
    new,
    nothing,
    rest,
    restarted,
    reverted,
    web,
)


@pytest.fixture
def world(world):
    rollout = RolloutSettings(settle=SETTLE, gate_timeout=60)
    world.settings = msgspec.structs.replace(world.settings, rollout=rollout)
    return world


async def test_who_rolls_back_in_the_middle_waits_until_all_are_back(world):
    async with world.running() as daemon:
        await deploy(world, daemon, web(1))
        await world.push(daemon, web(2))
        await rest(daemon, SETTLE + 3)
        assert new(world, 2) == instances(1, 2)
        said = []

        async def hear(event):
            said.append(event)

        reply = await daemon.service.rollback(OrderRequest(apps=("web",)), hear)
        assert new(world, 1) == instances(1, 2, 3)
        assert [one.state for one in reply.apps] == [AppState.HELD]
        assert restarted(world).count("web@3.service") == 0
        assert any("web@2.service" in str(one) for one in said)


async def test_who_waits_for_turns_does_not_wait_for_ever(world):
    checked = "health=30"
    async with world.running() as daemon:
        await deploy(world, daemon, web(1, more=checked))
        await world.push(daemon, web(2, more=checked))
        await rest(daemon, SETTLE + 3)
        assert new(world, 2, checked) == instances(1, 2)
        with anyio.fail_after(3_600):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.service.rollback, OrderRequest(apps=("web",)), nothing)
                await rest(daemon, 1)
                world.machine.answers("web@1.service", Health.STARTING)
        assert new(world, 1, checked) == instances(1, 3)
        assert daemon.board.apps["web"].state is AppState.CHANGING


async def test_who_asks_for_what_fails_waits_until_all_are_back_and_answer(world):
    async with world.running() as daemon, anyio.create_task_group() as tasks:
        await deploy(world, daemon, web(1, more="health=5"), turns=5)
        world.reader.put("home", web(2, more="health=5"))
        tasks.start_soon(fails_later, world, daemon)
        await daemon.service.sync(SyncRequest(), nothing)
        assert reverted(world, daemon)
        assert new(world, 1, "health=5") == instances(1, 2, 3)


async def fails_later(world, daemon):
    """The last of a release fails when the others are well."""
    while new(world, 2, "health=5") != instances(1, 2, 3):  # noqa: ASYNC110
        await anyio.sleep(0.5)
    world.systemd.dies("web@3.service")
