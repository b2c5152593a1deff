"""Work in threads that end with it."""

import threading

import anyio
import pytest

from supervisor.kit.threads import Lane

pytestmark = pytest.mark.anyio


async def test_a_lane_does_one_after_the_other_in_one_thread() -> None:
    lane, done, before = Lane(), [], threading.active_count()
    free = threading.Event()

    async def ask(number: int) -> None:
        done.append(await lane.run(lambda: (free.wait(10), number, threading.active_count())))

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        free.set()
    assert [number for _, number, _ in done] == [*range(100)]
    assert max(threads for _, _, threads in done) == before + 1


async def test_what_fails_in_a_lane_is_told_and_the_next_is_done() -> None:
    lane = Lane()
    with pytest.raises(ZeroDivisionError):
        await lane.run(lambda: 1 / 0)
    assert await lane.run(lambda: "well") == "well"


async def test_a_wait_that_is_given_up_does_not_hold_up_what_comes_next() -> None:
    lane, free, begun = Lane(), threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return free.wait(10)

    with anyio.move_on_after(0.01):
        await lane.run(wait)
    assert begun.wait(10)
    free.set()
    assert await lane.run(lambda: "next") == "next"
