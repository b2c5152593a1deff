"""Ends of jobs, told in whatever order and at whatever moment."""

from functools import partial

import anyio
import pytest

from supervisor.adapters.systemd.jobs import Jobs


class Bus:
    """A connection of which only the rules are of interest."""

    def __init__(self) -> None:
        self.rules: list[str] = []

    def post_rule(self, member: str, rule: str) -> None:
        (self.rules.append if member == "AddMatch" else self.rules.remove)(rule)


@pytest.mark.parametrize("both_before", [True, False], ids=["before both", "in between"])
async def test_two_who_ask_for_one_unit_share_a_job(*, both_before: bool) -> None:
    jobs, bus, results = Jobs(), Bus(), []
    answered, later = anyio.Event(), anyio.Event()

    async def run(answer: anyio.Event) -> None:
        async def ask() -> str:
            await answer.wait()
            return "/job/1"

        results.append(await jobs.run(ask, bus, timeout_seconds=30))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, answered)
        tasks.start_soon(run, answered if both_before else later)
        await anyio.wait_all_tasks_blocked()
        answered.set()
        if not both_before:
            await anyio.wait_all_tasks_blocked()
        jobs.on_removed("/job/1", "done")
        later.set()
    assert results == ["done", "done"]
    assert bus.rules == []


async def test_ends_of_strangers_jobs_are_not_kept() -> None:
    jobs, bus = Jobs(), Bus()

    async def ask() -> str:
        for number in range(100):
            jobs.on_removed(f"/job/{number}", "done")
        return "/job/100"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(jobs.run, ask, bus, timeout_seconds=30))
        await anyio.wait_all_tasks_blocked()
        assert jobs._early == {}
        jobs.on_removed("/job/100", "done")


async def test_a_new_connection_hears_of_jobs_while_those_on_the_old_one_still_wait() -> None:
    jobs, old, new, results = Jobs(), Bus(), Bus(), []

    async def run(bus: Bus, job: str) -> None:
        async def ask() -> str:
            return job

        results.append(await jobs.run(ask, bus, timeout_seconds=30))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, old, "/job/1")
        tasks.start_soon(run, new, "/job/2")
        await anyio.wait_all_tasks_blocked()
        assert len(old.rules) == len(new.rules) == 1
        jobs.on_removed("/job/1", "done")
        await anyio.wait_all_tasks_blocked()
        assert (old.rules, len(new.rules)) == ([], 1)
        jobs.on_removed("/job/2", "done")
    assert (results, new.rules, len(jobs._listening)) == (["done", "done"], [], 0)


async def test_who_waits_on_a_connection_that_is_lost_goes_on_at_once_and_nobody_else() -> None:
    jobs, old, new, results = Jobs(), Bus(), Bus(), []

    async def run(bus: Bus, job: str) -> None:
        async def ask() -> str:
            return job

        results.append((job, await jobs.run(ask, bus, timeout_seconds=30)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, old, "/job/1")
        tasks.start_soon(run, new, "/job/2")
        await anyio.wait_all_tasks_blocked()
        jobs.on_lost(old)
        await anyio.wait_all_tasks_blocked()
        assert results == [("/job/1", "")]
        jobs.on_removed("/job/2", "done")
    assert results == [("/job/1", ""), ("/job/2", "done")]
    assert (jobs._waiting, jobs._listening) == ({}, {})


async def test_an_end_that_does_not_come_in_time_is_not_waited_for() -> None:
    jobs, bus = Jobs(), Bus()

    async def ask() -> str:
        return "/job/1"

    assert await jobs.run(ask, bus, timeout_seconds=0.01) == ""
    assert (bus.rules, jobs._waiting, jobs._listening) == ([], {}, {})
