"""Run Podman's generator over a stage, and tell what it crashes at from what the machine lacks."""

import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

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

ADMIN_FOLDER = Path("/etc/containers/systemd/users")
"""For all users; in it, a folder named by its uid for each who has more."""

_OUTPUT_LIMIT = 64 << 20


class Crashed(Exception):
    """The generator crashed, or did not end: what it was given is to blame, not the machine."""

    def __init__(self, words: str, *, hangs: bool = False) -> None:
        super().__init__(words)
        self.hangs = hangs


class Runner(msgspec.Struct, kw_only=True):
    """Knows the places."""

    stage: Path
    """A folder in memory (`$XDG_RUNTIME_DIR/podvisor/stage`)."""
    quadlets: Path
    """The user's, in which `podvisor/` holds the installed apps; all else is the user's own."""
    system_folders: Sequence[Path] = (ADMIN_FOLDER, ADMIN_FOLDER / str(os.getuid()))
    """The administrator's files for users, which take part as well."""
    binaries: Sequence[str] = BINARIES
    patience: float = 30.0
    """For a run, in seconds; it takes milliseconds."""
    probe_patience: float = 5.0
    """For each of those that find out at which file it hangs."""
    _version: tuple[tuple[str, int, int], str] | None = None
    _tidied: bool = False

    @property
    def live(self) -> Path:
        """Where the installed apps really are."""
        # pathlib raises where a link goes round
        return Path(os.path.realpath(self.quadlets / "podvisor"))

    @property
    def own_folders(self) -> tuple[Path, ...]:
        """Where the user's and the administrator's own files are."""
        return (self.quadlets, *self.system_folders)

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
                done = await run([binary, "-version"], timeout_seconds=self.patience)
            except (ProcessError, OSError) as error:
                raise Retry(f"cannot run Podman's generator: {error}") from error
            said = _ended(done).output.decode(errors="replace").strip()
            mark = f"{(state.st_mtime_ns ^ state.st_size) & 0xFFFFFFFF:08x}"
            self._version = (identity, f"{said or 'unknown'} {mark}")
        return self._version[1]

    def own_files(self) -> list[Path]:
        """Files and folders of the user's and the administrator's own that take part."""
        live = self.live
        return [path for folder in self.own_folders for path in own_files(folder, live)]

    def own_state(self) -> tuple[tuple[str, int, int], ...]:
        """Path, time of change and size of each of the user's own files that take part."""
        return signature(self.own_folders, self.live)

    @asynccontextmanager
    async def staged(
        self,
        apps: Sequence[Candidate],
        contents: Mapping[str, bytes],
        *,
        leave_out: Collection[object] = (),
    ) -> AsyncIterator[Path]:
        """Stand apps, and own files but for `leave_out`, below a new folder. Raises Retry."""
        if not self._tidied:
            remove_abandoned(self.stage)
            self._tidied = True
        size = sum(len(app.files) for app in apps)
        stage = staged(
            self.stage,
            apps,
            contents=contents,
            own_folders=self.own_folders,
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
            raise Retry(f"cannot stage apps in {self.stage}: {error.strerror or error}") from error

    async def dry_run(self, folder: Path, *, is_probe: bool = False) -> Completed:
        """Print the units of a stage. Raises Crashed, Retry (killed) or Stalled (not installed)."""
        binary, _ = self._find_binary()
        env = os.environ | {"QUADLET_UNIT_DIRS": str(folder)}
        try:
            done = await run(
                [binary, "-dryrun", "-user"],
                env=env,
                timeout_seconds=self.probe_patience if is_probe else self.patience,
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
        for binary in self.binaries:
            try:
                return binary, Path(binary).stat()
            except OSError:
                continue
        places = " or ".join(self.binaries[:2])
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
