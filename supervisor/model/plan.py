"""What to do, as a value: steps with reasons. `podvisor plan` prints what the daemon executes."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import msgspec

from supervisor.model.errors import Finding
from supervisor.model.image import ImageKey
from supervisor.model.need import Need
from supervisor.model.observed import Manifest, RepairState, UnitInputs
from supervisor.model.rollout import Gate, Hold, Rollout
from supervisor.model.secret import SecretPut
from supervisor.model.source import TreeFile
from supervisor.model.volumes import RestoreOrder, VolumeSnapshot
from supervisor.model.wire import Names


class _Step(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True, gc=False):
    """Every step can be repeated safely. Steps of one phase that stand together run together."""

    phase: ClassVar[int]
    app: str = ""
    reason: str


class PullImage(_Step, frozen=True, kw_only=True, tag="pull"):
    """Have `image` in the local store; handed to the image's own key, the app waits for it."""

    phase: ClassVar[int] = 0
    image: str
    authfiles: tuple[str, ...] = ("",)
    """Absolute paths of the credentials to try; an empty one is as Podman has it."""
    keys: tuple[ImageKey, ...] = ()
    """Of which each has to have signed it."""


class PutSecrets(_Step, frozen=True, kw_only=True, tag="put-secrets"):
    """Make these Podman secrets of one app: all of them, or, if one cannot be had, none.

    They come before everything else, and what they change is planned when they are there.
    """

    phase: ClassVar[int] = 0
    source: str
    root: str
    """Of the app within its source."""
    puts: tuple[SecretPut, ...]

    @property
    def secrets(self) -> str:
        """Their names."""
        return ", ".join(put.secret.name for put in self.puts)


class OrderCertificate(_Step, frozen=True, kw_only=True, tag="order-certificate"):
    """Have a certificate issued that the app asks for; done by the certificate's own key."""

    phase: ClassVar[int] = 0
    certificate: str


class InstallCertificate(_Step, frozen=True, kw_only=True, tag="install-certificate"):
    """Install what is kept of a certificate that the app asks for; done by its own key."""

    phase: ClassVar[int] = 0
    certificate: str


class Quarantine(_Step, frozen=True, kw_only=True, tag="quarantine"):
    """Remember that a revision failed its gate: it is not tried again by itself."""

    phase: ClassVar[int] = 0
    failed: Rollout


class TryRevision(_Step, frozen=True, kw_only=True, tag="try"):
    """Remember that a revision is on trial from now on: before anything is done for it."""

    phase: ClassVar[int] = 0
    trial: Rollout


class CutTrial(_Step, frozen=True, kw_only=True, tag="cut-trial"):
    """Remember that something else came before the gate had decided on a revision."""

    phase: ClassVar[int] = 0
    trial: Rollout


class BuildImage(_Step, frozen=True, kw_only=True, tag="build"):
    """Run a `.build` unit's command ahead, so that its restart finds every layer cached."""

    phase: ClassVar[int] = 8
    unit: str
    path: str
    """Of its file, relative to the source's root."""
    command: tuple[str, ...]
    folder: str


class StopUnit(_Step, frozen=True, kw_only=True, tag="stop"):
    phase: ClassVar[int] = 1
    unit: str


class DisableUnit(_Step, frozen=True, kw_only=True, tag="disable"):
    """Take away a plain unit's links (enablement and the link to its file)."""

    phase: ClassVar[int] = 2
    unit: str


class RemoveContainer(_Step, frozen=True, kw_only=True, tag="remove-container"):
    """A container that a removed unit left behind."""

    phase: ClassVar[int] = 2
    container: str


class RemoveNetwork(_Step, frozen=True, kw_only=True, tag="remove-network"):
    phase: ClassVar[int] = 2
    network: str


class RemovePod(_Step, frozen=True, kw_only=True, tag="remove-pod"):
    """A pod, with its containers, that a unit left behind."""

    phase: ClassVar[int] = 2
    pod: str


class RemoveSecret(_Step, frozen=True, kw_only=True, tag="remove-secret"):
    """A Podman secret that podvisor made for the app."""

    phase: ClassVar[int] = 2
    secret: str


class OpenManifest(_Step, frozen=True, kw_only=True, tag="open-manifest"):
    """Claim what is about to be written: the old files and the new ones, not sealed."""

    phase: ClassVar[int] = 3
    manifest: Manifest


class WriteFile(_Step, frozen=True, kw_only=True, tag="write"):
    phase: ClassVar[int] = 4
    source: str
    file: TreeFile
    repair: RepairState | None = None
    """As of StartUnit, for the first of those that undo what somebody did."""


class RemoveFile(_Step, frozen=True, kw_only=True, tag="remove"):
    phase: ClassVar[int] = 4
    path: str


class EnableUnit(_Step, frozen=True, kw_only=True, tag="enable"):
    """Link a plain unit into the user's unit folder, and enable it where it has `[Install]`."""

    phase: ClassVar[int] = 5
    unit: str
    path: str
    """Relative to the app."""
    install: bool


class Reload(_Step, frozen=True, kw_only=True, tag="reload"):
    """`systemctl --user daemon-reload`, once a pass; `app` is empty."""

    phase: ClassVar[int] = 6


class SealManifest(_Step, frozen=True, kw_only=True, tag="seal-manifest"):
    """Systemd has loaded what stands on disk. One that claims nothing goes with the folder."""

    phase: ClassVar[int] = 7
    manifest: Manifest


class SnapshotVolumes(_Step, frozen=True, kw_only=True, tag="snapshot-volumes"):
    """Export volumes of an app while what uses them is stopped, before another release comes.

    Where it fails, what was stopped for it is started again.
    """

    phase: ClassVar[int] = 8
    names: tuple[str, ...]
    """Of the volumes, in Podman."""
    stops: tuple[str, ...]
    """Units that run and use them."""
    release: str
    """As of `VolumeSnapshot`, and so are the next two."""
    revision: str
    before: str
    taken: VolumeSnapshot | None = None
    """Other volumes, which the snapshot is to have as this one does."""
    resumes: bool = False
    """Whether what was stopped is started again, since what comes next takes its time."""

    @property
    def volumes(self) -> str:
        """Their names."""
        return ", ".join(self.names)


class RestoreVolumes(_Step, frozen=True, kw_only=True, tag="restore-volumes"):
    """Put volumes of an app back to a snapshot, while what uses them is stopped.

    Where it fails, that is not started again: what they hold then is neither one nor the other.
    Nothing is done if the order is not the one that stands.
    """

    phase: ClassVar[int] = 8
    order: RestoreOrder
    users: tuple[str, ...]
    """Units that use them, whether they run or not."""

    @property
    def volumes(self) -> str:
        """Their names."""
        return ", ".join(self.order.snapshot.volumes)


class StartUnit(_Step, frozen=True, kw_only=True, tag="start"):
    phase: ClassVar[int] = 9
    unit: str
    inputs: UnitInputs | None = None
    """What the unit was made of; written to the ledger when the step has ended well."""
    repair: RepairState | None = None
    """The crash-loop memory after this try, for a start that repairs."""
    said: tuple[str, ...] = ()
    """Its last words, for a start that repairs."""


class RestartUnit(_Step, frozen=True, kw_only=True, tag="restart"):
    phase: ClassVar[int] = 9
    unit: str
    inputs: UnitInputs | None = None
    repair: RepairState | None = None
    """As of StartUnit, for a restart that repairs."""


class ReloadUnit(_Step, frozen=True, kw_only=True, tag="reload-unit"):
    """Have a running unit take up changed files (ExecReload=)."""

    phase: ClassVar[int] = 9
    unit: str
    inputs: UnitInputs
    repair: RepairState | None = None
    """What is remembered of its reloads if this one fails, too."""


class LeaveUnit(_Step, frozen=True, kw_only=True, tag="leave"):
    """Take note that a running unit keeps on as it is, since its file says so of what changed."""

    phase: ClassVar[int] = 9
    unit: str
    inputs: UnitInputs


class RunJob(_Step, frozen=True, kw_only=True, tag="run"):
    """Run a unit to its end before anything else of its app changes."""

    phase: ClassVar[int] = 9
    unit: str
    content: str
    """As of JobRun; how it ended is kept with it."""


class ResetFailed(_Step, frozen=True, kw_only=True, tag="reset-failed"):
    """Forget a failure: a removed unit's, so that systemd forgets the unit, or an old job's."""

    phase: ClassVar[int] = 10
    unit: str


class SetHealthInterval(_Step, frozen=True, kw_only=True, tag="health-interval"):
    """Have Podman run a running container's health check at another interval."""

    phase: ClassVar[int] = 10
    unit: str
    container: str
    container_id: str
    seconds: float


class RemoveVolume(_Step, frozen=True, kw_only=True, tag="remove-volume"):
    phase: ClassVar[int] = 10
    volume: str


class ForgetSnapshots(_Step, frozen=True, kw_only=True, tag="forget-snapshots"):
    """Remove what was exported of the volumes of an app that goes with them."""

    phase: ClassVar[int] = 10


Step = (
    PullImage
    | PutSecrets
    | OrderCertificate
    | InstallCertificate
    | Quarantine
    | TryRevision
    | CutTrial
    | BuildImage
    | StopUnit
    | DisableUnit
    | RemoveContainer
    | RemoveNetwork
    | RemovePod
    | RemoveSecret
    | OpenManifest
    | WriteFile
    | RemoveFile
    | EnableUnit
    | Reload
    | SealManifest
    | SnapshotVolumes
    | RestoreVolumes
    | StartUnit
    | RestartUnit
    | ReloadUnit
    | LeaveUnit
    | RunJob
    | ResetFailed
    | SetHealthInterval
    | RemoveVolume
    | ForgetSnapshots
)


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the planner thinks of one app, steps aside."""

    app: str
    revision: str = ""
    """That the steps lead to (or that already stands)."""
    complete: bool = True
    """Whether the app is as wanted once the steps have ended well (no image awaited …)."""
    waiting: tuple[Need, ...] = ()
    """What it waits for: images, other apps, backoffs, systemd's own restarts."""
    next_at: float = 0.0
    """When to look again, seconds since the epoch; 0 is "when something changes"."""
    gate: Gate | None = None
    """Of a revision that is on trial, and stands."""
    held: Hold | None = None
    """A person rolled the app back: the steps lead there, not to what the source says."""
    held_back: tuple[str, ...] = ()
    """Of an app that is suspended: what would be done, in words."""
    afterwards: tuple["Step", ...] = ()
    """What is left of the way to what is wanted, once its steps and what it waits for are done."""
    findings: tuple[Finding, ...] = ()
    rolling: tuple[str, ...] = ()
    """Units that take up what changed once those before them are well."""
    unstarted: frozenset[str] = frozenset()
    """Units of the app, whatever its revision, that nothing starts."""
    adopt: dict[str, UnitInputs] = {}
    """Units that already run as wanted but that the ledger does not know: recorded, not touched."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True):
    """The whole of one pass: steps in their order, and a verdict for each app."""

    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...] = ()
    problems: tuple[Finding, ...] = ()
    """Of sources: one that cannot be read is planned as it was read last."""

    @property
    def revisions(self) -> dict[str, str]:
        """App to the revision that its steps lead to."""
        return {one.app: one.revision for one in self.verdicts}

    def steps_of(self, app: str) -> Sequence[Step]:
        """Steps of one app, in their order."""
        return self._by_app.get(app, ())

    @cached_property
    def _by_app(self) -> dict[str, list[Step]]:
        # With many apps, looking for each in all steps takes for ever.
        steps: dict[str, list[Step]] = {}
        for step in self.steps:
            steps.setdefault(step.app, []).append(step)
        return steps


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/plan`: of which apps (all, if empty)."""

    apps: Names = ()
    prune_all: bool = False
    """As if a pass were allowed that removes all apps of a source."""
