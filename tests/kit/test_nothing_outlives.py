"""What a helper started does not outlive it, however it or its caller ends."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen

import anyio
import pytest

from supervisor.kit.helper import HelperError
from tests.kit.hooked import have_it_done
from tests.kit.test_process import gone, written

pytestmark = pytest.mark.anyio
ROOT = str(Path(__file__).parents[2])
ALL = ("helper", "hook", "child")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((ROOT, os.environ.get("PYTHONPATH", ""))))


async def numbers(folder: Path) -> dict[str, int]:
    """Wait until all of them run."""
    with anyio.fail_after(60):
        while not all(written(folder / name) for name in ALL):  # noqa: ASYNC110
            await anyio.sleep(0.01)
    return {name: int(written(folder / name)) for name in ALL}


@asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[dict[str, int]]:
    """A helper that works meanwhile, and is cancelled after, if it has not ended."""
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(HelperError):
                await have_it_done(str(folder))

        tasks.start_soon(ask)
        yield await numbers(folder)
        tasks.cancel_scope.cancel()


async def test_who_cancels_it_ends_all_of_them(tmp_path: Path) -> None:
    async with asked(tmp_path) as pids:
        pass
    assert [await gone(pids[name]) for name in ALL] == [True] * 3


async def test_a_helper_that_is_killed_takes_all_of_them_along(tmp_path: Path) -> None:
    async with asked(tmp_path) as pids:
        os.kill(pids["helper"], signal.SIGKILL)
        assert [await gone(pids[name]) for name in ALL] == [True] * 3


async def test_a_caller_that_is_killed_takes_helper_and_program_along(tmp_path: Path) -> None:
    """What these have started is ended with the service's control group."""
    code = (
        "import anyio; from tests.kit.hooked import have_it_done;"
        f"anyio.run(have_it_done, {str(tmp_path)!r})"
    )
    caller = Popen([sys.executable, "-c", code])  # noqa: ASYNC220
    try:
        pids = await numbers(tmp_path)
    finally:
        caller.kill()
        caller.wait()
    assert [await gone(pids[name]) for name in ("helper", "hook")] == [True] * 2
    os.kill(pids["child"], signal.SIGKILL)
