"""Run a child process to its end: argv in, output back, never a shell.

Used by the adapters that need a program (git, Podman's generator). The child leads a process
group of its own, and that whole group is killed when the wait is cancelled, times out or the
output grows past its limit: nothing that it started stays behind.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from subprocess import DEVNULL, PIPE
from typing import NamedTuple

import anyio
from anyio.abc import ByteReceiveStream, Process

_ERRORS_KEPT = 64 << 10
_PIPE_GRACE_SECONDS = 1.0
_REAP_SECONDS = 5.0


class Completed(NamedTuple):
    """How a process ended."""

    code: int
    """Exit code; negative for the signal that killed it."""
    output: bytes
    errors: str
    """The end of what it wrote to stderr, undecodable bytes replaced."""


class ProcessError(Exception):
    """The process was killed because it broke a limit; says which."""


class ProcessTimeout(ProcessError):
    """It ran longer than it was given."""


class OutputLimit(ProcessError):
    """It wrote more than the caller is ready to hold."""


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout_seconds: float,
    output_limit: int = 16 << 20,
    file_limit: int = 0,
    hear: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run `argv` and return how it ended; a non-zero exit is the caller's to judge.

    `env` replaces the environment. With `hear`, the output goes there as it comes, and is not kept;
    what that raises ends the process. `file_limit` is the largest file that it may write (0: any).
    Raises OSError if it cannot be started, ProcessTimeout or OutputLimit if it was killed.
    """
    # Cancelled in its middle, it would leave a child of which nobody knows.
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            argv,
            stdin=PIPE if stdin else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    if file_limit:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_limit, file_limit))
    output = bytearray()
    errors = bytearray()
    ended = overflow = False
    written = 0

    async def take(stream: ByteReceiveStream) -> None:
        nonlocal overflow, written
        async for chunk in stream:
            written += len(chunk)
            if hear is None:
                output.extend(chunk)
            else:
                hear(chunk)
            if written > output_limit:
                overflow = True
                scope.cancel()

    try:
        with anyio.move_on_after(timeout_seconds) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(_feed, process, stdin)
                if process.stdout:
                    group.start_soon(take, process.stdout)
                if process.stderr:
                    group.start_soon(_take_tail, process.stderr, errors)
                await process.wait()
                # A helper that it left behind may hold the pipes open for good.
                group.cancel_scope.deadline = anyio.current_time() + _PIPE_GRACE_SECONDS
            ended = not overflow
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with anyio.move_on_after(_REAP_SECONDS, shield=True):
            await process.aclose()
    if overflow:
        raise OutputLimit(f"{argv[0]} wrote more than {output_limit} bytes")
    if not ended or process.returncode is None:
        raise ProcessTimeout(f"{argv[0]} did not end within {timeout_seconds:g} s")
    return Completed(process.returncode, bytes(output), errors.decode(errors="replace"))


async def _feed(process: Process, data: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.send(data)
    with contextlib.suppress(anyio.BrokenResourceError, OSError):
        await process.stdin.aclose()


async def _take_tail(stream: ByteReceiveStream, kept: bytearray) -> None:
    async for chunk in stream:
        kept.extend(chunk)
        del kept[:-_ERRORS_KEPT]
