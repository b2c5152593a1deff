"""Run Podman's generator over a stage, and tell what it crashes at from what the machine lacks.

Used by `generator`, and by `culprits` to try some of the files.
"""

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from supervisor.adapters.quadlet.stage import own_files, remove_abandoned, signature, staged
from supervisor.kit.process import Completed, OutputLimit, ProcessError, ProcessTimeout, run
from supervisor.kit.threads import aside
from supervisor.model.app import Candidate
from supervisor.model.errors import Retry, Stalled

BINARIES = (
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/local/libexec/podman/quadlet",
    "/usr/local/lib/podman/quadlet",
)
"""Where distributions and `make install` put it."""

_OUTPUT_LIMIT = 64 << 20


class Crashed(Exception):
    """The generator crashed, or did not end: what it was given is to blame, not the machine."""

    def __init__(self, words: str, *, hangs: bool = False) -> None:
        super().__init__(words)
        self.hangs = hangs


class Runner:
    """Knows the places; see `generator` for what they are."""

    def __init__(
        self,
        *,
        stage: Path,
        live: Path,
        own_folders: Sequence[Path],
        binaries: Sequence[str],
        patience: float,
        probe_patience: float,
    ) -> None:
        self._stage = stage
        self._live = live
        self._own_folders = own_folders
        self._binaries = binaries
        self._version: tuple[tuple[str, int, int], str] | None = None
        self._tidied = False
        self._patience = patience
        self._probe_patience = probe_patience

    @property
    def live(self) -> Path:
        """Where the installed apps really are."""
        return Path(os.path.realpath(self._live))  # pathlib raises where a link goes round

    @property
    def binary(self) -> str:
        """Where the generator is. Raises Stalled if it is not installed."""
        return self._find_binary()[0]

    @property
    def known_version(self) -> str:
        """What `version` returned last."""
        return self._version[1] if self._version else ""

    async def version(self) -> str:
        """Return the generator's version, and a mark that changes when its file does."""
        binary, state = self._find_binary()
        identity = (binary, state.st_mtime_ns, state.st_size)
        if self._version is None or self._version[0] != identity:
            try:
                done = await run([binary, "-version"], timeout_seconds=self._patience)
            except (ProcessError, OSError) as error:
                raise Retry(f"cannot run Podman's generator: {error}") from error
            said = _ended(done).output.decode(errors="replace").strip()
            mark = f"{(state.st_mtime_ns ^ state.st_size) & 0xFFFFFFFF:08x}"
            self._version = (identity, f"{said or 'unknown'} {mark}")
        return self._version[1]

    def own_files(self) -> list[Path]:
        """Files and folders of the user's and the administrator's own that take part."""
        live = self.live
        return [path for folder in self._own_folders for path in own_files(folder, live)]

    def own_state(self) -> tuple[tuple[str, int, int], ...]:
        """Path, time of change and size of each of the user's own files that take part."""
        return signature(self._own_folders, self.live)

    @asynccontextmanager
    async def staged(
        self,
        apps: Sequence[Candidate],
        contents: Mapping[str, bytes],
        *,
        leave_out: Collection[object] = (),
    ) -> AsyncIterator[Path]:
        """Stand these apps, and the user's own files but for `leave_out`, below a new folder.

        Raises Retry if there is no room.
        """
        if not self._tidied:
            remove_abandoned(self._stage)
            self._tidied = True
        size = sum(len(app.files) for app in apps)
        stage = staged(
            self._stage,
            apps,
            contents=contents,
            own_folders=self._own_folders,
            live=self.live,
            leave_out=leave_out,
        )
        try:
            # Shielded: what a thread makes is there to be removed, whoever waits for it.
            with anyio.CancelScope(shield=True):
                folder = await aside(stage.__enter__, items=size)
            try:
                yield folder
            finally:
                with anyio.CancelScope(shield=True):
                    await aside(lambda: stage.__exit__(None, None, None), items=size)
        except OSError as error:
            raise Retry(f"cannot stage apps in {self._stage}: {error.strerror or error}") from error

    async def dry_run(self, folder: Path, *, is_probe: bool = False) -> Completed:
        """Have it print the units of a stage.

        Raises Crashed, Retry (it was killed) or Stalled (it is not installed).
        """
        binary, _ = self._find_binary()
        env = os.environ | {"QUADLET_UNIT_DIRS": str(folder)}
        try:
            done = await run(
                [binary, "-dryrun", "-user"],
                env=env,
                timeout_seconds=self._probe_patience if is_probe else self._patience,
                output_limit=_OUTPUT_LIMIT,
            )
        except ProcessTimeout as error:
            raise Crashed("it does not come to an end", hangs=True) from error
        except OutputLimit as error:
            raise Crashed("it writes without an end", hangs=True) from error
        except (ProcessError, OSError) as error:
            raise Retry(f"cannot run Podman's generator: {error}") from error
        return _ended(done)

    def _find_binary(self) -> tuple[str, os.stat_result]:
        for binary in self._binaries:
            try:
                return binary, Path(binary).stat()
            except OSError:
                continue
        places = " or ".join(self._binaries[:2])
        raise Stalled(
            f"cannot find Podman's Quadlet generator: it is not at {places}",
            hint="install Podman 4.4 or newer: sudo apt install podman",
        )


def _ended(done: Completed) -> Completed:
    """Raise Crashed if it panicked, Retry if it was killed, as for want of memory."""
    if done.code in (0, 1):  # 1: a file was refused
        return done
    words = done.errors.strip().splitlines()
    for line in words:
        if line.startswith(("panic: ", "fatal error: ")):
            raise Crashed(f"it crashes ({line.partition(': ')[2].strip()})")
    last = f": {words[-1]}" if words else ""
    raise Retry(f"cannot run Podman's generator: it ended with {done.code}{last}")
