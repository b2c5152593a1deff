from typing import Any

import anyio
import pytest

from supervisor.web.idle import Idle
from tests.fakes.virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend() -> object:
    return VIRTUAL_TIME


async def nothing(_: Any) -> Any:
    return None


async def test_ends_when_nobody_asks() -> None:
    idle = Idle(60.0)
    with anyio.fail_after(61):
        await idle.wait()


async def test_each_who_asks_puts_it_off() -> None:
    idle, ends = Idle(60.0), []
    begun = anyio.current_time()

    async def wait() -> None:
        await idle.wait()
        ends.append(anyio.current_time() - begun)

    async def slow(_: Any) -> Any:
        await anyio.sleep(100)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(50)
        await idle.counted(None, nothing)  # type: ignore[arg-type]
        await anyio.sleep(50)
        await idle.counted(None, slow)  # type: ignore[arg-type]
    assert ends == [pytest.approx(260, abs=1)]


async def test_never_if_it_is_not_to() -> None:
    with pytest.raises(TimeoutError), anyio.fail_after(1e6):
        await Idle(0).wait()
