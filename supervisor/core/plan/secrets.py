"""Secrets of one app: what to make, what is in the way, what is lacking, what is left over.

Called by `core.plan.app`. Of a clear text nothing is known here but keyed hashes.
"""

from collections.abc import Collection, Iterator, Mapping

from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.certificate_secret import certificate_secret
from supervisor.model.errors import Finding
from supervisor.model.incident import IncidentCode
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed
from supervisor.model.plan import PutSecrets, RemoveSecret
from supervisor.model.quadlet import UnitKind
from supervisor.model.secret import SecretKind, SecretPut, may_hold_certificate


def secret_blockers(
    app: DesiredApp, observed: Observed, offered: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield what keeps the app from being deployed: names that are taken, secrets that lack.

    `offered` are the secrets that some app describes, each with that app.
    """
    there = observed.inventory.secrets
    if there is None:
        return
    for secret in app.secrets:
        owner = observed.inventory.owned_secrets.get(secret.name)
        if secret.name in there and owner is None:
            yield app.finding(
                f"Podman has a secret {secret.name} already, which is not podvisor's;"
                " nothing was overwritten",
                app.source_path(secret.path),
                "set Name= to another name, or, if it may be replaced:"
                f" podman secret rm {secret.name}",
                line=secret.line,
            )
    owned = observed.inventory.owned_secrets
    for certificate in app.certificates:
        for name, line in certificate.podman_secrets.items():
            owner = owned.get(name)
            if name in there and not may_hold_certificate(owner):
                whose = f"generated for app {owner.app}" if owner else "not podvisor's"
                yield app.finding(
                    f"Podman has a secret {name} already, which is {whose};"
                    " nothing was overwritten",
                    app.source_path(certificate.path),
                    "give Secret= another name, or, if it may be replaced:"
                    f" podman secret rm {name}",
                    line=line,
                )
    seen = set()
    for unit in app.units:
        held = held_by_certificates(unit)
        for use in unit.secret_uses:
            if use in seen or use.name in offered or use.name in held:
                continue
            seen.add(use)
            if use.name in there:
                was = owned[use.name].certificate if use.name in owned else ""
                if was:
                    bare = certificate_secret(use.name)
                    yield app.finding(
                        f"{unit.name} uses the secret {use.name} of the certificate {was},"
                        " which is not kept there any more: it is not renewed",
                        app.source_path(use.path),
                        f"have a file {was}.certificate say Secret={bare}",
                        line=use.line,
                        fatal=False,
                    )
                continue
            yield app.finding(
                f"{unit.name} needs the secret {use.name}, which nobody provides",
                app.source_path(use.path),
                _how_to_provide(use.name, unit.kind),
                line=use.line,
                code=IncidentCode.SECRET_MISSING,
                subject=use.name,
            )


def _how_to_provide(name: str, kind: UnitKind) -> str:
    if kind is UnitKind.KUBE:  # Podman takes it as Kubernetes has it, not the bare value
        return (
            f"podman kube play FILE makes it of a `kind: Secret` named {name};"
            " one in a file that Yaml= names goes with the app"
        )
    return (
        f"podman secret create {name} - makes it of its input;"
        f" podvisor secret encrypt {name} keeps it in the app"
    )


def held_by_certificates(unit: DesiredUnit) -> Mapping[str, str]:
    """Secrets that a unit uses and that hold a certificate, each with that."""
    return {secret: use.name for use in unit.certificate_uses for secret in use.secrets}


def plan_puts(
    app: DesiredApp, observed: Observed, *, lacking_only: bool = False
) -> PutSecrets | None:
    """Return the step that makes the app's secrets which are not what they should be, if any.

    With `lacking_only`, those that are there stay as they are: something uses them still.
    """
    there = observed.inventory.secrets
    if there is None:
        return None
    puts = []
    for secret in app.secrets:
        owner = observed.inventory.owned_secrets.get(secret.name)
        generated = secret.kind is SecretKind.GENERATE
        if secret.name not in there:
            reason = f"{secret.name} is not there"
        elif owner is None or lacking_only:
            continue  # it is in the way, of what is not podvisor's or of what runs
        elif owner.certificate:
            reason = f"{secret.name} was made for certificate {owner.certificate}"
        elif generated and secret.name in observed.rotating:
            reason = f"a person asked for another value of {secret.name}"
        elif owner.app != app.name:
            reason = f"{secret.name} was made for app {owner.app}"
        elif owner.made_of != observed.made_of.get(secret):
            reason = f"{secret.path if generated else secret.place} changed"
        else:
            continue
        held = owner.certificate if owner else ""
        anew = generated and (bool(held) or secret.name in observed.rotating)
        puts.append(SecretPut(secret=secret, reason=reason, anew=anew))
    if not puts:
        return None
    first, *rest = puts
    more = f" (and {len(rest)} more)" if rest else ""
    return PutSecrets(
        app=app.name,
        source=app.source,
        root=app.root,
        puts=tuple(puts),
        reason=f"{first.reason}{more}",
    )


def met_by(step: PutSecrets, app: DesiredApp) -> Iterator[Need]:
    """Yield what a step of `plan_puts` meets."""
    for put in step.puts:
        name = put.secret.name
        yield _need(name, app, text=f"secret {name}", detail=put.reason)


def awaited(app: DesiredApp, observed: Observed, offered: Mapping[str, str]) -> Iterator[Need]:
    """Yield the secrets that the app's units need and that another app is to make."""
    there = observed.inventory.secrets
    own = {secret.name for secret in app.secrets}
    held = {name: one for unit in app.units for name, one in held_by_certificates(unit).items()}
    for name in dict.fromkeys(name for unit in app.units for name in unit.secrets):
        if there is not None and name not in there and name not in own and name in offered:
            other = offered[name]
            yield _need(name, app, text=f"secret {name} of app {other}", other=other)
        elif there is not None and name not in there and held.get(name) in observed.certificates:
            text = f"secret {name} of certificate {held[name]}"
            yield _need(name, app, text=text, detail="it is not there yet")


def _need(name: str, app: DesiredApp, *, text: str, detail: str = "", other: str = "") -> Need:
    users = tuple(unit for unit, one in app.runtime_units.items() if name in one.secrets)
    return Need(
        kind=NeedKind.SECRET, subject=name, text=text, detail=detail, units=users, app=other
    )


def plan_left(
    app: str, kept: Collection[str], offered: Mapping[str, str], observed: Observed
) -> Iterator[RemoveSecret]:
    """Yield steps for what was made for the app and that it does not describe any more.

    What was generated stays, since nobody could make it again, unless its file said `Prune=yes`.
    """
    for name, owner in sorted(observed.inventory.owned_secrets.items()):
        if owner.certificate:
            continue  # it goes with that
        others = offered.get(name, app) != app
        if owner.app == app and name not in kept and not owner.stays and not others:
            yield RemoveSecret(app=app, secret=name, reason="no longer in the source")
