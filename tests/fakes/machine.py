"""A machine in memory: what the planner's steps do to it, and what it looks like afterwards.

Held to the real one by tests/host, which carries out the same kinds of plans for real.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from supervisor.core.health.gate import ended
from supervisor.core.health.wanted_units import needed_by
from supervisor.core.plan import planner
from supervisor.core.plan.certificates import described
from supervisor.core.plan.jobs import after_job
from supervisor.kit.stamps import blob_id
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.health import Checked, ContainerHealth, Health, PlayedContainer
from supervisor.model.observed import (
    AppliedApp,
    Container,
    Inventory,
    JobRun,
    Manifest,
    Observed,
    ObservedApp,
    RepairState,
    UnitInputs,
    UnitState,
)
from supervisor.model.plan import (
    BuildImage,
    CutTrial,
    DisableUnit,
    EnableUnit,
    ForgetSnapshots,
    LeaveUnit,
    OpenManifest,
    Plan,
    PullImage,
    Quarantine,
    Reload,
    ReloadUnit,
    RemoveContainer,
    RemoveFile,
    RemoveNetwork,
    RemovePod,
    RemoveVolume,
    ResetFailed,
    RestartUnit,
    RestoreVolumes,
    RunJob,
    SealManifest,
    SetHealthInterval,
    SnapshotVolumes,
    StartUnit,
    Step,
    StopUnit,
    TryRevision,
    WriteFile,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import GateState, Rollout
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import RolloutSettings
from supervisor.model.source import TreeFile
from supervisor.model.unit_name import is_template, template_of
from supervisor.model.volumes import AppVolumes, VolumeSnapshot

ROOT = "/home/pi/.config/containers/systemd/podvisor"


class Loaded(dict[str, DesiredUnit]):
    """Units that systemd has loaded; an instance is there if its template is."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(template_of(str(name)))

    def __getitem__(self, name: str) -> DesiredUnit:
        return super().__getitem__(template_of(name))

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(template_of(name), default)


@dataclass
class Machine:
    """State of one host, as far as podvisor touches it."""

    clock: Callable[[], float] = lambda: 0.0
    files: dict[str, dict[str, TreeFile]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """What was written, by its id."""
    restarts: dict[str, int] = field(default_factory=dict)
    """Unit to how often systemd has restarted it by itself since it was started."""
    restarting: set[str] = field(default_factory=set)
    """Units that systemd is about to start again."""
    manifests: dict[str, Manifest] = field(default_factory=dict)
    closed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """App to its folders that may not be looked into."""
    loaded: Loaded = field(default_factory=Loaded)
    places: dict[str, str] = field(default_factory=dict)
    """Unit to the file that it was loaded from."""
    masked: set[str] = field(default_factory=set)
    """Units that somebody masked."""
    foreign: dict[str, str] = field(default_factory=dict)
    """Unit to the file of somebody else's that defines it."""
    running: dict[str, str] = field(default_factory=dict)
    """Unit to the digest and files that it was started with."""
    started: dict[str, DesiredUnit] = field(default_factory=dict)
    """Units to the definition that they were started by."""
    failed: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    """Units that ran, and ended with status 0."""
    failed_at: dict[str, float] = field(default_factory=dict)
    """Unit to when it failed last, where that was told."""
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Links in the user's unit folder to app and path."""
    missing: set[str] = field(default_factory=set)
    """Targets that some `[Install]` names and that systemd does not have."""
    images: set[str] = field(default_factory=set)
    pulled_anew: dict[str, str] = field(default_factory=dict)
    """References whose image is another one since, to its id."""
    certificates: dict[str, str] = field(default_factory=dict)
    manners: dict[str, str] = field(default_factory=dict)
    """Certificates that are installed, each with its version."""
    serving: dict[str, dict[str, str]] = field(default_factory=dict)
    """Unit to the versions of its certificates that it read when it was started, or reloaded."""
    networks: set[str] = field(default_factory=set)
    unowned_files: set[Container] = field(default_factory=set)
    """Containers that somebody made by hand."""
    volumes: set[str] = field(default_factory=set)
    data: dict[str, str] = field(default_factory=dict)
    """What volumes hold."""
    pods: set[str] = field(default_factory=set)
    applied: dict[str, AppliedApp] = field(default_factory=dict)
    repairs: dict[str, RepairState] = field(default_factory=dict)
    rollouts: dict[str, dict[str, Rollout]] = field(default_factory=dict)
    settings: RolloutSettings = field(default_factory=lambda: RolloutSettings(settle=Seconds(0)))
    since: dict[str, float] = field(default_factory=dict)
    """Unit to when it was started."""
    now: float = 0.0
    dead: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Units whose container is there without running, to its networks."""
    queued: set[str] = field(default_factory=set)
    """Units whose start job waits for its turn."""
    reloads: int = 0
    checks: dict[str, ContainerHealth] = field(default_factory=dict)
    """Unit to its running container, where that has a health check."""
    played: dict[str, PlayedContainer] = field(default_factory=dict)
    """Containers of `.kube` units that are not as when they were started, by name."""
    hides_failed_checks: bool = False
    """Whether its Podman is one whose failed checks leave no trace in systemd (6 and later)."""
    containers_made: int = 0
    broken: set[str] = field(default_factory=set)
    """Units that fail whenever they are started."""
    bad: set[str] = field(default_factory=set)
    """Digests of units that fail whenever they are started."""
    snapshots: dict[str, AppVolumes] = field(default_factory=dict)
    """What is remembered of apps' volumes."""
    jobs: dict[str, JobRun] = field(default_factory=dict)
    """What became of apps' jobs before a deploy."""
    ran: list[str] = field(default_factory=list)
    """Jobs as they were run, each as the digest that it was loaded with."""
    catalogue: dict[tuple[str, str], DesiredUnit] = field(default_factory=dict)
    """What the generator would make of a unit's file, by its name and blob id."""

    def teach(self, app: DesiredApp) -> None:
        """Tell the machine's generator what an app's files mean."""
        oids = {file.path: file.oid for file in app.files}
        for unit in app.units:
            self.catalogue[unit.path.rpartition("/")[2], oids[unit.path]] = unit

    def observe(self, deployments: list[Deployment]) -> Observed:
        apps = {}
        names: dict[str, UnitState] = {}
        for one in deployments:
            manifest = self.manifests.get(one.name)
            apps[one.name] = ObservedApp(
                name=one.name,
                manifest=manifest,
                files=tuple(self.files.get(one.name, {}).values()),
                closed=self.closed.get(one.name, ()),
                links={
                    link: path
                    for link, (app_name, path) in self.links.items()
                    if app_name == one.name
                },
            )
            units = set(manifest.units if manifest else ())
            units |= one.runtime_names
            replicas = {unit.name for unit in one.units if unit.has_replicas}
            units |= {name for name in self.running if template_of(name) in replicas}
            names.update({unit: self.state(unit) for unit in units})
            for unit in units & self.masked:
                names[unit] = msgspec.structs.replace(names[unit], load="masked")
        targets = frozenset({"default.target", "timers.target"})
        return Observed(
            units=names,
            targets=targets,
            needed_by=needed_by({one.name: one for one in deployments}, targets),
            missing=frozenset(self.missing),
            foreign=self.foreign,
            apps=apps,
            inventory=Inventory(
                images=self.image_ids(),
                networks=frozenset(self.networks),
                volumes=frozenset(self.volumes),
                pods=frozenset(self.pods),
                secrets={},
                containers=self.containers(),
            ),
            applied=dict(self.applied),
            repairs=dict(self.repairs),
            rollouts={app: tuple(mine.values()) for app, mine in self.rollouts.items()},
            checked=tuple(
                Checked(container=one, since=0.0, calm_since=0.0)
                for unit, one in self.checks.items()
                if unit in self.running
            ),
            jobs=dict(self.jobs),
            volumes=dict(self.snapshots),
            certificates=dict(self.certificates),
            manners=dict(self.manners),
            owned_root=ROOT,
        )

    def containers(self) -> tuple[Container, ...]:
        """Those that are in networks."""
        there = self.dead | {unit: self.networks_of(unit) for unit in self.running}
        mine = (
            Container(id=unit, name=unit, unit=unit, networks=networks)
            for unit, networks in sorted(there.items())
            if networks
        )
        return (*mine, *sorted(self.unowned_files, key=lambda one: one.name))

    def image_users(self) -> tuple[Container, ...]:
        """What runs of an image, each as a container in no network."""
        ids = self.image_ids()
        return tuple(
            Container(id=unit, name=unit, unit=unit, image=image, image_id=ids.get(image, ""))
            for unit in sorted(self.running)
            for image in self.definition(unit).images
        )

    def cut_power(self) -> None:
        """End everything; containers stay as they were, until their unit makes them anew."""
        for unit in self.running:
            if self.definition(unit).kind is UnitKind.CONTAINER:
                self.dead[unit] = self.networks_of(unit)
        self.running.clear()
        self.failed.clear()
        self.since.clear()

    def boot(self) -> None:
        """Have systemd take up what is there; what it wants is queued, and not started yet.

        So is what that requires, as with systemd.
        """
        self.reload()
        wanted = [name for name, unit in self.loaded.items() if unit.wanted_by]
        self.queued = {name for name in wanted if not is_template(name)}
        new = self.queued
        while new:
            new = {
                need for name in new for need in self.loaded[name].requires if need in self.loaded
            }
            new -= self.queued
            self.queued |= new

    def start_queued(self) -> None:
        for unit in sorted(self.queued & self.loaded.keys()):
            if unit not in self.running:
                self.start("", unit, None)
        self.queued.clear()

    def networks_of(self, unit: str) -> tuple[str, ...]:
        mine = self.definition(unit)
        needs = (self.definition(need) for need in mine.requires)
        return (*mine.networks, *(n.object_name for n in needs if n.kind is UnitKind.NETWORK))

    def words(self, digest: str) -> dict[str, str]:
        """What the content of a unit's file says, as far as it was written: `v=2 dies`."""
        return dict(
            word.partition("=")[::2] for word in self.blobs.get(digest, b"").decode().split()
        )

    def state(self, unit: str) -> UnitState:
        if unit in self.restarting:
            return UnitState(
                name=unit,
                load="loaded",
                active="activating",
                sub="auto-restart",
                result="exit-code",
                path=ROOT,
                ever_started=True,
                active_since=self.since.get(unit, 0.0),
                restarts=self.restarts.get(unit, 0),
            )
        if unit in self.running:
            return UnitState(
                name=unit,
                load="loaded",
                active="active",
                sub="running",
                path=self.places.get(unit, ""),
                active_since=self.since.get(unit, 0.0),
                restarts=self.restarts.get(unit, 0),
            )
        if unit in self.failed:
            return UnitState(
                name=unit,
                load="loaded",
                active="failed",
                sub="failed",
                result="exit-code",
                path=self.places.get(unit, ""),
                ever_started=True,
                failed_at=self.failed_at.get(unit, 0.0),
            )
        load = "loaded" if unit in self.loaded else "not-found"
        return UnitState(
            name=unit,
            load=load,
            ever_started=unit in self.ended,
            exit_status=0 if unit in self.ended else None,
            active_since=self.since.get(unit, 0.0),
            path=self.places.get(unit, "") if load == "loaded" else "",
            job="start" if unit in self.queued and load == "loaded" else "",
        )

    def plan(self, deployments: list[Deployment], now: float = 1.0) -> Plan:
        self.now = now
        return planner.plan(
            deployments,
            self.observe(deployments),
            now,
            rollout=self.settings,
            certificates={name: one.app for name, one in described(deployments).items()},
        )

    def carry_out(self, step: Step) -> None:
        match step:
            case TryRevision(trial=one) | CutTrial(trial=one) | Quarantine(failed=one):
                self.rollouts.setdefault(one.name, {})[one.release] = one
            case PullImage():
                self.images.add(step.image)
            case RemoveContainer():
                self.dead.pop(step.container, None)
            case BuildImage() | ResetFailed():
                self.failed.discard(getattr(step, "unit", ""))
            case StopUnit():
                self.stop(step.unit)
            case DisableUnit():
                self.disable(step.unit)
            case SetHealthInterval():
                self.set_health_interval(step.container_id, step.seconds)
            case RemoveNetwork():
                users = [one.name for one in self.containers() if step.network in one.networks]
                assert not users, f"network {step.network} is used by {users}"
                self.networks.discard(step.network)
            case RemovePod():
                self.pods.discard(step.pod)
            case RemoveVolume():
                self.volumes.discard(step.volume)
            case OpenManifest():
                self.manifests[step.app] = step.manifest
            case SealManifest():
                if not step.manifest.claims_nothing:
                    self.manifests[step.app] = step.manifest
                else:
                    self.manifests.pop(step.app, None)
                    self.applied.pop(step.app, None)
            case WriteFile():
                claimed = {file.path for file in self.manifests[step.app].files}
                assert step.file.path in claimed, "a file is claimed before it is written"
                self.files.setdefault(step.app, {})[step.file.path] = step.file
                if step.repair:
                    self.repairs[step.repair.unit] = step.repair
            case RemoveFile():
                self.files[step.app].pop(step.path, None)
            case EnableUnit():
                self.enable(step.app, step.path)
            case Reload():
                self.reload()
            case StartUnit() if step.unit in self.running:
                self.record(step.app, step.unit, step.inputs)
            case RestartUnit():
                pods = self.pods.copy()
                along = self.stop(step.unit)
                if pods != self.pods and self.loaded[step.unit].kind is UnitKind.CONTAINER:
                    self.failed.add(step.unit)  # bound to a pod that is not active any more
                    self.record(step.app, step.unit, step.inputs)
                    return
                self.start(step.app, step.unit, step.inputs)
                self.restart_along(along)
            case StartUnit():
                self.start(step.app, step.unit, step.inputs)
                if step.repair:
                    self.repairs[step.unit] = step.repair
            case ReloadUnit():
                assert step.unit in self.running, "only what runs can be reloaded"
                assert self.loaded[step.unit].can_reload
                self.read_certificates(step.unit, anew=False)
                self.record(step.app, step.unit, step.inputs)
            case LeaveUnit():
                self.record(step.app, step.unit, step.inputs)
            case SnapshotVolumes():
                self.snapshot(step)
            case RestoreVolumes():
                self.stop_users(step.order.snapshot.volumes, step.users)
                known = self.snapshots[step.app]
                self.snapshots[step.app] = msgspec.structs.replace(known, restore=None)
            case ForgetSnapshots():
                self.snapshots.pop(step.app, None)
            case RunJob():
                assert step.unit in self.loaded, f"{step.unit} is run before it is loaded"
                self.ran.append(self.loaded[step.unit].digest)
                why = "exit code 1" if step.unit in self.broken else ""
                before = self.jobs.get(step.app)
                self.jobs[step.app] = after_job(before, step.content, step.unit, why=why)

    def snapshot(self, step: SnapshotVolumes) -> None:
        """Export volumes of an app."""
        assert set(step.names) <= self.volumes, "only what is there can be exported"
        self.stop_users(step.names, step.stops)
        known = self.snapshots.get(step.app, AppVolumes())
        one = VolumeSnapshot(
            id=f"{step.release}-{len(known.snapshots)}",
            release=step.release,
            revision=step.revision,
            at=self.now,
            before=step.before,
            volumes=dict.fromkeys(step.names, 1),
            stopped=() if step.resumes else step.stops,
        )
        snapshots = (*known.snapshots, one)
        self.snapshots[step.app] = msgspec.structs.replace(known, snapshots=snapshots)
        for unit in step.stops if step.resumes else ():
            self.start(step.app, unit, None)

    def stop_users(self, volumes: Iterable[str], units: Iterable[str]) -> None:
        for unit in units:
            self.stop(unit)
        used = {name for unit in self.running for name in self.definition(unit).volumes}
        assert used.isdisjoint(volumes), f"{used} are written to meanwhile"

    def writes(self, app: str, path: str, text: str) -> None:
        """Somebody writes a file into an app's folder."""
        content = text.encode()
        file = TreeFile(path=path, oid=blob_id(content), size=len(content))
        self.files.setdefault(app, {})[path] = file
        self.blobs[file.oid] = content

    def loses_folder(self) -> None:
        """Somebody removes the whole owned folder, as `podman quadlet rm` of Podman 6 can."""
        self.files.clear()
        self.manifests.clear()

    def reload(self) -> None:
        self.reloads += 1
        self.loaded = Loaded()
        for app, files in sorted(self.files.items(), reverse=True):  # of two the first counts
            drop_ins = [one for one in files.values() if ".d/" in one.path]
            for file in files.values():
                if "unloadable" in self.words(file.oid):
                    continue
                laid = [one for one in drop_ins if one.path.startswith(f"{file.path}.d/")]
                if unit := self.catalogue.get(catalogued(file, laid)):
                    self.loaded[unit.name] = unit
                    self.places[unit.name] = f"{ROOT}/{app}/{file.path}"

    def enable(self, app: str, path: str) -> None:
        """Make the links that a unit file asks for."""
        name = path.rpartition("/")[2]
        unit = self.catalogue[name, self.files[app][path].oid]
        self.links.update(dict.fromkeys(unit.links, (app, path)))

    def disable(self, unit: str) -> None:
        """Remove every link to a unit's file."""
        gone = [link for link, (_, path) in self.links.items() if path.rpartition("/")[2] == unit]
        for link in gone:
            del self.links[link]

    def definition(self, unit: str) -> DesiredUnit:
        """What a unit that runs was started by, else what it is loaded as."""
        nothing = DesiredUnit(name=unit, kind=UnitKind.PLAIN, path="", digest="")
        was = self.started.get(unit) if unit in self.running else None
        return was or self.loaded.get(unit, nothing)

    def stop(self, unit: str) -> list[str]:
        """Stop a unit by what it is loaded as, before it all that needs it; returns these.

        What runs by an older file of its own needs what its newer one says. A pod ends with the
        last of its containers, and takes all that were made in it along.
        """
        self.queued.discard(unit)
        if unit not in self.running:
            return []
        along = [name for name in self.running if name in self.loaded]
        along = [name for name in along if unit in self.loaded[name].requires]
        inside = [name for name in self.running if unit in self.definition(name).requires]
        is_pod = self.definition(unit).kind is UnitKind.POD
        for name in (*along, *(inside if is_pod else ())):
            along += [one for one in self.stop(name) if one not in along]
        if unit not in self.running:
            return along  # it was a pod, and has ended with them
        was, now = self.definition(unit), self.loaded.get(unit)
        if now and was.kind is not UnitKind.BUILD:  # that makes nothing which it would end
            one, other = (was.kind, was.object_name), (now.kind, now.object_name)
            assert one == other, f"{unit} is stopped as what it was not"
        self.running.pop(unit, None)
        if was.kind is UnitKind.POD:
            self.pods.discard(was.object_name)
        for pod in was.requires if was.kind is UnitKind.CONTAINER else ():
            others = [name for name in self.running if pod in self.definition(name).requires]
            if self.definition(pod).kind is UnitKind.POD and not others:
                self.stop(pod)
        return along

    def restart_along(self, units: list[str]) -> None:
        for unit in units:
            self.make_object(unit)
            self.running[unit] = self.loaded[unit].digest
            self.started[unit] = self.loaded[unit]
            self.read_certificates(unit)

    def read_certificates(self, unit: str, *, anew: bool = True) -> None:
        """Have a unit read the certificates that it uses: all of them, if it is started."""
        seen = self.serving.setdefault(unit, {})
        for use in self.loaded[unit].certificate_uses:
            if use.name in self.certificates and (anew or not use.fixed):
                seen[use.name] = self.certificates[use.name]

    def start(self, app: str, unit: str, inputs: UnitInputs | None) -> None:
        assert unit in self.loaded, f"{unit} is started before it is loaded"
        self.failed.discard(unit)
        self.running.pop(unit, None)
        self.dead.pop(unit, None)
        self.queued.discard(unit)
        definition = self.loaded[unit]
        missing = [image for image in definition.images if image not in self.images]
        assert not missing, f"{unit} is started without its image"
        names = {use.name for use in definition.certificate_uses}
        assert not inputs or names <= self.certificates.keys(), f"{unit} is started without {names}"
        for need in definition.requires:
            if need in self.loaded and need not in self.running:
                self.make_object(need)
                self.running[need] = self.loaded[need].digest
                self.started[need] = self.loaded[need]
                self.read_certificates(need)
        if unit in self.broken or definition.digest in self.bad:
            self.failed.add(unit)
        else:
            self.make_object(unit)
            self.running[unit] = definition.digest
            self.started[unit] = definition
            self.since[unit] = self.now
            self.read_certificates(unit)
        self.record(app, unit, inputs)

    def image_ids(self) -> dict[str, str]:
        return {name: self.pulled_anew.get(name, f"id of {name}") for name in sorted(self.images)}

    def record(self, app: str, unit: str, inputs: UnitInputs | None) -> None:
        if inputs is None:
            return
        for name, other in self.applied.items():
            units = {one: of for one, of in other.units.items() if one != unit or name == app}
            self.applied[name] = msgspec.structs.replace(other, units=units)
        before = self.applied.get(app)
        known = before or AppliedApp(
            name=app, source="home", revision="", content="", applied_at=0.0, units={}
        )
        units = {**known.units, unit: inputs}
        self.applied[app] = msgspec.structs.replace(known, units=units)

    def make_object(self, unit: str) -> None:
        definition = self.loaded[unit]
        if definition.kind is UnitKind.NETWORK:
            self.networks.add(definition.object_name)
        if definition.kind is UnitKind.VOLUME:
            self.volumes.add(definition.object_name)
        if definition.kind is UnitKind.BUILD:
            self.images.add(definition.object_name)
        if definition.kind is UnitKind.POD:
            self.pods.add(definition.object_name)
        self.played = {name: one for name, one in self.played.items() if one.unit != unit}
        self.checks.pop(unit, None)  # those of the container before
        if definition.health_interval:
            self.containers_made += 1
            self.checks[unit] = ContainerHealth(
                id=f"{self.containers_made:064x}",
                name=definition.object_name,
                unit=unit,
                health=Health.HEALTHY,
                interval=definition.health_interval,
                started_at=self.clock(),
            )

    def set_health_interval(self, container: str, seconds: float) -> None:
        for unit, one in self.checks.items():
            if one.id == container:
                self.checks[unit] = msgspec.structs.replace(one, interval=seconds)

    def answers(self, unit: str, health: Health, *, streak: int = 0, output: str = "") -> None:
        """The last health check of a unit's container ended so."""
        self.checks[unit] = msgspec.structs.replace(
            self.checks[unit], health=health, streak=streak, output=output
        )

    def podman_restarts(self, unit: str, *, at: float) -> None:
        """Podman restarts an unhealthy container in place: it forgets what its checks said."""
        one = self.checks[unit]
        self.checks[unit] = msgspec.structs.replace(
            one,
            health=Health.STARTING,
            streak=0,
            output="",
            started_at=at,
            restarts=one.restarts + 1,
        )

    def tried(self, app: str, revision: str) -> Rollout:
        """The newest release of this revision."""
        return [one for one in self.rollouts[app].values() if one.revision == revision][-1]

    def adopt(self, plan: Plan) -> None:
        """Record what the controller records after a pass."""
        for verdict in plan.verdicts:
            if verdict.gate and verdict.gate.state is GateState.PASSED:
                one = self.tried(verdict.app, verdict.revision)
                self.rollouts[verdict.app][one.release] = ended(one, verdict.gate, self.now)
                known = self.applied.get(verdict.app)
                self.applied[verdict.app] = AppliedApp(
                    name=verdict.app,
                    source="home",
                    revision=verdict.revision,
                    content=one.content,
                    release=one.release,
                    applied_at=0.0,
                    units=known.units if known else {},
                )
            for unit, inputs in verdict.adopt.items():
                self.record(verdict.app, unit, inputs)

    def converge(self, deployments: list[Deployment], now: float = 1.0) -> list[Plan]:
        """Plan and carry out until nothing is left to do; fails if that takes long.

        An app may take four passes by itself: for its images, its jobs, what changes, and what it
        left. One more if another app was in its network, or waits for it.
        """
        plans: list[Plan] = []
        for _ in range(5 * max(1, len(deployments))):
            plan = self.plan(deployments, now)
            if not plan.steps and not self.queued:
                self.adopt(plan)
                return plans
            plans.append(plan)
            for step in plan.steps:
                self.carry_out(step)
            self.start_queued()
            self.adopt(plan)
        raise AssertionError(f"never at rest: {plans[-1].steps}")


def catalogued(file: TreeFile, drop_ins: Iterable[TreeFile] = ()) -> tuple[str, str]:
    """What a unit's file, with what is laid over it, is called in the catalogue."""
    return file.path.rpartition("/")[2], "+".join([file.oid, *(one.oid for one in drop_ins)])


def container(name: str, *, version: str = "1", **more: object) -> DesiredUnit:
    """A unit for tests, as of a Quadlet container."""
    fields: dict[str, object] = {
        "name": f"{name}.service",
        "kind": UnitKind.CONTAINER,
        "path": f"{name}.container",
        "digest": f"{name}-{version}",
        "wanted_by": ("default.target",),
        "object_name": f"systemd-{name}",
    }
    return DesiredUnit(**{**fields, **more})  # type: ignore[arg-type]


def network(name: str, *, version: str = "1", object_name: str = "") -> DesiredUnit:
    return DesiredUnit(
        name=f"{name}-network.service",
        kind=UnitKind.NETWORK,
        path=f"{name}.network",
        digest=f"{name}-network-{version}",
        object_name=object_name or f"systemd-{name}",
        oneshot=True,
        remain_after_exit=True,
    )


def pod(name: str, *, version: str = "1", **more: object) -> DesiredUnit:
    return DesiredUnit(
        **{  # type: ignore[arg-type]
            "name": f"{name}-pod.service",
            "kind": UnitKind.POD,
            "path": f"{name}.pod",
            "digest": f"{name}-pod-{version}",
            "wanted_by": ("default.target",),
            "object_name": f"systemd-{name}",
            **more,
        }
    )


def volume(name: str, *, version: str = "1") -> DesiredUnit:
    return DesiredUnit(
        name=f"{name}-volume.service",
        kind=UnitKind.VOLUME,
        path=f"{name}.volume",
        digest=f"{name}-volume-{version}",
        object_name=f"systemd-{name}",
        oneshot=True,
        remain_after_exit=True,
    )


def app(
    name: str, *units: DesiredUnit, revision: str = "r1", data: dict[str, str] | None = None
) -> DesiredApp:
    """An app for tests; a unit's file has its digest for a blob id."""
    files = [TreeFile(path=unit.path, oid=f"oid-{unit.digest}") for unit in units]
    files.extend(TreeFile(path=path, oid=oid) for path, oid in (data or {}).items())
    return DesiredApp(
        name=name,
        source="home",
        revision=revision,
        root=name,
        files=tuple(sorted(files)),
        units=units,
        generator="5.4.2",
    )


def deploy(
    wanted: DesiredApp | None, last_good: DesiredApp | None = None, **more: Any
) -> Deployment:
    one = wanted or last_good
    assert one
    return Deployment(name=one.name, wanted=wanted, last_good=last_good, **more)
