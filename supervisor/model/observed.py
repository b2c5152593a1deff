"""Observed state: what is, as read from systemd, Podman, the owned folder and the ledger."""

from functools import cached_property

import msgspec

from supervisor.model.ending import Ending
from supervisor.model.health import Checked, PlayedContainer, Probed
from supervisor.model.quadlet import QUADLETS, UnitKind
from supervisor.model.rollout import Rollout, Suspension
from supervisor.model.secret import DesiredSecret, OwnedSecret
from supervisor.model.source import AppRevision, TreeFile
from supervisor.model.volumes import AppVolumes

UP = frozenset({"active", "reloading", "refreshing"})
DOWN = frozenset({"inactive", "failed"})
"""ActiveState= of what runs; everywhere the same."""

CONFLICT = "Conflicts="
"""Begins what is `unmet` of a unit that another one, named after it, has stopped."""

_MADE = {row.kind: row.makes for row in QUADLETS.values()}


class PodmanObject(msgspec.Struct, frozen=True, order=True):
    """A network, volume, pod or built image, by its kind and Podman's name."""

    kind: UnitKind
    name: str

    def __str__(self) -> str:
        return f"{_MADE.get(self.kind, self.kind)} {self.name}"


class UnitState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit, as systemd tells it. Words are systemd's own."""

    name: str
    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    paused: bool = False
    """Whether a container of it, or all of it, is frozen: to systemd it runs."""
    frozen: bool = False
    """Whether it is `paused` by systemd, with all of its processes (`systemctl freeze`), rather
    than by `podman pause`."""
    ending: bool = False
    """Whether nothing of its container runs any more: to systemd it runs until Podman's monitor has
    ended, too."""
    job: str = ""
    """Type of the job that is queued for it (`start`, `stop` …), empty if none."""
    result: str = "success"
    """Result= of the service: success, exit-code, start-limit-hit …; read with details only."""
    path: str = ""
    """FragmentPath=, or SourcePath= where the fragment is generated; read with details only."""
    needs_reload: bool = False
    """NeedDaemonReload=; read with details only."""
    ever_started: bool = False
    """Whether it has left `inactive` since the manager started; read with details only."""
    active_since: float = 0.0
    """When it became active last, seconds since the epoch; read with details only."""
    restarts: int = 0
    """How often systemd restarted it by itself since it was started; read with details only."""
    exit_status: int | None = None
    """With which status a service that is inactive, and was not stopped by a signal, has ended;
    read with details only."""
    wanted_by: tuple[str, ...] = ()
    """Loaded units that start it when they start (WantedBy=, RequiredBy=, BoundBy=, UpheldBy=);
    read with details only."""
    failed_at: float = 0.0
    """When it failed, seconds since the epoch; 0 if it has not; read with details only."""
    unmet: str = ""
    """`Condition…=`, `Assert…=` or `ExecCondition=` for which it was not started, or `Conflicts=`
    with a unit that runs, for which it was stopped; read with details only."""
    tested_at: float = 0.0
    """When that was found, seconds since the epoch."""
    drop_ins: tuple[str, ...] = ()
    """Files of this host's own, not of podvisor's or the system's, that systemd has laid over it;
    read with details only."""
    before_load: bool = False
    """Whether it was started before systemd loaded its units last, so maybe as what it was then;
    read with details only."""

    @property
    def gives_way(self) -> bool:
        """Whether its start would stop another unit, for which it is down."""
        return self.unmet.startswith(CONFLICT)

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self.active in UP

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs, or is about to."""
        return self.active in DOWN


class Manifest(AppRevision, frozen=True, kw_only=True, omit_defaults=True):
    """What podvisor owns of one app on disk; stands beside the files that it names.

    Written before the first file changes (with `sealed` false: an install has begun) and again
    when systemd has loaded the result. An unsealed manifest found at start is a pass that was
    interrupted, and means that a daemon-reload is owed.
    """

    units: tuple[str, ...]
    """Names of the units that come out of `files`."""
    sealed: bool
    ahead: str = ""
    """Revision of which some files are here ahead of the rest, for its jobs to run with; then
    `revision` is the one that the rest is of, empty if there is none."""
    objects: tuple[PodmanObject, ...] = ()
    """What its units make, and was not there before: of Podman's objects, those that are
    podvisor's to remove."""

    @property
    def claims_nothing(self) -> bool:
        """Whether it is that of an app of which nothing is left."""
        return self.sealed and not self.files and not self.objects


class ObservedApp(msgspec.Struct, frozen=True, kw_only=True):
    """The owned folder of one app."""

    name: str
    manifest: Manifest | None = None
    files: tuple[TreeFile, ...] = ()
    """As they are on disk now, of those that the manifest or the desired state names."""
    closed: tuple[str, ...] = ()
    """Folders of such files that may not be looked into, since a container took them to itself;
    what was installed there counts as it was written."""
    unowned_files: tuple[str, ...] = ()
    """Quadlet and unit files in the folder that the manifest does not name."""
    links: dict[str, str] = {}
    """Links in the user's unit folder (relative to it) that lead to the app's plain units, each
    with the file that it leads to (relative to the app)."""
    by_hand: tuple[str, ...] = ()
    """Of the files and folders that were asked for, those that somebody put there."""

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units that are installed of it."""
        return self.manifest.units if self.manifest else ()

    @property
    def objects(self) -> tuple[PodmanObject, ...]:
        """What its units make, as of `Manifest.objects`."""
        return self.manifest.objects if self.manifest else ()


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as Podman lists it."""

    id: str
    name: str
    unit: str = ""
    """Label PODMAN_SYSTEMD_UNIT."""
    state: str = ""
    health: str = ""
    image: str = ""
    image_id: str = ""
    networks: tuple[str, ...] = ()
    pod: str = ""
    """Name of the pod that it is in."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Podman's objects, as far as they were asked for; None is "not asked"."""

    images: dict[str, str] | None = None
    """Of the references that were asked about, those that are there, each with the image's id."""
    networks: frozenset[str] | None = None
    volumes: frozenset[str] | None = None
    pods: frozenset[str] | None = None
    secrets: dict[str, str] | None = None
    """Name to what tells its content from another: Podman's id, which is a new one for a replaced
    secret; of podvisor's own, the keyed hash of the clear text; of a certificate's, which that is,
    whatever its version."""
    owned_secrets: dict[str, OwnedSecret] = {}
    """Of these, those that podvisor made."""
    containers: tuple[Container, ...] | None = None


class UnitInputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a unit was made of when it was last (re)started by podvisor; kept in the ledger."""

    digest: str
    files: dict[str, str] = {}
    """Path (relative to the app) to blob id (and kind, where that is not a plain file), for every
    file that the unit mounts or reads."""
    secrets: dict[str, str] = {}
    """Name to what told its content from another, as of `Inventory.secrets`."""
    images: dict[str, str] = {}
    """Reference to the id of the image that was there, as far as that is known."""
    certificates: dict[str, str] = {}
    """Name to version, as of `Observed.certificates`, when it last took one up."""
    generator: str = ""
    outside: dict[str, str] = {}
    """As of `DesiredUnit.outside`."""
    kind: UnitKind | None = None
    """What it was; None is "not known", here and in the next."""
    object_name: str = ""
    """Podman's name of what it made."""
    claims: tuple[str, ...] = ()
    """What it had that only one unit can have, in words."""
    installed: bool = False
    """Whether an `[Install]` had it started."""
    elsewhere: str = ""
    """File, not podvisor's, that defined it instead when it was started last; seen, not done."""


class AppliedApp(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's word on one app: what was applied last and ran."""

    name: str
    source: str
    revision: str
    subject: str = ""
    author: str = ""
    content: str
    """As of `AppRevision.content`, as is what is said of the commit."""
    release: str = ""
    """Id of the release that passed its gate."""
    applied_at: float
    """Seconds since the epoch."""
    units: dict[str, UnitInputs]


class RepairState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a unit was brought back lately; the crash-loop memory of the planner."""

    unit: str
    """For an app's files, which are restored: its name and a slash; for reloads of a unit: its name
    and `/reload`."""
    failures: int = 0
    """Repairs in a row, none of which lasted."""
    pardoned: int = 0
    """So many of them came before a person had it tried at once: the pauses began anew then."""
    last_at: float = 0.0
    next_at: float = 0.0
    """Not to be started again before; seconds since the epoch."""
    why: str = ""
    """How the last one ended, where nothing else says so."""
    session: float = 0.0
    """As `Observed.session`, if it was started for the first time in that: this was no repair."""


class LoggedFailure(msgspec.Struct, frozen=True, kw_only=True):
    """The failure of a unit that the event log told of last; kept in the ledger."""

    at: float
    """When it failed, as `UnitStatus.failed_at`."""


class JobRun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an app's jobs before its newest deploy; kept in the ledger."""

    content: str
    """Which content of the app they were run for."""
    done: tuple[str, ...] = ()
    """Those that ended well."""
    failed: str = ""
    """The one that did not, empty if none."""
    why: str = ""
    """Its result and last log lines."""


class FailedInstances(msgspec.Struct, frozen=True):
    """Instances of a template that nothing but a connection, or a person, starts."""

    newest: str
    count: int


class Observed(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything that a plan is made from, besides the deployments."""

    units: dict[str, UnitState]
    targets: frozenset[str]
    """Of the units that some `[Install]` names, those that are wanted."""
    missing: frozenset[str] = frozenset()
    """Of the units that some `[Install]` names, those that systemd does not have."""
    needed_by: dict[str, dict[str, str]] = {}
    """Units that other apps need: each to those of their units that do and should run, with the
    app of each."""
    foreign: dict[str, str] = {}
    """Units that files of the user's or the administrator's own define, each with its file."""
    apps: dict[str, ObservedApp]
    inventory: Inventory
    applied: dict[str, AppliedApp]
    repairs: dict[str, RepairState] = {}
    session: float = 0.0
    """What tells this run of podvisor from others (when it began): systemd itself has come up anew
    in one of them at most. 0 if that is not known."""
    rollouts: dict[str, tuple[Rollout, ...]] = {}
    """App to its releases that were tried here, the newest last."""
    suspended: dict[str, Suspension] = {}
    """Apps that a person had podvisor leave alone."""
    checked: tuple[Checked, ...] = ()
    """Running containers of these apps that have a health check."""
    played: tuple[PlayedContainer, ...] = ()
    """Containers of these apps' `.kube` services that run."""
    verified: dict[str, frozenset[str]] = {}
    """Image to the fingerprints of the keys by whose signatures it was taken."""
    restarted: dict[str, float] = {}
    """Unit to when Podman restarted its container by itself or for somebody last, as it told."""
    probed: dict[str, Probed] = {}
    """Units that podvisor probes itself."""
    jobs: dict[str, JobRun] = {}
    """App to what became of its jobs."""
    volumes: dict[str, AppVolumes] = {}
    """App to what is remembered of its volumes, where that is anything."""
    endings: dict[str, Ending] = {}
    """Unit that is down, or was just now, to how it ended; left out where nobody knows."""
    failed_instances: dict[str, FailedInstances] = {}
    """Template to those of its instances that failed, where any did of which no unit's file knows
    the names."""
    unsaid: dict[str, float] = {}
    """Unit of which nothing that it wrote last was there yet, to when it is to be looked for."""
    hindered: dict[str, str] = {}
    """App to what cut its last pass short, in words; left out where nothing did."""
    made_of: dict[DesiredSecret, str] = {}
    """Keyed hash of what each secret of these apps is to be made of."""
    certificates: dict[str, str] = {}
    """Certificate that is installed to its version, as of `CertificateRecord.version`."""
    manners: dict[str, str] = {}
    """Certificate to how it is installed, as of `CertificateRecord.installed_as`."""
    put_back: frozenset[str] = frozenset()
    """Versions of certificates in the place of which the former one was put back."""
    rotating: frozenset[str] = frozenset()
    """Generated secrets for which a person asked for another value."""
    left: frozenset[PodmanObject] = frozenset()
    """Podvisor's own, of apps that are gone."""
    owned_root: str
    """Absolute real path of the folder that holds the apps' folders."""

    @cached_property
    def checked_of(self) -> dict[str, list[Checked]]:
        """Those of `checked` by their units."""
        found: dict[str, list[Checked]] = {}
        for one in self.checked:
            found.setdefault(one.container.unit, []).append(one)
        return found

    @cached_property
    def played_of(self) -> dict[str, list[PlayedContainer]]:
        """Those of `played` by their units."""
        found: dict[str, list[PlayedContainer]] = {}
        for one in self.played:
            found.setdefault(one.unit, []).append(one)
        return found

    def app(self, name: str) -> ObservedApp:
        """Return an app's folder; one of which nothing is known is empty."""
        return self.apps.get(name) or ObservedApp(name=name)

    def repair(self, unit: str) -> RepairState:
        """Return how often a unit was brought back; one that never was, not once."""
        return self.repairs.get(unit) or RepairState(unit=unit)

    def unit(self, name: str) -> UnitState:
        """Return a unit's state; one that systemd does not know is inactive."""
        return self.units.get(name, UnitState(name=name))

    def known_volumes(self, app: str) -> AppVolumes:
        """Return what is remembered of an app's volumes; of most apps, nothing."""
        return self.volumes.get(app) or AppVolumes()

    def ending(self, unit: str) -> Ending:
        """Return how a unit ended; empty if nobody knows."""
        return self.endings.get(unit) or Ending()

    def because(self, unit: str) -> str:
        """Return how a unit ended, to stand behind what is said of it; empty if not known."""
        return f": {said}" if (said := str(self.ending(unit))) else ""

    def words_of(self, unit: str) -> str:
        """Return a unit's last words, to stand behind how it ended; empty if not known."""
        return f": {said}" if (said := self.ending(unit).words) else ""


class JobFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A unit's job that did not end in `done`."""

    unit: str
    result: str
    """systemd's word: failed, dependency, timeout, canceled, skipped … For `dependency`, where that
    is known: what it needs that failed."""
    detail: str = ""
    """Last lines of the unit's log, where they can be had."""

    def __str__(self) -> str:
        return f"{self.result}: {self.detail}" if self.detail else self.result
