"""What the daemon tells of itself: the bodies of the control socket."""

import enum
from typing import Annotated

import msgspec

from supervisor.model.certificate_status import CertificateStatus
from supervisor.model.errors import Finding
from supervisor.model.health import Health
from supervisor.model.image import HeldUpdate
from supervisor.model.incident import Incident
from supervisor.model.need import Need
from supervisor.model.published_port import PublishedPort
from supervisor.model.pull_request import ProposalStatus
from supervisor.model.registry_webhook import RegistryWebhook
from supervisor.model.rollout import Hold, Rollout, Scale, Suspension
from supervisor.model.unit_name import MOST_REPLICAS
from supervisor.model.volumes import VolumeSnapshot
from supervisor.model.webhook import ListenerStatus, SourceWebhook
from supervisor.model.wire import Name, Names, Remark, Revision, Span


class AppState(enum.StrEnum):
    """An app in one word; the first that applies, from above."""

    SUSPENDED = "suspended"
    """A person had it left alone: it is looked at, but not touched."""
    REFUSED = "refused"
    """Its newest revision is refused, the last good one (if any) keeps running."""
    FAILING = "failing"
    """A unit that should run does not, or is unhealthy."""
    REVERTED = "reverted"
    """Its newest revision failed its gate and was taken back; the last good one runs."""
    CHANGING = "changing"
    """A pass is under way, or waits for an image or for systemd, or its gate has not decided."""
    KEPT = "kept"
    """The source does not hold it any more, but it is kept: a person must say so to remove it."""
    HELD = "held"
    """A person rolled it back, and it is well."""
    INACTIVE = "inactive"
    """All that should run does, and there is a unit that nothing starts, or that a condition of its
    own keeps from it."""
    READY = "ready"
    """Everything is as wanted."""
    UNKNOWN = "unknown"
    """No daemon looks after it, or it was not looked at yet and nothing was wrong with it last."""


_MOVING = ("activating", "deactivating")


class UnitStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of an app."""

    name: str
    active: str
    sub: str
    up: bool = False
    """Whether it runs."""
    paused: bool = False
    """Whether somebody paused its container, or froze the unit: it does not run, whatever systemd
    says."""
    frozen: bool = False
    """Whether it is paused by systemd, with all of its processes (`systemctl freeze`), rather than
    by `podman pause`."""
    container: str = ""
    """Podman's name of its container; left out where it has none, or has several."""
    job: str = ""
    """Type of systemd's job that is queued for it."""
    wanted: bool = False
    """Whether it should be running now."""
    unmet: str = ""
    """`Condition…=`, `Assert…=` or `ExecCondition=` for which it was not started, or `Conflicts=`
    with the unit that runs instead."""
    result: str = ""
    """How it failed, in systemd's word (`exit-code`, `timeout` …)."""
    ended: str = ""
    """How it ended, if it is down or crashes again and again: its exit status or signal with what
    that means, for want of memory, for a timeout."""
    log: tuple[str, ...] = ()
    """With `ended`: the few last lines of its log that say why, without its secrets' values."""
    more: str = ""
    """What podvisor knows of its end besides: who has the port, where its log is."""
    log_driver: str = ""
    """Where its containers' words go, if that is said and is not the journal: `k8s-file` …"""
    log_file: str = ""
    """The file that its `LogOpt=path=` names."""
    failed_at: float = 0.0
    """When it failed; left out if it has not."""
    instance: str = ""
    """Of a template of which each connection to a socket gets an instance (`Accept=yes`), or that
    somebody else starts instances of: the one that failed last."""
    failed_instances: int = 0
    """How many of those have failed, and were not reset since."""
    unstarted: bool = False
    """Nothing starts it; if it runs, a person started it."""
    failures: int = 0
    next_try_at: float = 0.0
    ended_well: bool = False
    """A job that should have run, and did."""
    health: Health = Health.NONE
    """The verdict of its health checks and its probe; left out where nobody checks it."""
    health_since: float = 0.0
    """Since when, seconds since the epoch; left out where that was before the daemon started and is
    not remembered, as of what is unhealthy."""
    health_streak: int = 0
    """Failed checks in a row."""
    health_output: str = ""
    """Which check failed last, and what it printed."""
    health_interval: float = 0.0
    """Seconds between two of Podman's health checks now, where they are asked less often."""
    images: tuple[str, ...] = ()
    """That it runs with, as its file names them; of a template those of all its instances."""
    publishes: tuple[PublishedPort, ...] = ()
    """Fixed ports of the host."""
    listens: tuple[str, ...] = ()
    """Of a `.socket`: what it opens, in words."""

    @property
    def is_down(self) -> bool:
        """Whether it should run and does not, and no condition of its own keeps it from that."""
        return self.wanted and not (self.up or self.ended_well or self.unmet)


class AppStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One app."""

    name: str
    source: str
    state: AppState
    stale: bool = False
    """Nobody has looked at it since the daemon started, or no daemon runs: what is said of it is as
    it was last, as far as that is known."""
    revision: str = ""
    """That runs."""
    subject: str = ""
    """First line of that commit's message."""
    author: str = ""
    """Name of its author, as it says itself: nobody vouches for it."""
    wanted_revision: str = ""
    """That the source asks for."""
    wanted_subject: str = ""
    """As `subject`, if that is another one; else left out."""
    wanted_author: str = ""
    """As `author`, likewise."""
    applied_at: float = 0.0
    units: tuple[UnitStatus, ...] = ()
    waiting: tuple[Need, ...] = ()
    """What it waits for, and what a pass that is under way does for it."""
    gate: str = ""
    """What its revision, which is on trial, is to show yet."""
    rolling: tuple[str, ...] = ()
    """Units that are restarted in their turn, once the others are well."""
    held: Hold | None = None
    suspension: Suspension | None = None
    scales: tuple[Scale, ...] = ()
    """How many replicas a person ordered, in place of what files say."""
    held_back: tuple[str, ...] = ()
    """What would be done if it were not suspended."""
    next_pull_at: float = 0.0
    """When the next of the images that it waits for is tried again."""
    updates: tuple[HeldUpdate, ...] = ()
    """Newer versions of its images that are not run: they wait, or failed here."""
    certificates: tuple[CertificateStatus, ...] = ()
    """Those it asks for that have expired, cannot be renewed, or are not served."""
    findings: tuple[Finding, ...] = ()

    @property
    def is_moving(self) -> bool:
        """Whether systemd is about to start (again) what should run of it."""
        return any(unit.is_down and (unit.job or unit.active in _MOVING) for unit in self.units)


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source."""

    name: str
    location: str
    ref: str = ""
    revision: str = ""
    subject: str = ""
    """First line of the commit's message, or what an artifact was made from."""
    author: str = ""
    """Name of the commit's author, as it says itself: nobody vouches for it."""
    read_at: float = 0.0
    """When it was last read without an error."""
    next_poll_at: float = 0.0
    error: str = ""
    error_since: float = 0.0
    findings: tuple[Finding, ...] = ()
    commit_page: str = ""
    """Address at which the Git host shows a commit to people, with `{revision}` for its id; left
    out where nobody knows."""
    webhook: SourceWebhook | None = None
    """Left out where nobody is to tell of pushes."""
    proposal: ProposalStatus | None = None
    """What was written back to a branch of podvisor's own, as long as that waits for a person."""


class WatchStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How something is watched, where there is a choice."""

    what: str
    way: str
    """In a word: `journal`, `file`, `api` or `stores`."""
    reason: str
    cost: str
    hint: str = ""
    """What to do for a better way."""


class UnknownImages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Images of which it cannot be said whether there is a newer version, all for one cause."""

    registry: str
    images: int
    """How many."""
    since: float = 0.0
    """When the registry answered last about the first of them, seconds since the epoch.

    0 if it never did, or does, and nothing fits what is asked for.
    """
    problem: str


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything; `running` is false where it is read from the ledger, without a daemon."""

    running: bool
    version: str
    config: str = ""
    """The settings file that the daemon runs with."""
    started_at: float = 0.0
    starting: bool = False
    """Its first pass is not through: there may be apps that it has not looked at yet."""
    sources: tuple[SourceStatus, ...] = ()
    apps: tuple[AppStatus, ...]
    watches: tuple[WatchStatus, ...] = ()
    webhooks: ListenerStatus | None = None
    """Left out where nothing listens for webhooks."""
    registry_webhooks: tuple[RegistryWebhook, ...] = ()
    unknown_images: tuple[UnknownImages, ...] = ()
    problems: tuple[Finding, ...] = ()
    """Of podvisor itself: ledger not writable, Podman not reachable, settings refused."""
    incidents: tuple[Incident, ...] = ()
    """All that is wrong, of apps, sources and podvisor itself, each with the next step."""


class AppQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/status` and `/v1/images`."""

    app: Name | None = None
    """None is all of them."""


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/history`."""

    app: Name


class SyncRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/sync`: read the sources now, bring these apps (all, if empty) to what they say."""

    apps: Names = ()
    prune_all: bool = False
    """Allow a pass that removes all apps of a source."""


class SyncReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of a sync: how each app stands."""

    apps: tuple[AppStatus, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    problems: tuple[Finding, ...] = ()


class Reloaded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`POST /v1/reload`: whether the settings were taken up, and what was found in them."""

    ok: bool
    findings: tuple[Finding, ...] = ()


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/suspend`, `/resume`, `/rollback`, `/restore` and `/retry`: what a person orders."""

    apps: Names = ()
    """Empty for all."""
    seconds: Span = 0.0
    """Of a suspension; 0 is until resumed."""
    reason: Remark = ""
    revision: Revision = ""
    """Of a rollback, or the beginning of it; empty is the one before. Of a restore, that of the
    release or of its snapshot."""


class AppOrder(OrderRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/rollback`, `/v1/restore` and `/v1/retry`: an order for one app."""

    apps: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1)]
    """The one that it is for."""


class ScaleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /v1/scale`: how many replicas there are to be."""

    app: Name
    unit: Annotated[str, msgspec.Meta(max_length=255)] = ""
    """As people name it (`web@.service`, `web`); may be empty where there is but one."""
    replicas: Annotated[int, msgspec.Meta(ge=0, le=MOST_REPLICAS)] | None = None
    """None is as the unit's file says."""
    reason: Remark = ""


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /v1/history?app=`: releases of an app that were tried here, the newest first."""

    app: str
    running: str = ""
    """The release that passed its gate last; one that is on trial runs in its place."""
    held: Hold | None = None
    rollouts: tuple[Rollout, ...]
    volumes: tuple[VolumeSnapshot, ...] = ()
    """What its volumes held before a release came, the newest first."""
