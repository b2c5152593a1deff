"""What was merged is taken back in Git, while something newer waits in a branch to be merged."""

import msgspec
import pytest

from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import RolloutSettings, SourceSettings
from tests.controllers.test_writeback import (
    DIGESTS,
    OWN_BRANCH,
    PATH,
    SETTLE,
    UNIT,
    A,
    C,
    at_first,
    newer,
    running,
    settle,
)


@pytest.fixture
def world(world):
    home = SourceSettings(
        git=GitUrl("https://git.example/home"), writeback=True, writeback_branch=OWN_BRANCH
    )
    rollout = RolloutSettings(settle=SETTLE, gate_timeout=600)
    world.settings = msgspec.structs.replace(
        world.settings, sources={"home": home}, rollout=rollout
    )
    world.podman.registry.update(DIGESTS.values())
    return world


async def test_what_was_merged_is_taken_back_while_something_newer_is_proposed(world):
    async with world.running() as daemon:
        await at_first(world, daemon)
        await newer(world, daemon, "1", "2")
        await world.push(daemon, {PATH: UNIT.format(2)})  # merged
        await settle(daemon)
        await newer(world, daemon, "1", "2", "3")
        assert running(world) == C
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        assert running(world) == A
        (pinned,) = world.events(EventKind.PINNED)
        assert "a person took 2 back in Git" in pinned.reason


async def test_what_nobody_merged_is_not_taken_back_by_an_older_tag(world):
    async with world.running() as daemon:
        await at_first(world, daemon, {PATH: UNIT.format(2)})
        await newer(world, daemon, "1", "2", "3")
        assert running(world) == C
        await world.push(daemon, {PATH: UNIT.format(1)})
        await settle(daemon)
        assert running(world) == C
