"""What waits between tasks comes in its order, and once."""

import anyio
import pytest

from supervisor.kit.streams import DistinctQueue

pytestmark = pytest.mark.anyio


async def test_what_waits_comes_in_its_order_and_once() -> None:
    queue = DistinctQueue[str]()
    for item in "abacab":
        queue.put_nowait(item)
    assert queue.qsize() == 3
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
    assert queue.empty()
    queue.put_nowait("a")
    assert await queue.get() == "a", "it may wait again once it was taken"


async def test_whoever_iterates_hears_all_that_comes() -> None:
    queue = DistinctQueue[int]()
    heard = []

    async def listen() -> None:
        async for item in queue:
            heard.append(item)
            if item == 3:
                return

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            queue.put_nowait(1)
            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            assert heard == [1]
            for item in (2, 2, 3, 4):
                queue.put_nowait(item)
    assert heard == [1, 2, 3]
    assert queue.get_nowait() == 4, "what nobody took stays"
