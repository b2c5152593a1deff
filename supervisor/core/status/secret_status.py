"""How every secret stands: `podvisor secret list`."""

from collections.abc import Iterable, Mapping

from supervisor.model.app import Deployment
from supervisor.model.observed import Inventory
from supervisor.model.secret import (
    DesiredSecret,
    SecretKind,
    SecretState,
    SecretStatus,
    may_hold_certificate,
)


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
    described = {secret.name: (app, secret) for app in apps for secret in app.secrets}
    held = {
        name: (app, one) for app in apps for one in app.certificates for name in one.podman_secrets
    }
    found = []
    for name in sorted({*described, *held, *users, *owned}):
        owner, units = owned.get(name), tuple(users.get(name, ()))
        whose = source = path = ""
        if name in described:
            app, secret = described[name]
            whose, source, path = app.name, secret.source, app.source_path(secret.path)
            state = SecretState.DUE
            if owner is None and name in there:
                state = SecretState.TAKEN
            elif owner and (owner.app, owner.made_of) == (whose, made_of.get(secret)):
                state = SecretState.CURRENT
        elif name in held:
            app, certificate = held[name]
            whose, path = app.name, app.source_path(certificate.path)
            source = f"certificate:{certificate.name}"
            state = SecretState.DUE
            if name in there and not may_hold_certificate(owner):
                state = SecretState.TAKEN
            elif owner and owner.certificate == certificate.name:
                state = SecretState.CURRENT
        elif owner:
            state, whose = SecretState.LEFT, owner.app
            source = SecretKind.GENERATE.value if owner.stays else ""
            if owner.certificate:
                source = f"certificate:{owner.certificate}"
        else:
            state = SecretState.PODMANS if name in there else SecretState.MISSING
        found.append(
            SecretStatus(name=name, state=state, app=whose, source=source, path=path, units=units)
        )
    return tuple(found)
