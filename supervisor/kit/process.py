"""Run a child process to its end: argv in, output back, never a shell.

All of its session is killed when the wait is cancelled, times out, the output grows past its limit,
or somebody kills it: nothing that it started stays behind. One that has a grace is asked to end
before. `Popen` starts it, by vfork; uvloop would fork, which costs several times the CPU.
"""

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, NamedTuple

import anyio

from supervisor.kit import libc

_ERRORS_KEPT = 64 << 10
_CHUNK_BYTES = 64 << 10
_PIPE_GRACE_SECONDS = 1.0
_REAP_SECONDS = 5.0
_ROUNDS = 10


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
    stdin: bytes | Path = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout_seconds: float,
    output_limit: int = 16 << 20,
    file_limit: int = 0,
    hear: Callable[[bytes], None] | None = None,
    within: bool = False,
    grace_seconds: float = 0.0,
) -> Completed:
    """Run `argv` and return how it ended; a non-zero exit is the caller's to judge.

    `stdin` is what it reads, or the file that it does. `env` replaces the environment. With `hear`,
    the output goes there as it comes, and is not kept; what that raises ends the process.
    `file_limit` is the largest file that it may write (0: any). `within`: it is in this process's
    own session, and so ends with it, for a process that was itself started by this.
    `grace_seconds` is what it has after SIGTERM before it is killed.
    Raises OSError if it cannot be started, ProcessTimeout or OutputLimit if it was killed.
    """
    told, place = (b"", stdin) if isinstance(stdin, Path) else (stdin, None)
    with open(place or os.devnull, "rb") as file:  # noqa: ASYNC230, PTH123  # the child reads it
        process = Popen(  # noqa: ASYNC220  # it returns when the child has begun, about a ms
            argv,
            stdin=PIPE if told else file,
            stdout=PIPE,
            stderr=PIPE,
            bufsize=0,
            env=env,
            cwd=cwd,
            start_new_session=not within,
            process_group=0 if within else None,
            preexec_fn=libc.end_with_parent if within else None,  # noqa: PLW1509  # one call of C
        )
    if file_limit:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_limit, file_limit))
    output = bytearray()
    errors = bytearray()
    ended = overflow = False
    written = 0

    def take(chunk: bytes) -> None:
        nonlocal overflow, written
        written += len(chunk)
        if hear is None:
            output.extend(chunk)
        else:
            hear(chunk)
        if written > output_limit:
            overflow = True
            scope.cancel()

    def take_tail(chunk: bytes) -> None:
        errors.extend(chunk)
        del errors[:-_ERRORS_KEPT]

    try:
        with anyio.move_on_after(timeout_seconds) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(_feed, process.stdin, told)
                group.start_soon(_read, process.stdout, take)
                group.start_soon(_read, process.stderr, take_tail)
                await _end_of(process)
                # A helper that it left behind may hold the pipes open for good.
                group.cancel_scope.deadline = anyio.current_time() + _PIPE_GRACE_SECONDS
            ended = not overflow
    finally:
        if not ended and grace_seconds:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGTERM)
            with anyio.move_on_after(grace_seconds, shield=True):
                await _end_of(process, with_all=True)
        if not ended and process.returncode is None:
            _kill(process.pid)
        with anyio.move_on_after(_REAP_SECONDS, shield=True):
            await _end_of(process)
        for pipe in filter(None, (process.stdin, process.stdout, process.stderr)):
            pipe.close()
    if overflow:
        raise OutputLimit(f"{argv[0]} wrote more than {output_limit} bytes")
    if not ended or process.returncode is None:
        raise ProcessTimeout(f"{argv[0]} did not end within {timeout_seconds:g} s")
    return Completed(process.returncode, bytes(output), errors.decode(errors="replace"))


def _kill(leader: int) -> None:
    """Kill a process that is not reaped yet, its process group, and its session if it leads one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(_ROUNDS):  # what one of them started meanwhile is of the session, too
        members = tuple(_members(leader))
        if not members:
            return
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _members(session: int) -> Iterator[int]:
    """Yield those of a session that have not ended."""
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (place / "stat").read_bytes()
                state, _, _, its = stat.rpartition(b")")[2].split()[:4]
                if int(its) == session and state not in b"ZX":
                    yield int(place.name)


async def _end_of(process: Popen[bytes], *, with_all: bool = False) -> None:
    """Wait for it to end; what is left of its session ends then if it was killed, or `with_all`."""
    if process.returncode is not None:
        return
    pidfd = os.pidfd_open(process.pid)
    try:
        await anyio.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    # Before it is reaped: as long, its number is no other's.
    how = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
    if with_all or (how and how.si_code != os.CLD_EXITED):
        _kill(process.pid)
    process.wait()  # it has ended


async def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    if pipe is None:
        return
    os.set_blocking(pipe.fileno(), False)
    left = memoryview(data)
    with contextlib.suppress(BrokenPipeError):
        while left:
            await anyio.wait_writable(pipe)
            with contextlib.suppress(BlockingIOError):
                left = left[os.write(pipe.fileno(), left) :]
    pipe.close()


async def _read(pipe: IO[bytes] | None, take: Callable[[bytes], None]) -> None:
    if pipe is None:
        return
    os.set_blocking(pipe.fileno(), False)
    while True:
        await anyio.wait_readable(pipe)
        with contextlib.suppress(BlockingIOError):
            if not (chunk := os.read(pipe.fileno(), _CHUNK_BYTES)):
                return
            take(chunk)
