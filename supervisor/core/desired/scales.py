"""Orders for another number of replicas (`podvisor scale`), laid over what files say.

Another number makes no other content: it is no release, and no release is tried for it.
"""

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from supervisor.core.files.certificate_references import in_order
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Stalled
from supervisor.model.quadlet import UnitKind
from supervisor.model.rollout import Scale
from supervisor.model.secret import SecretUse
from supervisor.model.unit_name import replica_names

_HINT = "Replicas= in [X-Podvisor] of a template (web@.container) says how many there are to be"


def scaled(deployment: Deployment, scales: Collection[Scale]) -> Deployment:
    """Return what is asked of an app, with as many replicas as were ordered of it."""
    kept = deployment.last_good is deployment.wanted
    wanted = _scaled(deployment.wanted, scales)
    last_good = wanted if kept else _scaled(deployment.last_good, scales)
    whole = replace(deployment, wanted=wanted, last_good=last_good)
    in_force = tuple(one for one in scales if any(app.heeds(one) for app in whole.apps))
    return replace(whole, scales=in_force)


def _scaled(app: DesiredApp | None, scales: Collection[Scale]) -> DesiredApp | None:
    if app is None or not any(map(app.heeds, scales)):
        return app
    orders = {one.unit: one for one in scales}
    return replace(app, units=tuple(_with(unit, orders.get(unit.name)) for unit in app.units))


def _with(unit: DesiredUnit, order: Scale | None) -> DesiredUnit:
    if order is None or unit.replicas != order.instead_of:
        return unit
    old, new = unit.instances, replica_names(order.replicas)
    each = unit.per_instance
    uses = {
        n: tuple(SecretUse(_named(one.name, n), one.path, one.line) for one in each.secret_uses)
        for n in {*old, *new}
    }
    before = {use for n in old for use in uses[n]}
    certificates = (use for use in unit.certificate_uses if use not in each.certificate_uses)
    ordered = (use for use in each.certificate_uses if use.instance in new)
    return replace(
        unit,
        instances=new,
        images=_for(unit.images, each.images, old=old, new=new),
        volumes=_for(unit.volumes, each.volumes, old=old, new=new),
        secret_uses=(
            *(use for use in unit.secret_uses if use not in before),
            *(use for n in new for use in uses[n]),
        ),
        certificate_uses=in_order((*certificates, *ordered)),
    )


def _for(
    names: Iterable[str], forms: Iterable[str], *, old: Iterable[str], new: Iterable[str]
) -> tuple[str, ...]:
    """Return names with those that are of the new instances in place of the old ones'."""
    forms = tuple(forms)
    before = {_named(form, one) for one in old for form in forms}
    mine = (_named(form, one) for one in new for form in forms)
    return tuple(dict.fromkeys((*(name for name in names if name not in before), *mine)))


def _named(form: str, instance: str) -> str:
    return form.replace("%i", instance)


def idle_files(units: Collection[DesiredUnit], scales: Iterable[Scale]) -> frozenset[str]:
    """Return the paths of files whose image nothing runs, as what names it is scaled to 0."""
    orders = {(one.unit, one.instead_of): one.replicas for one in scales}
    said = {one.name: one.replicas for one in units if one.replicas is not None}
    none = {name for name, number in said.items() if orders.get((name, number), number) == 0}

    def is_idle(unit: DesiredUnit) -> bool:
        users = [one.name for one in units if unit.name in one.requires]
        is_for_others = unit.kind is UnitKind.IMAGE and bool(users)
        return unit.name in none or (is_for_others and none.issuperset(users))

    return frozenset(one.path for one in units if is_idle(one)) if none else frozenset()


def overtaken(app: DesiredApp, scales: Iterable[Scale]) -> Iterator[Scale]:
    """Yield the orders that an app, which stands from now on, ends: its files say otherwise."""
    return (one for one in scales if not app.heeds(one))


def template_to_scale(app: str, stands: DesiredApp | None, wish: str) -> DesiredUnit:
    """Return the unit of an app, as it stands now, of which replicas are ordered.

    `wish` names it (`web@.service`, `web@.container`, `web@`, `web`); it may be empty where there
    is one. Raises Stalled if there is none, or more than one.
    """
    there = [unit for unit in (stands.units if stands else ()) if unit.has_replicas]
    stem = wish.removesuffix(".service").removesuffix(".container").removesuffix("@")
    found = [one for one in there if not wish or one.name == f"{stem}@.service"]
    if len(found) == 1:
        return found[0]
    what = f"{app}/{wish}" if wish else app
    names = " or ".join(f"{app}/{one.name.partition('@')[0]}" for one in there)
    if not there:
        raise Stalled(f"cannot scale {what}: no unit of it has replicas", hint=_HINT)
    why = "more than one unit of it has replicas" if found else "no replicas are called so"
    raise Stalled(f"cannot scale {what}: {why}", hint=f"name {names}")
