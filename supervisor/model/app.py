"""Desired state: apps and their units, as they should be."""

import enum
from functools import cached_property
from posixpath import splitext

import msgspec

from supervisor.model.certificate import CertificateUse, DesiredCertificate, uses_of_instance
from supervisor.model.errors import Failure, Finding
from supervisor.model.health import Probe
from supervisor.model.image import HeldUpdate, ImageAhead, ImageKey, ImageOrder, ImageRule
from supervisor.model.need import Need
from supervisor.model.published_port import PublishedPort
from supervisor.model.quadlet import QUADLETS, UnitKind
from supervisor.model.rollout import Hold, Scale
from supervisor.model.secret import DesiredSecret, SecretUse
from supervisor.model.source import AppRevision
from supervisor.model.unit_name import instance_in, instance_of, is_template


class Candidate(AppRevision, frozen=True, kw_only=True):
    """An app as its source holds it, before Podman's generator has judged it."""

    @cached_property
    def quadlets(self) -> dict[str, str]:
        """Its Quadlet files: the names by which others refer to them, with the path of each."""
        paths = [file.path for file in self.files if splitext(file.path)[1] in QUADLETS]
        return {path.rpartition("/")[2]: path for path in paths}


class ChangeAction(enum.StrEnum):
    """What a changed file that a unit reads means for it while it runs."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"


class ChangeRule(msgspec.Struct, frozen=True, kw_only=True):
    """One `[X-Podvisor] OnChange=`."""

    action: ChangeAction
    globs: tuple[str, ...] = ()
    """Of paths relative to the app's root, `*` across folders too; none is "any file"."""


class AfterApp(msgspec.Struct, frozen=True, kw_only=True):
    """One `[X-Podvisor] After=app:NAME`."""

    app: str
    path: str
    """Of the file that says so, relative to the source's root."""
    line: int = 0


class InstallLine(msgspec.Struct, frozen=True, kw_only=True):
    """One name in an `[Install]`, where it stands."""

    key: str
    target: str
    path: str
    """Of the unit file or drop-in, relative to the app's root."""
    line: int


class PerInstance(msgspec.Struct, frozen=True, kw_only=True):
    """What each instance of a template has for itself: names, with `%i` for the instance's.

    Of certificates, the uses of as many as could be ordered.
    """

    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    secret_uses: tuple[SecretUse, ...] = ()
    certificate_uses: tuple[CertificateUse, ...] = ()


class DesiredUnit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A systemd unit that should exist, as the generator (or the unit file) describes it."""

    name: str
    """With its type: `web.service`, `backup.timer`, `web@.service` for a template."""
    kind: UnitKind
    path: str
    """Of the file that it comes from, relative to the app's root."""
    digest: str
    """Of what systemd will read, in a normal form (order of keys and place of staging left out)."""
    wanted_by: tuple[str, ...] = ()
    """From `[Install]`: WantedBy=, RequiredBy=, UpheldBy=."""
    installs: tuple[InstallLine, ...] = ()
    """The same, each with its file and line."""
    starts: tuple[str, ...] = ()
    """What it starts without needing it: the service of a timer, a socket or a path, targets."""
    instances: tuple[str, ...] = ()
    """For a template: names of its instances that should exist: as many as there are to be
    replicas, or the one that `[Install]` makes (DefaultInstance=)."""
    replicas: int | None = None
    """For a template: `[X-Podvisor] Replicas=`; None is "not said"."""
    max_unavailable: int = 1
    """`[X-Podvisor] MaxUnavailable=`: how many replicas may be down for a change."""
    only_one: str = ""
    """What of it only one instance can have, as its file says it (`IP=10.89.0.2`)."""
    per_instance: PerInstance = PerInstance()
    """Of replicas: what of `images`, `volumes` and the like there is for each."""
    requires: tuple[str, ...] = ()
    """Units that it needs (Requires=, BindsTo=, Wants=, Requisite=), generator's own excluded."""
    oneshot: bool = False
    remain_after_exit: bool = False
    images: tuple[str, ...] = ()
    """References to be present before it starts; none for those that another unit provides."""
    authfile: str = ""
    """Absolute path of the credentials by which they are pulled; empty is as Podman has it."""
    image_rule: ImageRule | None = None
    """How its image is kept up to date, if it asks for that."""
    verify: ImageKey | None = None
    """Who has to have signed its image, if it asks for that."""
    object_name: str = ""
    """Podman's name of the container, pod, volume, network or built image that it makes."""
    pods: tuple[str, ...] = ()
    """Of a `.kube`: Podman's names of the pods that its YAML describes."""
    networks: tuple[str, ...] = ()
    """Networks that it uses by Podman's name of them, of which systemd does not know."""
    reads: tuple[str, ...] = ()
    """Files and folders of the app (relative) that it mounts or reads."""
    secret_uses: tuple[SecretUse, ...] = ()
    """Podman secrets that it uses, each with its file and line."""
    certificate_uses: tuple[CertificateUse, ...] = ()
    """Certificates whose files it mounts or reads."""
    publishes: tuple[PublishedPort, ...] = ()
    """Fixed ports of the host."""
    mounts: tuple[str, ...] = ()
    """Absolute paths of the host, outside of apps' folders, that its containers can write to."""
    volumes: tuple[str, ...] = ()
    """Podman's names of the volumes that its containers mount."""
    build_command: tuple[str, ...] = ()
    """For a `.build`: the generated command, to be run ahead of a restart."""
    build_folder: str = ""
    """For a `.build`: WorkingDirectory= of the generated unit; absolute, empty if none."""
    health_interval: float = 0.0
    """Seconds between two of its health checks as declared; 0 if it declares none."""
    up_once_healthy: bool = False
    """Whether its start ends with the first good one (`Notify=healthy`)."""
    startup_retries: int = 0
    """Podman ends it when so many startup checks in a row have failed; 0 if it does not."""
    log_driver: str = ""
    """Where its containers' words go, if that is said and is not the journal: `k8s-file` …"""
    log_file: str = ""
    """The file that its `LogOpt=path=` names."""
    idle_interval: float | None = None
    """`[X-Podvisor] HealthIdleInterval=`; 0 is "never less often", None is "not said"."""
    probe: Probe | None = None
    """`[X-Podvisor] Probe=`."""
    can_reload: bool = False
    """Whether it has an ExecReload= of its own."""
    on_change: tuple[ChangeRule, ...] = ()
    """`[X-Podvisor] OnChange=`; the first that fits a file counts."""
    live: tuple[str, ...] = ()
    """Of `reads`, those that it sees change while it runs: folders that it mounts, and what the
    commands of a plain unit name."""
    before_deploy: bool = False
    """`[X-Podvisor] Run=before-deploy`."""
    outside: dict[str, str] = {}
    """Drop-ins of the user's own that shape it too: path to a mark that changes with the file."""
    drop_ins: tuple[str, ...] = ()
    """Drop-ins that shape it, relative to the app's root."""
    aliases: tuple[str, ...] = ()
    """`[Install] Alias=`: other names under which systemd knows it."""
    links: tuple[str, ...] = ()
    """Of a plain unit: the links in the user's unit folder that its name and `[Install]` want."""
    listens: tuple[str, ...] = ()
    """Of a `.socket`: what it opens, in words (`port 80/tcp`, `socket /run/x.sock`)."""
    adopt: bool = False
    """`[X-Podvisor] Adopt=yes`: what it makes may be there, and not of podvisor's making."""
    activates: str = ""
    """Of a `.socket`: the service that gets its connections."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of Podman secrets that it uses."""
        return tuple(dict.fromkeys(use.name for use in self.secret_uses))

    @property
    def runtime_names(self) -> tuple[str, ...]:
        """Names under which it can run: itself, or for a template its instances."""
        if not is_template(self.name):
            return (self.name,)
        return tuple(instance_of(self.name, one) for one in self.instances)

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which systemd knows it: its own, its instances', its aliases."""
        return tuple(dict.fromkeys((self.name, *self.runtime_names, *self.aliases)))

    def under(self, name: str) -> "DesiredUnit":
        """Return it as it is under one of its runtime names."""
        uses = uses_of_instance(self.certificate_uses, instance_in(name))
        same = uses == self.certificate_uses
        return self if same else msgspec.structs.replace(self, certificate_uses=uses)

    @property
    def has_replicas(self) -> bool:
        """Whether it is a template with as many instances as there are to be replicas."""
        return self.replicas is not None

    @property
    def makes(self) -> tuple[tuple[UnitKind, str], ...]:
        """What it makes that has a name of its own in Podman: kind and name."""
        own = ((self.kind, self.object_name),) if self.object_name else ()
        return (*own, *((UnitKind.POD, pod) for pod in self.pods))


class AppOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `[X-Podvisor]` of any of its units says of an app as a whole."""

    prune_volumes: bool = False
    """`[X-Podvisor] Prune=volumes`: its volumes go when it goes."""
    settle: float | None = None
    """`[X-Podvisor] Settle=`, seconds; None is "not said"."""
    snapshot: bool = False
    """`[X-Podvisor] Snapshot=volumes`: its volumes are exported before another release comes."""
    rollback: bool = True
    """`[X-Podvisor] Rollback=no`: it is never taken back."""
    one_by_one: bool = False
    """`[X-Podvisor] Rollout=one-by-one`: what is restarted is, each once the one before is well."""
    after: tuple[AfterApp, ...] = ()
    """`[X-Podvisor] After=`: apps that must be ready before this one changes."""

    def joined(self, other: "AppOptions") -> "AppOptions":
        """Return what two units of one app say together; the longest time to settle counts."""
        return AppOptions(
            prune_volumes=self.prune_volumes or other.prune_volumes,
            settle=max(
                (one.settle for one in (self, other) if one.settle is not None), default=None
            ),
            snapshot=self.snapshot or other.snapshot,
            rollback=self.rollback and other.rollback,
            one_by_one=self.one_by_one or other.one_by_one,
            after=(*self.after, *other.after),
        )


class DesiredApp(AppRevision, frozen=True, kw_only=True):
    """An app that can be deployed: its files, and the units that come out of them."""

    units: tuple[DesiredUnit, ...]
    generator: str
    """Version of Podman's generator that made `units`."""
    options: AppOptions = AppOptions()
    secrets: tuple[DesiredSecret, ...] = ()
    """What its `.secret` files ask for."""
    certificates: tuple[DesiredCertificate, ...] = ()
    """What its `.certificate` files ask for."""

    @cached_property
    def by_name(self) -> dict[str, DesiredUnit]:
        """Its units by name, templates as themselves."""
        return {unit.name: unit for unit in self.units}

    @cached_property
    def runtime_units(self) -> dict[str, DesiredUnit]:
        """Every name under which something of it can run, with the unit."""
        return {name: unit.under(name) for unit in self.units for name in unit.runtime_names}

    @cached_property
    def needs(self) -> frozenset[str]:
        """What any of its units needs, by the names of units."""
        return frozenset(need for unit in self.units for need in unit.requires)

    @cached_property
    def looks_beyond(self) -> bool:
        """Whether it may need what it does not hold; a template's instance counts, too."""
        return not self.needs <= self.by_name.keys() or any(unit.networks for unit in self.units)

    @cached_property
    def may_start_others(self) -> bool:
        """Whether a unit of it names one to start that it does not hold."""
        started = {name for unit in self.units for name in unit.starts}
        return self.looks_beyond or not started <= self.by_name.keys()

    @cached_property
    def targets(self) -> frozenset[str]:
        """What the `[Install]` of any of its units names."""
        return frozenset(target for unit in self.units for target in unit.wanted_by)

    def heeds(self, order: Scale) -> bool:
        """Whether an order for a number of replicas counts: its file says what it said then."""
        unit = self.by_name.get(order.unit)
        return unit is not None and unit.replicas == order.instead_of

    @cached_property
    def claims(self) -> dict[tuple[str, str], str]:
        """What its units are called, in systemd and in Podman, with the file of each."""
        claims = {("unit", name): unit.path for unit in self.units for name in unit.names}
        for unit in self.units:
            claims["unit", unit.name] = unit.path
            for kind, name in unit.makes:
                if "%" not in name:
                    claims[kind.value, name] = unit.path
        for secret in self.secrets:
            claims["secret", secret.name] = secret.path
        for certificate in self.certificates:
            claims["certificate", certificate.name] = certificate.path
            for name in certificate.podman_secrets:
                claims["secret", name] = certificate.path
            if certificate.directory:
                claims["certificate folder", certificate.directory] = certificate.path
        return claims


class Deployment(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What the source asks of one app now: the newest that can be had, and the way back.

    `wanted` is None when the source no longer holds the app (or holds it refused, with
    `findings`); `last_good` is the revision that passed its gate last, or what is installed where
    none has; None before the first time.
    """

    name: str
    wanted: DesiredApp | None
    last_good: DesiredApp | None = None
    findings: tuple[Finding, ...] = ()
    refusal: tuple[Finding, ...] = ()
    """What keeps the newest revision out while `wanted`, an older one, is still on trial."""
    newest: Candidate | None = None
    """What the source asks for; not `wanted` where the app is held. None if it is refused."""
    held: Hold | None = None
    """A person rolled it back: `wanted` is what they chose."""
    keep: bool = False
    """Leave it as it is although the source does not hold it (unreadable or emptied source)."""
    keep_reason: str = ""
    left_out: str = ""
    """Why it goes although its source holds it: the settings leave it out."""
    spare_volumes: bool = False
    """Whether its volumes stay, whatever it says: the settings leave out units of its folder."""
    failure: Failure | None = None
    """Why it cannot be said now what the source asks of it; it is kept meanwhile."""
    waits: tuple[Need, ...] = ()
    """Other apps that a change has to wait for."""
    unknown: tuple[Need, ...] = ()
    """Images of which no version is known yet."""
    updates: tuple[HeldUpdate, ...] = ()
    """Newer versions of its images that are not run (yet), and why."""
    ahead: tuple[ImageAhead, ...] = ()
    """Images to pull although nothing waits for them."""
    lost: frozenset[str] = frozenset()
    """Units that are other apps' now: no part of the way back."""
    orders: tuple[ImageOrder, ...] = ()
    """What a person said of its images."""
    scales: tuple[Scale, ...] = ()
    """How many replicas a person ordered, where files say another number."""

    @cached_property
    def way_back(self) -> DesiredApp | None:
        """`last_good` without what is lost of it."""
        last = self.last_good
        if last is None or not self.lost:
            return last
        lost = [unit for unit in last.units if unit.name in self.lost]
        paths = {path for unit in lost for path in (unit.path, *unit.drop_ins)}
        return msgspec.structs.replace(
            last,
            units=tuple(unit for unit in last.units if unit.name not in self.lost),
            files=tuple(file for file in last.files if file.path not in paths),
        )

    @property
    def source(self) -> str:
        """Source of the app; empty if nobody knows."""
        known: tuple[DesiredApp | Finding, ...] = (*self.apps, *self.findings)
        return next((one.source for one in known if one.source), "")

    @property
    def asked(self) -> AppRevision | None:
        """The newest that its source asks for; None if it asks for none."""
        return self.newest or self.wanted

    @property
    def wanted_revision(self) -> str:
        """Its revision; empty if there is none."""
        return self.asked.revision if self.asked else ""

    @cached_property
    def apps(self) -> tuple[DesiredApp, ...]:
        """`wanted` and `last_good`: those that there are, once if they are the same."""
        one, other = self.wanted, self.last_good
        return tuple(app for app in ((one,) if one is other else (one, other)) if app)

    @cached_property
    def units(self) -> tuple[DesiredUnit, ...]:
        """All of these."""
        return tuple(unit for app in self.apps for unit in app.units)

    @cached_property
    def runtime_names(self) -> frozenset[str]:
        """Names of everything of it that can run."""
        return frozenset(name for app in self.apps for name in app.runtime_units)

    @property
    def changes(self) -> bool:
        """Whether what is wanted is another revision than the one that is here."""
        last = self.last_good
        return self.wanted is not None and (last is None or last.content != self.wanted.content)
