"""Read the world for one pass: systemd's units, the owned folder, Podman's objects, the ledger.

No more is asked than the pass needs: Podman only about what it can lose behind systemd's back,
and about images and names where something is about to start. What cannot be read of one app is
missing for that app alone.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from supervisor.controllers.apps.health import HealthController
from supervisor.controllers.apps.probes import ProbeController
from supervisor.controllers.apps.secrets import SecretController
from supervisor.controllers.apps.unit_states import UnitStates
from supervisor.controllers.isolate import each
from supervisor.controllers.ports import Folder, Ledger, Podman
from supervisor.controllers.state.left_behind import left_behind
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.health import wanted_units
from supervisor.core.health.gate import in_turn, stands
from supervisor.core.plan.asked_objects import asked_images, asked_kinds
from supervisor.core.plan.volumes import is_another
from supervisor.model.app import Deployment, DesiredUnit
from supervisor.model.certificate import CertificateRecord
from supervisor.model.errors import Failure, OutOfReach
from supervisor.model.health import Checked
from supervisor.model.image import VerifiedImage
from supervisor.model.observed import (
    AppliedApp,
    Inventory,
    JobRun,
    Observed,
    ObservedApp,
    UnitInputs,
    UnitState,
)
from supervisor.model.plan import (
    RestartUnit,
    RestoreVolumes,
    SetHealthInterval,
    SnapshotVolumes,
    StartUnit,
    Step,
    StopUnit,
)
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Rollout, Suspension
from supervisor.model.secret import DesiredSecret
from supervisor.model.unit_name import is_template, template_of
from supervisor.model.volumes import AppVolumes

_MADE_OF_CONTAINERS = frozenset({UnitKind.CONTAINER, UnitKind.KUBE})


class _Own(msgspec.Struct, kw_only=True):
    """What is one app's alone."""

    folder: ObservedApp
    units: set[str]
    """Names of all that it has or will have."""
    rollouts: tuple[Rollout, ...]
    suspended: Suspension | None
    job: JobRun | None
    """What became of its jobs, where it has some."""
    made_of: dict[DesiredSecret, str]


class Observer(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what is, over the ports."""

    units: UnitStates
    podman: Podman
    folder: Folder
    ledger: Ledger
    suspensions: Suspensions
    health: HealthController
    probes: ProbeController
    secrets: SecretController
    began: float
    """When this daemon did, seconds since the epoch."""

    async def observe(
        self,
        deployments: Sequence[Deployment],
        *,
        targets: Collection[str],
        everything: Mapping[str, Deployment],
    ) -> tuple[Observed, dict[str, Failure]]:
        """Read everything that a plan for these apps needs.

        `targets` are all that any unit's `[Install]` names, `everything` are all apps.
        Returns it for those of which it can be read, and why not for the others. Raises what keeps
        all from being read.
        """
        own, failures = await each(deployments, self._look_at, doing="observing")
        deployments = [one for one in deployments if one.name in own]
        apps = {name: one.folder for name, one in own.items()}
        applied = self.ledger.applied()
        names = {name for one in own.values() for name in one.units}
        on_trial = _on_trial(deployments, applied)
        names.update(need for unit in on_trial.values() for need in unit.requires)
        instances = await self.units.instances(deployments)
        names.update(instances.replicas, (one.newest for one in instances.failed.values()))
        units = await self.units.read({*names, *targets, wanted_units.SHUTDOWN_TARGET})
        if wanted_units.is_begun(units[wanted_units.SHUTDOWN_TARGET]):
            raise OutOfReach("the user's systemd is shutting down", what="systemd")
        wanted_targets = await self.units.wanted_targets(targets, units)
        needed_by = wanted_units.needed_by(everything, wanted_targets)
        leaning = {user: app for name in on_trial for user, app in needed_by.get(name, {}).items()}
        if leaning.keys() - units.keys():
            units.update(await self.units.read(leaning.keys() - units.keys()))
        changing = {one.name for one in deployments if _changes(one, apps[one.name])}
        curious = _down(deployments, units, wanted_targets, needed_by).union(on_trial)
        curious.update(name for one in changing for name in own[one].units)
        curious.update(_in_turn(deployments))
        foreign = await self.folder.foreign_units()
        curious.update(foreign.keys() & units.keys())
        repairs = self.ledger.repairs()
        await self.units.look_closer(curious, units, repairs)
        volumes = {name: one for name, one in self.ledger.all(AppVolumes).items() if name in own}
        ordered = {name for name, one in volumes.items() if one.restore}
        # What they hold is exported before anything is put back, but for what is half put back.
        exporting = {name for name in ordered if is_another(volumes[name])}
        known = self._certificates(deployments)
        certificates = {name: one.version for name, one in known.items() if one.version}
        try:
            inventory = await self._inventory(
                deployments,
                apps,
                units,
                changing,
                applied,
                certificates=certificates,
                lists_volumes=bool(ordered),
            )
        except Failure as failure:
            # What runs can be kept running without Podman; a change has to wait for it.
            inventory = Inventory()
            failures.update(dict.fromkeys(changing | exporting, failure))
        observed = Observed(
            units=units,
            targets=wanted_targets,
            needed_by=needed_by,
            missing=frozenset(name for name in targets if units[name].load == "not-found"),
            foreign=foreign,
            apps=apps,
            inventory=inventory,
            applied=applied,
            repairs=repairs,
            session=self.began,
            endings=self.units.endings(units),
            unsaid=self.units.unsaid(units),
            failed_instances=instances.failed,
            rollouts={name: self.ledger.rollouts(name) for name in leaning.values()}
            | {name: one.rollouts for name, one in own.items()},
            suspended={name: one.suspended for name, one in own.items() if one.suspended},
            checked=await self._checked(deployments, units),
            played=await self.health.played(_begun(deployments, units, {UnitKind.KUBE})),
            restarted=self.health.restarted(units),
            probed=self.probes.verdicts(),
            verified=self._verified(deployments),
            jobs={name: one.job for name, one in own.items() if one.job},
            volumes=volumes,
            certificates=certificates,
            manners={name: one.installed_as for name, one in known.items()},
            put_back=frozenset(one.refused.version for one in known.values() if one.refused),
            made_of={key: mark for one in own.values() for key, mark in one.made_of.items()},
            rotating=frozenset(self.secrets.rotating),
            left=left_behind(self.ledger),
            owned_root=self.folder.root,
        )
        return observed, failures

    def forget(self, deployment: Deployment, steps: Sequence[Step]) -> None:
        """What was known of what these steps have touched does not hold any more."""
        for step in steps:
            touched: Collection[str] = ()
            if isinstance(step, StartUnit | RestartUnit | StopUnit):
                touched = (step.unit,)
            elif isinstance(step, SnapshotVolumes):
                touched = step.stops
            elif isinstance(step, RestoreVolumes):
                touched = step.users
            for unit in touched:
                self.probes.forget(unit)
                self.units.forget(unit, is_repair=isinstance(step, StartUnit) and bool(step.repair))
        if any(not isinstance(step, SetHealthInterval) for step in steps):
            self.health.mark_suspect(deployment.runtime_names)

    async def _look_at(self, one: Deployment) -> _Own:
        """Read what is one app's alone."""
        folder = await self.folder.observe(
            one.name,
            wanted=[file.path for app in one.apps for file in app.files],
            asked=[found.absent for found in one.findings if found.absent],
        )
        applied = self.ledger.applied_app(one.name)
        known = applied.units if applied else {}
        installed = {name for name in folder.units if not is_template(name)}
        units = installed | one.runtime_names | known.keys()
        # What they use, or did when they were started.
        users: list[DesiredUnit | UnitInputs] = [*one.units, *known.values()]
        self.units.words.learn(one, units, {secret for user in users for secret in user.secrets})
        has_jobs = one.wanted and any(unit.before_deploy for unit in one.wanted.units)
        return _Own(
            folder=folder,
            units=units,
            rollouts=self.ledger.rollouts(one.name),
            suspended=self.suspensions.of(one.name),
            job=self.ledger.get(JobRun, one.name) if has_jobs else None,
            made_of=self.secrets.made_of([one]),
        )

    async def observe_units(self, deployments: Sequence[Deployment], before: Observed) -> Observed:
        """Read the units of these apps anew, and leave the rest as it was read."""
        names = _concerned(deployments, before)
        anew = await self.units.read(names)
        curious = _down(deployments, anew, before.targets, before.needed_by)
        curious.update(_on_trial(deployments, before.applied), _in_turn(deployments))
        await self.units.look_closer(curious, anew, self.ledger.repairs())
        units = {**before.units, **anew}
        checked = await self._checked(deployments, units)
        played = await self.health.played(_begun(deployments, units, {UnitKind.KUBE}))
        apps = {one.name for one in deployments}
        apps.update(app for name in names for app in before.needed_by.get(name, {}).values())
        rollouts = {name: self.ledger.rollouts(name) for name in apps & before.rollouts.keys()}
        return msgspec.structs.replace(
            before,
            units=units,
            applied=self.ledger.applied(),
            rollouts={**before.rollouts, **rollouts},
            endings=self.units.endings(units),
            unsaid=self.units.unsaid(units),
            checked=checked,
            played=played,
            restarted=self.health.restarted(units),
            probed=self.probes.verdicts(),
        )

    async def _checked(
        self, deployments: Sequence[Deployment], units: Mapping[str, UnitState]
    ) -> tuple[Checked, ...]:
        """Return the health of what these apps run in containers, as far as it is checked."""
        containers = _begun(deployments, units, _MADE_OF_CONTAINERS)
        return await self.health.read(containers) if containers else ()

    def _verified(self, deployments: Sequence[Deployment]) -> dict[str, frozenset[str]]:
        """By whose signatures images were taken, where an app asks for any."""
        if not any(unit.verify for one in deployments for unit in one.units):
            return {}
        known = self.ledger.all(VerifiedImage)
        return {image: frozenset(one.keys) for image, one in known.items()}

    def _certificates(self, deployments: Sequence[Deployment]) -> Mapping[str, CertificateRecord]:
        """What is remembered of certificates, where an app uses any."""
        uses_any = any(unit.certificate_uses for one in deployments for unit in one.units)
        return self.ledger.all(CertificateRecord) if uses_any else {}

    async def _inventory(
        self,
        deployments: Sequence[Deployment],
        apps: Mapping[str, ObservedApp],
        units: Mapping[str, UnitState],
        changing: set[str],
        applied: Mapping[str, AppliedApp],
        *,
        certificates: Mapping[str, str],
        lists_volumes: bool,
    ) -> Inventory:
        images = asked_images(
            deployments, units, applied, changing=changing, certificates=certificates
        )
        kinds = asked_kinds(deployments, apps, applied, changing=changing)
        if lists_volumes:
            kinds.add("volumes")
        if self.secrets.has_made_some:
            kinds.add("secrets")
        if not images and not kinds:
            return Inventory()
        return await self.podman.inventory(images=images, **dict.fromkeys(kinds, True))


def _concerned(deployments: Sequence[Deployment], before: Observed) -> set[str]:
    """Return the units of a pass by which these apps are judged: all of them, if it has no others.

    Theirs, those that they need, and those that need them.
    """
    if len(deployments) == len(before.apps):
        return set(before.units)
    names: set[str] = set()
    templates: set[str] = set()
    for one in deployments:
        applied = before.applied.get(one.name)
        names.update(
            one.runtime_names, before.app(one.name).units, applied.units if applied else ()
        )
        names.update(need for unit in one.units for need in unit.requires)
        templates.update(unit.name for unit in one.units if is_template(unit.name))
    names.update([user for name in names for user in before.needed_by.get(name, ())])
    if templates:
        names.update(name for name in before.units if template_of(name) in templates)
    return names & before.units.keys()


def _begun(
    deployments: Sequence[Deployment], units: Mapping[str, UnitState], kinds: Collection[UnitKind]
) -> dict[str, UnitState]:
    """Units of these kinds that run, or are about to."""
    return {
        name: units[name]
        for one in deployments
        for app in one.apps
        for name, unit in app.runtime_units.items()
        if unit.kind in kinds and name in units and not units[name].has_ended
    }


def _down(
    deployments: Sequence[Deployment],
    units: Mapping[str, UnitState],
    targets: Collection[str],
    needed: Collection[str],
) -> set[str]:
    """Units that should run and do not, and those that failed."""
    return {name for name, state in units.items() if state.active == "failed"} | {
        name
        for one in deployments
        for app in one.apps
        for name in wanted_units.should_run(app.runtime_units, targets, needed)
        if name in units and not units[name].is_up
    }


def _on_trial(
    deployments: Sequence[Deployment], applied: Mapping[str, AppliedApp]
) -> dict[str, DesiredUnit]:
    """Units of revisions that have not passed their gate: by their details it is judged."""
    return {
        name: unit
        for one in deployments
        if one.wanted and not stands(one.wanted, applied)
        for name, unit in one.wanted.runtime_units.items()
    }


def _in_turn(deployments: Sequence[Deployment]) -> set[str]:
    """Units of which the next is restarted only when those before it have been up for a while."""
    return {name for one in deployments for app in one.apps for name in in_turn(app)}


def _changes(one: Deployment, observed: ObservedApp) -> bool:
    """Whether the owned folder is not what the app should be (or there is no app to be)."""
    manifest = observed.manifest
    if one.wanted is None or manifest is None or not manifest.sealed:
        return not one.keep or manifest is None
    there = {(file.path, file.oid, file.kind) for file in observed.files}
    should = {(file.path, file.oid, file.kind) for file in one.wanted.files}
    return bool(should - there) or manifest.content != one.wanted.content
