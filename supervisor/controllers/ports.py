"""What the controllers need from outside. Adapters serve these; fakes serve them in tests.

Every method that can fail raises one of the two failures of `model.errors`, with a sentence
for people; anything else that escapes is a defect.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, TypeVar

from supervisor.core.githost.commit_status_api import Api
from supervisor.model.app import Candidate, Generated
from supervisor.model.commit_status import CommitStatus
from supervisor.model.documents import D, Document
from supervisor.model.events import Event, EventKind
from supervisor.model.health import CheckRun, ContainerHealth, PlayedContainer, Probe
from supervisor.model.observed import (
    AppliedApp,
    Inventory,
    JobFailed,
    Manifest,
    ObservedApp,
    RepairState,
    UnitInputs,
    UnitState,
)
from supervisor.model.podman import PodmanEvent
from supervisor.model.rollout import Rollout
from supervisor.model.secret import DesiredSecret
from supervisor.model.settings import SecretRef, SourceSettings
from supervisor.model.source import Snapshot, TreeFile
from supervisor.model.status import WatchStatus

T = TypeVar("T")


class Aside(Protocol):
    """Where long work is done, so that the event loop turns meanwhile; `kit.threads` serves it.

    The work must not touch anything that changes while it is waited for.
    """

    async def __call__(self, work: Callable[[], T], *, items: int) -> T:
        """Return what `work` returns (or raises), which goes through so many files or units."""
        ...


class SourceReader(Protocol):
    """Reads sources into the object store, and serves what is in it. One for all sources."""

    async def fetch(self, name: str, settings: SourceSettings) -> Snapshot:
        """Read the source now (Git: fetch over the network; folder: walk).

        Raises Retry (unreachable, timed out) or Stalled (credentials, ref gone, not a folder).
        """

    async def stored(self, name: str) -> Snapshot | None:
        """Return the newest snapshot that is in the store, without reading the source."""

    async def holds(self, name: str, oids: Collection[str]) -> bool:
        """Whether all these blobs are in the store."""

    async def read(self, name: str, oids: Sequence[str]) -> dict[str, bytes]:
        """Contents of blobs of the store, by id. Raises Stalled if one is gone."""

    async def keep(self, name: str, revisions: Collection[str]) -> None:
        """Protect these revisions of the source from being collected, and no others."""


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

    async def health_checks(self, *, troubled: bool = False) -> dict[str, CheckRun]:
        """How the containers' health checks ended last, by container id, in one call.

        With `troubled`, only those that failed or run just now. From Podman 6 on, those that
        failed are not to be told from the others here: see `Podman.failed_checks`.
        """

    async def last_words(self, unit: str) -> str:
        """Return how the unit ended lately, and what it said last; empty if nobody knows."""
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


class Podman(Protocol):
    """Podman's objects: open, ask, close."""

    async def inventory(
        self,
        *,
        images: Collection[str] = (),
        networks: bool = False,
        volumes: bool = False,
        pods: bool = False,
        secrets: bool = False,
        containers: bool = False,
    ) -> Inventory:
        """Ask for what is named, no more. Raises Retry if Podman does not answer."""

    async def pull(self, image: str, *, timeout_seconds: float) -> None:
        """Pull an image. Raises Retry (registry, network) or Stalled (denied, no such tag)."""

    async def health(self, containers: Collection[str]) -> dict[str, ContainerHealth]:
        """Health of these containers, by id; those that are gone are left out. Raises Retry."""

    async def played(self, units: Collection[str]) -> tuple[PlayedContainer, ...]:
        """Containers of these `.kube` services, those that have ended as well. Raises Retry."""

    async def failed_checks(self, containers: Collection[str]) -> frozenset[str]:
        """Of these, whose health was asked for: those whose last check failed. Raises Retry.

        None where `Systemd.health_checks` tells. Costs next to nothing.
        """

    async def set_health_interval(self, container: str, seconds: float) -> None:
        """Have the running container's health check run at this interval. Raises Retry."""

    async def secret(self, name: str) -> bytes | None:
        """Return what a secret holds; None if there is none of this name. Raises Retry."""

    async def put_secret(self, name: str, content: bytes, *, labels: Mapping[str, str]) -> None:
        """Make or replace a secret. Raises Stalled if one is there that podvisor did not make."""

    async def remove_secret(self, name: str) -> None:
        """Remove a secret that podvisor made; gone already, or another's, is well."""

    async def remove_container(self, container: str) -> None: ...

    async def remove_pod(self, pod: str) -> None: ...

    async def remove_network(self, network: str) -> None: ...

    async def remove_volume(self, volume: str) -> None: ...

    def watch(
        self, show: Callable[[WatchStatus], None]
    ) -> AbstractAsyncContextManager[AsyncIterator[PodmanEvent]]:
        """What happens to Podman's objects; `show` hears where that is known from."""

    def recheck(self) -> None:
        """Look anew for a better place to know from, if there may be one."""


class Secrets(Protocol):
    """Secrets that the settings refer to. None is kept: each use reads anew."""

    async def read(self, reference: SecretRef) -> bytes:
        """Return the secret without a final line end. Raises Retry or Stalled; never says it."""


class SecretOpener(Protocol):
    """Clear texts of apps' secrets, and keyed hashes that tell changes without them."""

    def made_of(self, secret: DesiredSecret) -> str:
        """Mark what a secret is made of: another mark, and it is to be made anew. Cheap."""

    def mark(self, *parts: bytes) -> str:
        """Keyed hash of these."""

    async def open(self, root: str, wanted: Sequence[tuple[DesiredSecret, bytes]]) -> list[bytes]:
        """Clear texts, each from its encrypted file's content. Raises Stalled or Retry.

        `root` is the app's folder, as failures name it.
        """


class Tokens(Protocol):
    """OIDC tokens, and who signed them."""

    async def is_genuine(self, token: str, *, issuer: str, key_name: str) -> bool:
        """Whether the issuer signed this token. Raises Retry if that cannot be found out."""


class Listener(Protocol):
    """Where webhooks come in."""

    @property
    def address(self) -> str:
        """Where it listens now; empty if it does not."""

    async def move(self, address: str) -> None:
        """Listen there, and nowhere else (nowhere, if empty). Raises Retry."""

    async def knock(self, path: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Send it a request, as others do; returns the answer. Raises Retry."""


class GitHost(Protocol):
    """A Git host's API."""

    async def tell(self, api: Api, status: CommitStatus, *, context: str, token: bytes) -> None:
        """Set a commit's status. Raises Retry (unreachable, overloaded) or Stalled (token, URL)."""


class Prober(Protocol):
    """Makes podvisor's own checks."""

    async def probe(self, probe: Probe) -> str:
        """Return why the answer is not a good one, empty if it is; within the probe's time-out."""


class FolderWatch(Protocol):
    """Tells of changes below the folders that serve as sources."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Names of sources whose folder changed."""

    async def watch_folders(self, folders: Mapping[str, str]) -> None:
        """Set which are watched: source name to absolute path."""


class Host(Protocol):
    """The machine as a whole."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """`resumed` after a suspend, `network` when there is a way out or another one."""

    async def port_holder(self, port: int, protocol: str) -> str:
        """Say in words who listens on a port (`tcp`, `udp`, or empty: either); empty if nobody."""


class Events(Protocol):
    """What happened, to what, and why."""

    def log(
        self,
        kind: EventKind,
        *,
        ok: bool = True,
        app: str = "",
        unit: str = "",
        source: str = "",
        revision: str = "",
        step: str = "",
        subject: str = "",
        reason: str = "",
        detail: str = "",
    ) -> None:
        """Write an entry of what happened now."""

    def append(self, *events: Event) -> Event:
        """Write entries, all at once; returns the last with its id.

        That is 0 if the disk is full; then it is written later (see `problem`).
        """

    def events(
        self,
        *,
        after_id: int = 0,
        since: float = 0.0,
        app: str = "",
        unit: str = "",
        limit: int = 0,
    ) -> list[Event]:
        """Entries in ascending order, the newest `limit` of them (0: all)."""

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Hear every entry as it is written; returns the way to stop."""


class Documents(Protocol):
    """What outlives a restart, by type and key; see `model.documents`.

    One that cannot be read, as that of another podvisor, counts as none.
    """

    def get(self, kind: type[D], key: str = "") -> D | None: ...

    def all(self, kind: type[D]) -> dict[str, D]:
        """Documents of a type by key."""

    def put(self, document: Document, key: str = "") -> None: ...

    def drop(self, kind: type[Document], key: str = "") -> None: ...


class AppliedState(Protocol):
    """What was applied, tried and repaired."""

    def applied(self) -> dict[str, AppliedApp]:
        """Apps by name. One whose first pass was cut short has units, but no revision yet."""

    def put_applied(self, app: AppliedApp) -> None: ...

    def put_unit(self, app: str, unit: str, inputs: UnitInputs) -> None:
        """Record what one unit was made of, once it runs with it: under this app alone."""

    def drop_app(self, app: str) -> None:
        """Forget an app, its units and its revisions."""

    def rollouts(self, app: str) -> tuple[Rollout, ...]:
        """Revisions of an app that were tried, the newest last."""

    def put_rollout(self, rollout: Rollout) -> None:
        """Record a revision that is tried, or what came of it."""

    def drop_rollouts(self, app: str, revisions: Collection[str]) -> None: ...

    def repairs(self) -> dict[str, RepairState]: ...

    def put_repairs(self, states: Iterable[RepairState]) -> None:
        """Write these; one without failures is forgotten."""


class Ledger(Events, Documents, AppliedState, Protocol):
    """The durable record. Synchronous: SQLite in WAL mode, microseconds for an entry."""

    def together(self) -> AbstractContextManager[None]:
        """Write what is recorded within in one transaction, and tell of it, at the end.

        Nothing may be waited for within.
        """

    def problem(self) -> str:
        """Why it cannot write now, empty if it can."""
