"""Has this process resident only what it uses: of its memory, of programs and of libraries.

A start runs much that nothing runs after it, and the kernel maps 64 kB around each page that is
touched. What is taken out of the process here stays in the kernel's page cache for as long as there
is room; a page that is needed comes back from there, for less than a microsecond.
"""

import logging
import re
from pathlib import Path

from supervisor.kit import libc, own_usage

_WORTH_FAULTS = 64
"""Four megabytes of files at most."""
_UNWRITTEN_FILE = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) r-([-x])p [^/\n]*(/.*)\n"
    rb"(?:(?![0-9a-f]+-).*\n)*?Anonymous: +0 kB$",
    re.MULTILINE,
)

log = logging.getLogger(__name__)


class ResidentSet:
    """What of this process is resident, between one rest and the next."""

    def __init__(self) -> None:
        self._faults = -_WORTH_FAULTS
        """How many there had been when it was trimmed last."""
        self._programs: list[tuple[int, int]] = []
        """What is mapped of programs and libraries, as it was first: to read that is dear.

        Python unmaps none that it has loaded.
        """

    def trim(self) -> None:
        """Give back what is free or can be read anew, if much has come since the last time.

        What runs after it comes back at once: so it is for the last moment before the process
        sleeps.
        """
        faults = own_usage.page_faults()
        if faults < self._faults + _WORTH_FAULTS:
            return
        self._faults = faults
        libc.release_free_memory()
        try:
            self._programs = self._programs or unwritten(Path("/proc/self/smaps").read_bytes())
            libc.unmap_pages(reversed(self._programs))  # Python itself, at the lowest address, last
        except OSError as error:  # a kernel without that file, or memory that is locked
            log.debug("what is mapped of libraries stays resident: %s", error)


def unwritten(smaps: bytes) -> list[tuple[int, int]]:
    """Address and length of what programs and libraries have mapped as their file has it.

    From /proc/PID/smaps (proc_pid_smaps(5)). What can be written is left out, and what was: a
    loader writes addresses into pages that are read-only after that. Files without code are, too:
    they may be unmapped meanwhile, and their addresses be another's.
    """
    found = [one.groups() for one in _UNWRITTEN_FILE.finditer(smaps)]
    programs = {path for *_, executable, path in found if executable == b"x"}
    stretches: list[tuple[int, int]] = []
    for start, end in ((int(one[0], 16), int(one[1], 16)) for one in found if one[3] in programs):
        if stretches and sum(stretches[-1]) == start:
            start, _ = stretches.pop()  # noqa: PLW2901  # one call takes out both
        stretches.append((start, end - start))
    return stretches
