"""What this process has taken, as the kernel counts it: some microseconds to ask."""

import contextlib
import os
from pathlib import Path


def rusage(*, children: bool = False) -> tuple[float, float, int, int]:
    """CPU seconds in user and system mode; voluntary and involuntary context switches.

    With `children`, those of all that it started, that have ended and that it waited for.
    """
    import resource  # noqa: PLC0415  # seldom asked for

    one = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return one.ru_utime, one.ru_stime, one.ru_nvcsw, one.ru_nivcsw


def page_faults() -> int:
    """Return how often the kernel had to map something for this process, from its cache or new."""
    import resource  # noqa: PLC0415

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def resident_bytes() -> int:
    """Return the memory that is resident now; 0 where that cannot be read."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGESIZE")
    return 0


def open_files() -> int:
    """Return how many files, sockets and pipes are open; 0 where that cannot be read."""
    with contextlib.suppress(OSError):
        return len([*Path("/proc/self/fd").iterdir()]) - 1  # the listing's own
    return 0
