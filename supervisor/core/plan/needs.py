"""What an app needs before its units can start: what of it is lacking, and the steps that meet it.

Called by `core.plan.app`, which decides by it what is done now. What another app is to do first
comes with the deployment (`core.desired.dependencies`, `core.plan.moves`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from supervisor.core.plan.certificates import (
    awaited_certificates,
    awaited_manners,
    certificate_names,
)
from supervisor.core.plan.secrets import awaited, met_by, plan_puts
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed
from supervisor.model.plan import PullImage, RestartUnit, StartUnit, Step, StopUnit, WriteFile


def lacking_of(unit: DesiredUnit, observed: Observed) -> Iterator[tuple[NeedKind, str]]:
    """Yield what a unit needs to start and what is known not to be there."""
    inventory = observed.inventory
    images: Collection[str] | None = inventory.images
    if images and unit.verify:
        key = unit.verify.fingerprint
        images = [image for image in images if key in observed.verified.get(image, ())]
    rows: tuple[tuple[NeedKind, Iterable[str], Collection[str] | None], ...] = (
        (NeedKind.IMAGE, unit.images, images),
        (NeedKind.SECRET, unit.secrets, inventory.secrets),
        (NeedKind.CERTIFICATE, certificate_names(unit), observed.certificates),
    )
    for kind, needed, there in rows:
        if there is not None:
            yield from ((kind, name) for name in needed if name not in there)


def blocked_units(
    app: DesiredApp, observed: Observed, *, kinds: Collection[NeedKind] = tuple(NeedKind)
) -> frozenset[str]:
    """Return the units that cannot start, by runtime name: something of these kinds is lacking."""
    return frozenset(
        name
        for name, unit in app.runtime_units.items()
        if any(kind in kinds for kind, _ in lacking_of(unit, observed))
    )


def ends_for_good(app: DesiredApp, steps: Collection[Step], observed: Observed) -> bool:
    """Whether these steps end a unit that runs, and that is blocked from starting again.

    What stops or restarts a unit does so to those that need it; whether their images are there,
    only those were asked of that are about to be started.
    """
    stopped = {step.unit for step in steps if isinstance(step, StopUnit)}
    started = {step.unit for step in steps if isinstance(step, StartUnit | RestartUnit)}
    ended = stopped.union(step.unit for step in steps if isinstance(step, RestartUnit))
    others = blocked_units(app, observed, kinds={NeedKind.SECRET, NeedKind.CERTIFICATE})
    along = {name for name in others if not ended.isdisjoint(app.runtime_units[name].requires)}
    blocked = blocked_units(app, observed) & stopped & started | along
    return any(observed.unit(name).is_up for name in blocked)


def unmet_needs(
    app: DesiredApp,
    steps: Collection[Step],
    observed: Observed,
    *,
    jobs: Collection[str],
    offered: Mapping[str, str],
    certificates: Mapping[str, str],
) -> tuple[list[Need], list[Step]]:
    """Return what is lacking for these steps, and the steps that meet it.

    `offered` are secrets with the apps that make them, `certificates` those with the apps that ask
    for them; what another app meets, or nobody in a pass, has no step here.
    Secrets come last of what is had ahead: what runs must not meet new ones too early.
    """
    pulls = tuple(unmet_images(app, steps, observed, jobs=jobs))
    others = (
        *awaited(app, observed, offered),
        *awaited_certificates(app, observed, certificates),
        *awaited_manners(app, observed),
    )
    puts = None if pulls else plan_puts(app, observed, lacking_only=bool(others))
    made = met_by(puts, app) if puts else ()
    needs = [*(need for need, _ in pulls), *others, *made]
    return needs, [*(pull for _, pull in pulls), *([puts] if puts else [])]


def unmet_images(
    app: DesiredApp, steps: Iterable[Step], observed: Observed, *, jobs: Collection[str] = ()
) -> Iterator[tuple[Need, PullImage]]:
    """Yield the images to have before any of these steps: of what starts, and of what is new."""
    starting, writing = set(jobs), set()
    for step in steps:
        if isinstance(step, StartUnit | RestartUnit):
            starting.add(step.unit)
        elif isinstance(step, WriteFile):
            writing.add(step.file.path)
    users: dict[str, list[DesiredUnit]] = {}
    here = observed.inventory.images or ()
    for unit in app.units:
        shaped = {unit.path, unit.verify.path} if unit.verify else {unit.path}
        if shaped & writing or not starting.isdisjoint(unit.runtime_names):
            for kind, image in lacking_of(unit, observed):
                if kind is NeedKind.IMAGE:
                    users.setdefault(image, []).append(unit)
    for image, units in sorted(users.items()):
        names = tuple(name for one in units for name in one.runtime_names)
        need = Need(kind=NeedKind.IMAGE, subject=image, text=f"image {image}", units=names)
        why = "nobody has verified it" if image in here else "it is not here"
        reason = f"{units[-1].name} needs it, and {why}"
        authfiles = tuple(dict.fromkeys(unit.authfile for unit in units))
        keys = tuple(dict.fromkeys(unit.verify for unit in units if unit.verify))
        yield (
            need,
            PullImage(app=app.name, image=image, authfiles=authfiles, keys=keys, reason=reason),
        )
