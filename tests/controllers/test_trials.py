"""No trial lasts for ever, whatever fails: the whole house, in virtual time."""

import tempfile
from pathlib import Path

import anyio
import looptime
import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.core.gate import is_on
from supervisor.model.health import Health
from supervisor.model.rollout import Outcome
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import AppState
from tests.controllers.conftest import World

GATE_SECONDS = 300
GOOD = {
    "web/web.container": "v=1 needs=img.build reads=conf",
    "web/img.build": "v=1",
    "web/conf": "v=1",
    "web/db.container": "v=1 needs=back.network",
    "web/back.network": "v=1",
}
FAULTS = {
    "build": {"web/img.build": "v=2 unbuildable"},
    "load": {"web/web.container": "v=2 needs=img.build reads=conf unloadable"},
    "start": {"web/web.container": "v=2 needs=img.build reads=conf dies"},
    "loop": {"web/db.container": "v=2 needs=back.network loops=3"},
    "disk": {"web/conf": "v=2 unwritable"},
    "war about a file": {"web/conf": "v=2 fought"},
    "war about a unit": {"web/db.container": "v=2 needs=back.network fought"},
    "network": {"web/back.network": None, "web/db.container": "v=2"},
    "health": {"web/db.container": "v=2 needs=back.network health=30"},
}


def push(world, house, files):
    world.reader.put("home", {path: text for path, text in files.items() if text is not None})
    house.queue.add("source:home")


async def tried(world, faults, *, restart_after):
    world.settings = msgspec.structs.replace(
        world.settings, rollout=RolloutSettings(settle=10, gate_timeout=GATE_SECONDS)
    )
    async with world.running() as house:
        push(world, house, GOOD)
        await anyio.sleep(60)
        assert house.board.apps["web"].state is AppState.READY
        good = world.ledger.applied()["web"].revision
        world.podman.in_use = {"systemd-back"} if "network" in faults else set()
        reloads, jobs = world.machine.reloads, len(world.systemd.jobs)
        bad = GOOD.copy()
        for name in faults:
            bad.update(FAULTS[name])
        push(world, house, bad)
        await anyio.sleep(5)
        if "health" in faults and "db.service" in world.machine.checks:
            world.machine.answers("db.service", Health.STARTING)
        await anyio.sleep(restart_after)
    async with world.running() as house:
        await anyio.sleep(GATE_SECONDS + 60)
        tried = world.ledger.rollouts("web")
        assert not any(is_on(one) for one in tried)
        assert tried[-1].outcome is Outcome.FAILED
        assert tried[-1].reason
        assert world.ledger.applied()["web"].revision == good
        await anyio.sleep(3600)
        assert world.machine.reloads - reloads < 80, "it costs no more than its backoff"
        assert len(world.systemd.jobs) - jobs < 150
        assert not house.board.problems or faults & {"network"}
        if not faults & {"network"}:
            assert house.board.apps["web"].state is AppState.REVERTED
        assert world.machine.files["web"]["conf"].oid
        assert world.machine.words(world.machine.running["web.service"])["v"] == "1"


@settings(max_examples=10)
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=2), st.sampled_from([0, 30]))
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
    def loop():
        made = looptime.new_event_loop()
        made.setup_looptime(start=0)
        return made

    with tempfile.TemporaryDirectory() as scratch:
        world = World(Path(scratch) / "ledger.db")
        try:
            anyio.run(
                lambda: tried(world, faults, restart_after=restart_after),
                backend_options={"loop_factory": loop},
            )
        finally:
            world.close()
