"""No trial lasts for ever, whatever fails: the whole daemon, in virtual time."""

import tempfile
from pathlib import Path

import anyio
import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.core.health.gate import is_on
from supervisor.model.health import Health
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState
from tests.controllers.conftest import World
from tests.examples import scaled
from tests.fakes.virtual_time import VIRTUAL_TIME

GATE_SECONDS = 300
GOOD = {
    "web/web.container": "v=1 needs=img.build reads=conf",
    "web/img.build": "v=1",
    "web/conf": "v=1",
    "web/db.container": "v=1 needs=back.network",
    "web/back.network": "v=1",
}
FAULTS = {
    "build": ("web/img.build", "unbuildable"),
    "load": ("web/web.container", "unloadable"),
    "start": ("web/web.container", "dies"),
    "loop": ("web/db.container", "loops=3"),
    "disk": ("web/conf", "unwritable"),
    "war about a file": ("web/conf", "fought"),
    "war about a unit": ("web/db.container", "fought"),
    "network": ("web/db.container", ""),
    "health": ("web/db.container", "health=30"),
}
"""What is wrong, and with which file; "network" is a network that goes and is still in use."""


def with_faults(faults):
    """A revision with all of these faults at once."""
    files = GOOD.copy()
    for name in sorted(faults):
        path, word = FAULTS[name]
        files[path] = f"{files[path].replace('v=1', 'v=2')} {word}"
    if "network" in faults:
        del files["web/back.network"]
        files["web/db.container"] = files["web/db.container"].replace("needs=back.network", "")
    return files


def push(world, daemon, files):
    world.reader.put("home", files)
    daemon.queue.add("source:home")


async def tried(world, faults, *, restart_after):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=10, gate_timeout=GATE_SECONDS)
    )
    async with world.running() as daemon:
        push(world, daemon, GOOD)
        await anyio.sleep(60)
        assert daemon.board.apps["web"].state is AppState.READY
        good = world.ledger.applied()["web"].revision
        world.podman.in_use = {"systemd-back"} if "network" in faults else set()
        reloads, jobs = world.machine.reloads, len(world.systemd.jobs)
        push(world, daemon, with_faults(faults))
        await anyio.sleep(5)
        if "health" in faults and "db.service" in world.machine.checks:
            world.machine.answers("db.service", Health.STARTING)
        await anyio.sleep(restart_after)
    async with world.running() as daemon:
        await anyio.sleep(GATE_SECONDS + 60)
        tried = world.ledger.rollouts("web")
        assert not any(is_on(one) for one in tried)
        assert tried[-1].outcome is Outcome.FAILED
        assert tried[-1].reason
        assert world.ledger.applied()["web"].revision == good
        await anyio.sleep(3600)
        assert world.machine.reloads - reloads < 80, "it costs no more than its backoff"
        assert len(world.systemd.jobs) - jobs < 150
        assert not daemon.board.problems or faults & {"network"}
        if not faults & {"network"}:
            assert daemon.board.apps["web"].state is AppState.REVERTED
        assert world.machine.files["web"]["conf"].oid
        assert world.machine.words(world.machine.running["web.service"])["v"] == "1"


@settings(max_examples=scaled(10))
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3), st.sampled_from([0, 30]))
@example({"build"}, 0)
@example({"load"}, 0)
@example({"start"}, 0)
@example({"loop"}, 0)
@example({"disk"}, 0)
@example({"war about a file"}, 0)
@example({"war about a unit"}, 0)
@example({"network"}, 0)
@example({"health"}, 30)
def test_every_trial_ends_in_time_and_leads_back(faults, restart_after):
    with tempfile.TemporaryDirectory() as scratch:
        world = World(Path(scratch) / "ledger.db")
        try:
            anyio.run(
                lambda: tried(world, faults, restart_after=restart_after),
                backend_options=VIRTUAL_TIME[1],
            )
        finally:
            world.close()
