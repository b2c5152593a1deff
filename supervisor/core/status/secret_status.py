"""How every secret stands: `podvisor secret list`."""

from collections.abc import Iterable, Mapping

from supervisor.model.app import Deployment
from supervisor.model.observed import Inventory
from supervisor.model.secret import DesiredSecret, SecretKind, SecretState, SecretStatus


def report(
    deployments: Iterable[Deployment], inventory: Inventory, made_of: Mapping[DesiredSecret, str]
) -> tuple[SecretStatus, ...]:
    """Describe the secrets that apps describe or use, and those that were made for others."""
    there, owned = inventory.secrets or {}, inventory.owned_secrets
    apps = [app for one in deployments if (app := one.wanted or one.last_good)]
    users: dict[str, list[str]] = {}
    for app in apps:
        for unit in app.units:
            for name in unit.secrets:
                users.setdefault(name, []).append(unit.name)
    found: dict[str, SecretStatus] = {}
    for app in apps:
        for secret in app.secrets:
            name, owner = secret.name, owned.get(secret.name)
            if name in there and owner is None:
                state = SecretState.TAKEN
            elif owner and owner.app == app.name and owner.made_of == made_of.get(secret):
                state = SecretState.CURRENT
            else:
                state = SecretState.DUE
            found[name] = SecretStatus(
                name=name,
                state=state,
                app=app.name,
                source=secret.source,
                path=app.source_path(secret.path),
                units=tuple(users.get(name, ())),
            )
    for name, units in users.items():
        if name not in found:
            state = SecretState.PODMANS if name in there else SecretState.MISSING
            if name in owned:
                state = SecretState.LEFT
            app_name = owned[name].app if name in owned else ""
            found[name] = SecretStatus(name=name, state=state, app=app_name, units=tuple(units))
    for name, owner in owned.items():
        if name not in found:
            source = SecretKind.GENERATE.value if owner.stays else ""
            found[name] = SecretStatus(
                name=name, state=SecretState.LEFT, app=owner.app, source=source
            )
    return tuple(found[name] for name in sorted(found))
