"""A helper that runs a program which goes on, and starts another one; to be killed at it."""

from functools import partial

import anyio
import msgspec

from supervisor.kit.helper import ask, serve
from supervisor.kit.process import run


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    folder: str
    """Where each process writes its number."""


def work(job: Job) -> str:
    """Run the program to its end, which does not come."""
    script = (
        f"echo $PPID > {job.folder}/helper; echo $$ > {job.folder}/hook;"
        f" sleep 600 & echo $! > {job.folder}/child; wait"
    )
    anyio.run(partial(run, ["/bin/sh", "-c", script], timeout_seconds=600, within=True))
    return "it ended"


async def have_it_done(folder: str) -> str:
    """Have a helper do it."""
    return await ask(__spec__.name, Job(folder=folder), str, timeout_seconds=600)


if __name__ == "__main__":
    serve(work, Job)
