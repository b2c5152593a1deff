"""How units are made, installed and run."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from supervisor.model.app import Candidate
from supervisor.model.ending import Ending
from supervisor.model.generated import Generated
from supervisor.model.health import CheckRun
from supervisor.model.log import LogLine
from supervisor.model.observed import JobFailed, Manifest, ObservedApp, UnitState
from supervisor.model.source import TreeFile


class Generator(Protocol):
    """Podman's Quadlet generator, on staged candidates."""

    async def version(self) -> str:
        """Identify the generator; changes when it is upgraded. Cheap."""

    async def surroundings(self) -> dict[str, str]:
        """Return what takes part beside the apps: the user's own Quadlet files and drop-ins.

        Path to a mark that changes when the file does. Cheap.
        """

    async def generate(
        self,
        apps: Sequence[Candidate],
        *,
        contents: Mapping[str, bytes],
        beside: Sequence[Candidate] = (),
    ) -> Generated:
        """Stage `apps`, and `beside` them those they refer to, run the generator, read its output.

        `contents` maps blob ids to contents, for every file of both; `files` that are symlinks
        too. Files of the user's own Quadlet folder that podvisor does not own take part.
        """

    async def texts(
        self, app: Candidate, *, contents: Mapping[str, bytes], beside: Sequence[Candidate] = ()
    ) -> dict[str, str]:
        """Return the units that come out of an app, by name, as they would be installed."""


class Folder(Protocol):
    """The owned folder below the Quadlet search path, and the links of plain units."""

    @property
    def root(self) -> str:
        """Absolute real path of the folder that holds the apps' folders."""

    async def observe(
        self, app: str, *, wanted: Collection[str] = (), asked: Collection[str] = ()
    ) -> ObservedApp:
        """Read the manifest and the state of its files and of `wanted` paths (cached by stat).

        Of `asked` paths, which are not podvisor's, only whether they are there.
        """

    async def contents(self, app: str, paths: Collection[str], *, limit: int) -> dict[str, bytes]:
        """Read these files (of links, where they lead), `limit` bytes of each at most.

        What is not there, or cannot be read, is left out.
        """

    async def manifests(self) -> dict[str, Manifest]:
        """Read the manifests of all apps that have one (cached by stat)."""

    async def foreign_units(self) -> dict[str, str]:
        """Unit names that the user's own files define (Quadlet and plain) to their paths."""

    async def write_manifest(self, manifest: Manifest) -> None:
        """Write it atomically; one without files and sealed removes the app's folder if empty."""

    async def write_files(self, app: str, files: Sequence[tuple[TreeFile, bytes]]) -> None:
        """Replace or make files, each atomically, in this order, with what they hold.

        None changes before all are on the disk. Raises Retry (disk full) or Stalled (in the way).
        """

    async def remove_files(self, app: str, paths: Sequence[str]) -> None:
        """Remove files, and the folders that they leave empty."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """App names whose owned files were touched by anyone."""


class Systemd(Protocol):
    """The user's systemd manager, over D-Bus."""

    async def units(
        self, names: Collection[str], *, details: Collection[str] = ()
    ) -> dict[str, UnitState]:
        """States of these units in one call; `details` of them with the further properties."""

    async def instances(self, templates: Collection[str]) -> Mapping[str, str]:
        """Instances of these templates that are anything but inactive, each with its active state.

        In one call.
        """
        ...

    async def health_checks(self, *, troubled: bool = False) -> dict[str, CheckRun]:
        """How the containers' health checks ended last, by container id, in one call.

        With `troubled`, only those that failed or run just now. From Podman 6 on, those that
        failed are not to be told from the others here: see `Podman.failed_checks`.
        """

    async def memory(self, units: Collection[str]) -> dict[str, int]:
        """Bytes that services take, of those that run and of which the kernel tells."""
        ...

    async def log(self, unit: str, *, limit: int) -> Sequence[LogLine]:
        """Newest lines of a unit in the journal, the oldest first. Raises Retry without one."""
        ...

    async def last_words(self, unit: str, *, runs: bool = False) -> Ending:
        """Return how the unit ended lately, and what it said last; empty if nobody knows.

        With `runs` it may run again: it is about the run before.
        """
        ...

    async def start(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a start job and wait for its end; None if it went well."""

    async def stop(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a stop job and wait for its end; a unit that is not loaded is stopped."""

    async def restart(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a restart job and wait for its end."""

    async def reload_unit(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        """Queue a reload job (ExecReload=) for a running unit and wait for its end."""

    async def run_once(
        self, name: str, *, command: Sequence[str], folder: str, timeout_seconds: float
    ) -> JobFailed | None:
        """Run a command as a transient oneshot unit and wait for its end."""

    async def reload(self) -> None:
        """daemon-reload."""

    async def reset_failed(self, unit: str) -> None:
        """Forget a unit's failure and its start-limit counter; no error if it is not loaded."""

    async def enable(self, path: str, *, install: bool) -> None:
        """Link a unit file, and enable it if it has an `[Install]`."""

    async def disable(self, unit: str) -> None:
        """Remove all links of a unit file."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Names of watched units whose state changed; the empty name is "everything" (bus lost)."""

    async def watch_units(self, names: Collection[str]) -> None:
        """Set the units that `watch` tells of."""
