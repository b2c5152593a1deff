"""A module of ours in a process that ends: one question goes in, one answer comes out.

What a library costs in memory, or what the service has no right to, is there only as long as that
takes. Both go through pipes: arguments and environment are for all to see.
"""

import resource
import select
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from supervisor.kit import libc

BESIDE = ("systemd-run", "--user", "--pipe", "--wait", "--collect", "--quiet")
"""What to run one by that enters a namespace: podvisor's own service may not, as
`cli.local.unit_file` has it, nor may its processes."""
_WORDS = 300
Question = TypeVar("Question")
Answer = TypeVar("Answer")


class HelperError(Exception):
    """It gave no answer; says why."""


async def ask(
    module: str,
    question: msgspec.Struct,
    answer: type[Answer],
    *,
    timeout_seconds: float,
    answer_limit: int = 16 << 20,
    through: Sequence[str] = (),
    grace_seconds: float = 0.0,
) -> Answer:
    """Have a module answer that calls `serve` when it is run; `through` is what else to run it by.

    `grace_seconds` as of `process.run`, for one that has something to put back.

    Raises HelperError if it cannot be started, breaks a limit, fails or answers something else.
    """
    # Not for the helper, which imports this module too.
    from supervisor.kit.process import ProcessError, run  # noqa: PLC0415

    try:
        done = await run(
            # -P: nothing beside where it runs is taken for a library.
            [*through, sys.executable, "-P", "-m", module],
            stdin=msgspec.msgpack.encode(question),
            timeout_seconds=timeout_seconds,
            output_limit=answer_limit,
            grace_seconds=grace_seconds,
        )
        if done.code == 0:
            return msgspec.msgpack.decode(done.output, type=answer)
    except (ProcessError, OSError, ValueError) as error:
        raise HelperError(str(error)) from error
    last = (done.errors.strip().splitlines() or ["it said nothing"])[-1]
    raise HelperError(last[:_WORDS])


def _has_no_reader(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def serve(answer: Callable[[Question], object], question: type[Question]) -> None:
    """Answer the question on standard input; what that raises ends the process."""
    libc.end_with_parent()
    if _has_no_reader(sys.stdout.fileno()):
        return  # who asked had ended before
    # What is opened here must not end in a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=question)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(asked)))
