"""What becomes of each unit of an app: decided before `core.plan.units` makes any step of it."""

import enum
from collections.abc import Collection, Iterator, Mapping

import msgspec

from supervisor.core.health import wanted_units
from supervisor.core.plan.certificates import certificate_names
from supervisor.core.plan.change_policy import uptake
from supervisor.core.plan.draft import FileChanges
from supervisor.core.plan.endings import ending_units
from supervisor.core.plan.networks import users_of_network
from supervisor.core.plan.ownership import is_there, object_of
from supervisor.core.plan.unit_inputs import defined_elsewhere, inputs_of, is_another, recorded
from supervisor.model.app import ChangeAction, DesiredApp, DesiredUnit
from supervisor.model.observed import Observed, UnitInputs, UnitState
from supervisor.model.quadlet import UnitKind


class Fate(enum.Enum):
    """What happens to a unit, besides what happens to what it was."""

    ENDS = enum.auto()
    """Nothing starts it any more."""
    MADE_ANEW = enum.auto()
    """A network: Podman would keep the one that is there as it is."""
    LEFT = enum.auto()
    """A network that others use: it is made anew when they are gone."""
    KEPT = enum.auto()
    """A volume, or a network that is not podvisor's: a person has to change it."""
    TAKES_UP = enum.auto()
    """It takes up what changed, is started, or stays as it is."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime unit: what is, and what it should be made of."""

    unit: DesiredUnit
    state: UnitState
    old: UnitInputs | None
    is_recorded: bool
    """Whether `old` is of this app, not of the one that the unit came from."""
    inputs: UnitInputs
    change: str
    action: ChangeAction
    """How a unit that runs takes the change up."""
    wanted: bool
    was: str
    """What else it was; empty if it was nothing else."""
    fate: Fate
    why: str = ""
    """It ends."""
    others: tuple[str, ...] = ()
    """Who else uses a network that is left."""

    @property
    def kept(self) -> UnitInputs:
        """The inputs while it is not started: it runs with the images that it was started with.

        And with the certificates that it took up last, if they are gone.
        """
        images = self.old.images if self.old else {}
        had = self.old.certificates if self.old else {}
        used = certificate_names(self.unit)
        certificates = {name: had[name] for name in used if name in had} | self.inputs.certificates
        return msgspec.structs.replace(self.inputs, images=images, certificates=certificates)

    @property
    def ended(self) -> str:
        """Why its old definition is to end it, which alone names what it made; empty if not."""
        takes_down = self.unit.kind is UnitKind.KUBE and self.action is ChangeAction.RESTART
        return self.was or (self.change if takes_down else "")

    @property
    def is_stopped(self) -> bool:
        """Whether it is stopped for what becomes of it."""
        ends = bool(self.ended) or self.fate is Fate.ENDS
        return self.fate is Fate.MADE_ANEW or (ends and not self.state.has_ended)

    @property
    def pulls_along(self) -> str:
        """Why what needs it is to be started again, if it runs; empty if it is not."""
        unit, old = self.unit, self.old
        if self.fate is Fate.MADE_ANEW:
            return f"network {unit.object_name} is made anew"
        if self.was and old and old.kind is UnitKind.NETWORK:
            return f"network {old.object_name} goes"
        return f"image of {unit.name} is built anew" if unit.build_command and self.change else ""


class Along(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that runs, and needs what is made anew."""

    seen: Seen
    reason: str
    stops: bool
    """Whether what it needs is stopped for that: so is it, and started later."""


def seen_units(app: DesiredApp, observed: Observed, files: FileChanges) -> Iterator[Seen]:
    """Yield the app's units, instances in place of templates, in the order of its files."""
    wanted = wanted_units.should_run(app.runtime_units, observed.targets, observed.needed_by)
    applied = observed.applied.get(app.name)
    is_other = applied is not None and applied.content != app.content
    owned = observed.app(app.name).objects
    ending = ending_units(app, wanted, applied, observed)
    for unit in app.units:
        of_all = inputs_of(app, unit, observed)
        one = object_of(unit)
        for name in unit.runtime_names:
            here = app.runtime_units[name]
            inputs = of_all if here is unit else inputs_of(app, here, observed)
            state = observed.unit(name)
            old = recorded(name, applied, observed)
            if path := defined_elsewhere(state, old, observed):
                inputs = msgspec.structs.replace(inputs, elsewhere=path)
            change, action = _change(
                here,
                state,
                old,
                inputs,
                files,
                put_back=observed.put_back,
                is_other_content=is_other,
            )
            was = is_another(old, inputs) if old else ""
            others: tuple[str, ...] = ()
            fate = Fate.TAKES_UP
            if name in ending:
                fate = Fate.ENDS
            elif not was and change and one and is_there(one, observed.inventory):
                if unit.kind is UnitKind.NETWORK and one in owned:
                    _, others = users_of_network(unit.object_name, observed)
                    fate = Fate.LEFT if others else Fate.MADE_ANEW
                elif unit.kind in (UnitKind.NETWORK, UnitKind.VOLUME):
                    fate = Fate.KEPT
            yield Seen(
                unit=here,
                state=state,
                old=old,
                is_recorded=applied is not None and name in applied.units,
                inputs=inputs,
                change=change,
                action=action,
                wanted=name in wanted,
                was=was,
                fate=fate,
                why=ending.get(name, ""),
                others=others,
            )


def pulled_along(seen: Collection[Seen], stopped: Collection[str]) -> Mapping[str, Along]:
    """Return the units that are started again for what they need, by runtime name.

    `stopped` are units that are stopped already, for other reasons than those seen.
    """
    causes = {one.state.name: why for one in seen if (why := one.pulls_along)}
    stops = {*stopped, *(one.state.name for one in seen if one.is_stopped)} if causes else set()
    along = {}
    for one in seen if causes else ():
        why = next((causes[need] for need in one.unit.requires if need in causes), "")
        is_ending = one.fate is Fate.ENDS
        if why and one.state.is_up and not one.unit.before_deploy and not is_ending:
            with_stop = not stops.isdisjoint(one.unit.requires)
            along[one.state.name] = Along(seen=one, reason=why, stops=with_stop)
    return along


def _change(
    unit: DesiredUnit,
    state: UnitState,
    old: UnitInputs | None,
    inputs: UnitInputs,
    files: FileChanges,
    *,
    put_back: Collection[str],
    is_other_content: bool,
) -> tuple[str, ChangeAction]:
    """Why the unit is not what it should be, empty if it is; and how it comes there if it runs."""
    mine = {unit.path, *inputs.files}
    if old is None:
        # Nothing is known of what runs, only that its files are not what they were.
        written = mine & files.written and state.is_up
        return "its files changed" if written else "", ChangeAction.RESTART
    edited = sorted(files.drifted & inputs.files.keys())
    change = uptake(unit, old, inputs, put_back=put_back, is_other_content=is_other_content)
    if change.reason:
        # What a folder became that somebody took away, a container does not see.
        return change.reason, ChangeAction.RESTART if edited else change.action
    if edited:
        return f"{edited[0]} was changed outside podvisor", ChangeAction.RESTART
    if unit.path in files.drifted and state.load == "loaded" and not state.needs_reload:
        return f"{unit.path} was changed outside podvisor, and loaded", ChangeAction.RESTART
    return "", ChangeAction.RESTART
