"""Child processes: what comes back, and that nothing stays behind."""

import os
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest

from supervisor.kit.links import resolve
from supervisor.kit.process import OutputLimit, ProcessTimeout, run
from supervisor.kit.threads import in_thread

pytestmark = pytest.mark.anyio


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


async def gone(pid: int) -> bool:
    with anyio.move_on_after(60):
        while alive(pid):  # noqa: ASYNC110  # the process is not ours to wait for
            await anyio.sleep(0.01)
        return True
    return False


def written(path: Path) -> str:
    """A whole line of a file, if it is there yet."""
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


async def test_output_errors_and_code_come_back():
    done = await run(
        [sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit('bad \\udcff')"],
        stdin=b"in",
        timeout_seconds=60,
    )
    assert done.output == b"in\n"
    assert done.code == 1
    assert done.errors.startswith("bad ")


async def test_environment_and_folder_are_as_given(tmp_path):
    done = await run(["/usr/bin/env"], env={"ONLY": "this"}, cwd=str(tmp_path), timeout_seconds=60)
    assert done.output == b"ONLY=this\n"
    done = await run(["/bin/pwd"], cwd=str(tmp_path), timeout_seconds=60)
    assert done.output.decode().strip() == str(tmp_path)


async def test_arguments_meet_no_shell():
    done = await run(["/bin/echo", "$HOME; *"], timeout_seconds=60)
    assert done.output == b"$HOME; *\n"


async def test_a_program_that_is_not_there_is_an_os_error():
    with pytest.raises(FileNotFoundError):
        await run(["/nonexistent/program"], timeout_seconds=60)


async def test_a_child_that_reads_nothing_does_not_block_the_rest():
    done = await run(["/bin/true"], stdin=b"x" * (4 << 20), timeout_seconds=60)
    assert done.code == 0


async def test_time_out_kills_the_whole_group(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(ProcessTimeout, match=r"did not end within 1 s"):
        await run(["/bin/sh", "-c", script], timeout_seconds=1)
    assert await gone(int((tmp_path / "pid").read_text()))


async def test_cancellation_kills_the_whole_group(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(run, ["/bin/sh", "-c", script], timeout_seconds=60))
        with anyio.fail_after(60):
            while not (pid := written(tmp_path / "pid")):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert await gone(int(pid))


async def test_too_much_output_ends_it():
    with pytest.raises(OutputLimit):
        await run(["/bin/cat", "/dev/zero"], timeout_seconds=60, output_limit=1 << 20)


async def test_a_large_file_is_not_written(tmp_path):
    write = f"f = open('{tmp_path}/f', 'wb'); f.write(b'x' * 100_000); f.close()"
    script = f"import time; time.sleep(.1); {write}"
    done = await run([sys.executable, "-c", script], timeout_seconds=60, file_limit=1_000)
    assert done.code != 0
    assert (tmp_path / "f").stat().st_size <= 1_000


async def test_a_helper_that_keeps_the_pipes_is_not_waited_for():
    started = time.monotonic()
    done = await run(["/bin/sh", "-c", "echo out; sleep 60 & exit 0"], timeout_seconds=30)
    assert (done.code, done.output) == (0, b"out\n")
    assert time.monotonic() - started < 30


async def test_work_in_a_thread_returns_raises_and_leaves_no_thread():
    assert await in_thread(lambda: 42) == 42
    with pytest.raises(ValueError, match="no"):
        await in_thread(lambda: int("no"))


def test_links_are_followed_by_their_texts():
    links = {"d/up": "..", "a": "b/../c", "loop": "loop", "abs": "/etc", "conf": "d/up/file"}
    assert resolve("a", links) == "c"
    assert resolve("conf", links) == "file"
    assert resolve("d/up/x", links) == "x"
    assert resolve("d/up/../x", links) is None
    assert resolve("loop", links) is None
    assert resolve("abs/passwd", links) is None
    assert resolve("../x", links) is None


async def test_one_that_has_a_grace_puts_back_what_it_did(tmp_path):
    script = f"trap 'rm {tmp_path}/there; exit' TERM; touch {tmp_path}/there; sleep 60 & wait"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            partial(run, ["/bin/sh", "-c", script], timeout_seconds=60, grace_seconds=30)
        )
        with anyio.fail_after(60):
            while not (tmp_path / "there").exists():  # noqa: ASYNC110
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert not (tmp_path / "there").exists()


async def test_one_that_does_not_end_in_its_grace_is_killed(tmp_path):
    script = f"trap '' TERM; touch {tmp_path}/there; while :; do sleep 1; done"
    with pytest.raises(ProcessTimeout):
        await run(["/bin/sh", "-c", script], timeout_seconds=0.5, grace_seconds=0.1)
