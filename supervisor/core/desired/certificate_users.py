"""Units that use certificates by what others say, of any app.

`Reload=` and `Restart=` name units, of its own app or of another; `Secret=` is what units name; a
volume may bind a certificate's folder, and be mounted.

Used by `controllers.desired.desired_state`; which units mount a certificate's files is known before
(`core.files.certificate_references`).
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from supervisor.core.files.certificate_references import in_order
from supervisor.core.files.source_paths import is_below
from supervisor.kit.texts import nearest
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.certificate import CertificateUse, DesiredCertificate
from supervisor.model.certificate_secret import certificate_secret
from supervisor.model.errors import Finding
from supervisor.model.quadlet import UnitKind

_Named = Mapping[str, tuple[tuple[DesiredApp, CertificateUse], ...]]
"""By what a unit, a secret or a volume is called: uses, each with the app that says so."""

_OTHERS_MAY_READ = 0o004


class _Words(NamedTuple):
    """What the certificates of all apps name."""

    units: _Named
    secrets: _Named
    volumes: _Named


def with_named_users(*several: Mapping[str, DesiredApp]) -> list[dict[str, DesiredApp]]:
    """Return all of these apps, with what any of them says of the users of its certificates.

    An app that nobody speaks of is the same object.
    """
    apps = {id(app): app for some in several for app in some.values()}
    named = _named(apps.values())
    if not any(named):
        return [dict(some) for some in several]
    known = {key: _with_uses(app, named) for key, app in apps.items()}
    return [{name: known[id(app)] for name, app in some.items()} for some in several]


def doubtful_users(
    apps: Mapping[str, DesiredApp], everything: Iterable[DesiredApp]
) -> dict[str, tuple[Finding, ...]]:
    """Warn, by app, of units that `Reload=` or `Restart=` names, and that no app has.

    And of those that name a secret of a certificate which they cannot read, or a key.
    """
    given = {
        one.name: one
        for app in apps.values()
        for one in app.certificates
        if one.owner and not one.mode & _OTHERS_MAY_READ
    }
    asking = {name: app for name, app in apps.items() if any(map(_words, app.certificates))}
    those = everything if asking else ()
    units = {word for app in those for unit in app.units for word in _names(unit)}
    findings: dict[str, tuple[Finding, ...]] = {}
    for name, app in apps.items():
        unknown = _unknown(app, units) if name in asking else ()
        if found := (*unknown, *_unreadable(app), *_given_away(app, given)):
            findings[name] = found
    return findings


def _given_away(app: DesiredApp, given: Mapping[str, DesiredCertificate]) -> Iterator[Finding]:
    """Yield units that run as the user, whom the key does not belong to."""
    for unit in app.units if given else ():
        for use in unit.certificate_uses if unit.kind is UnitKind.PLAIN else ():
            if use.name in given:
                user, group = given[use.name].owner or (0, 0)
                yield app.finding(
                    f"{unit.name} cannot read the key of the certificate {use.name}:"
                    f" Owner= gives it to {user}:{group} of your containers",
                    app.source_path(use.path),
                    "make it a .container, or leave out Owner=",
                    line=use.line,
                    fatal=False,
                )


def _unreadable(app: DesiredApp) -> Iterator[Finding]:
    """Yield units that name a certificate's secret in the form that is for others."""
    for unit in app.units:
        held = {name for use in unit.certificate_uses for name in use.secrets}
        for use in unit.secret_uses if held else ():
            bare = certificate_secret(use.name)
            if use.name not in held or (bare == use.name) == (unit.kind is UnitKind.KUBE):
                continue
            what, hint = "key and chain as Kubernetes has them", f"{bare}.key and {bare}.crt"
            if unit.kind is UnitKind.KUBE:
                what, hint = "bare PEM", f"{bare}: it has tls.key and tls.crt"
            yield app.finding(
                f"the secret {use.name} holds {what}, which {unit.name} cannot read",
                app.source_path(use.path),
                f"name {hint}",
                line=use.line,
                fatal=False,
            )


def misplaced_uses(
    apps: Mapping[str, DesiredApp],
    standing: Iterable[DesiredApp],
    good: Mapping[str, DesiredApp],
) -> dict[str, tuple[Finding, ...]]:
    """Refuse, by app, units that name podvisor's own place of what `Directory=` has elsewhere.

    And those that name where it had it before. `standing` as of
    `core.desired.conflicts.unit_conflicts`, `good` are all apps as they were last good.
    """
    findings: dict[str, tuple[Finding, ...]] = {}
    for name, app in apps.items():
        left = _left_behind(app, good[name]) if name in good else ()
        if found := (*_misplaced(app, _elsewhere((app,))), *left):
            findings[name] = found
    well = (app for name, app in apps.items() if name not in findings)
    if elsewhere := _elsewhere((*well, *standing)):
        for name, app in apps.items():
            if name not in findings and (found := tuple(_misplaced(app, elsewhere))):
                findings[name] = found
    return findings


def _elsewhere(apps: Iterable[DesiredApp]) -> dict[str, tuple[DesiredApp, DesiredCertificate]]:
    return {one.name: (app, one) for app in apps for one in app.certificates if one.directory}


def _misplaced(
    app: DesiredApp, elsewhere: Mapping[str, tuple[DesiredApp, DesiredCertificate]]
) -> Iterator[Finding]:
    for unit in app.units if elsewhere else ():
        for use in unit.certificate_uses:
            if not use.own_place or use.name not in elsewhere:
                continue
            other, certificate = elsewhere[use.name]
            file = certificate.path if other is app else other.source_path(certificate.path)
            yield app.finding(
                f"{unit.name} names podvisor's own place of the certificate {use.name},"
                " where it is not installed",
                app.source_path(use.path),
                f"name {certificate.directory}, where Directory= of {file} puts it",
                line=use.line,
            )


def _left_behind(app: DesiredApp, before: DesiredApp) -> Iterator[Finding]:
    """Units that are as before, and name a folder that is none of their certificate's any more."""
    former = {one.name: one for one in before.certificates}
    moved = {
        one.name: (former[one.name].directory, one)
        for one in app.certificates
        if one.name in former and not is_below(one.directory, former[one.name].directory)
    }
    units = {unit.name: unit for unit in before.units} if moved else {}
    for unit in app.units if moved else ():
        was = units.get(unit.name)
        if was is None or was.digest != unit.digest:
            continue
        named = {use.name for use in unit.certificate_uses}
        for use in was.certificate_uses:
            if use.name in moved and use.name not in named and not use.own_place:
                folder, certificate = moved[use.name]
                hint = (
                    f"name {certificate.directory}, where Directory= of {certificate.path} puts it"
                )
                if not certificate.directory:
                    hint = f"name podvisor's own place of it, or say Directory={folder} again"
                yield app.finding(
                    f"{unit.name} names {folder}, where the certificate {use.name}"
                    " is not installed any more",
                    app.source_path(use.path),
                    hint,
                    line=use.line,
                )


def _unknown(app: DesiredApp, units: set[str]) -> Iterator[Finding]:
    for certificate in app.certificates:
        for key, word, line in certificate.named_units:
            if word in units:
                continue
            close = nearest(word, units)
            hint = f"did you mean {close}?" if close else "name a unit of one of the apps here"
            yield app.finding(
                f"{key}={word}: no app has such a unit",
                app.source_path(certificate.path),
                hint,
                line=line,
                fatal=False,
            )


def _named(apps: Iterable[DesiredApp]) -> _Words:
    named: dict[str, list[tuple[DesiredApp, CertificateUse]]] = defaultdict(list)
    held: dict[str, list[tuple[DesiredApp, CertificateUse]]] = defaultdict(list)
    bound: dict[str, list[tuple[DesiredApp, CertificateUse]]] = defaultdict(list)
    for app in apps:
        for one in app.certificates:
            for secret in one.podman_secrets:
                use = CertificateUse(name=one.name, fixed=True, secrets=(secret,))
                held[secret].append((app, use))
            for key, word, line in one.named_units:
                fixed = key == "Restart"
                use = CertificateUse(name=one.name, fixed=fixed, path=one.path, line=line)
                named[word].append((app, use))
        for unit in app.units:
            if unit.kind is UnitKind.VOLUME and unit.certificate_uses:
                bound[unit.object_name] += [(app, use) for use in unit.certificate_uses]
    each = (named, held, bound)
    return _Words(*({word: tuple(uses) for word, uses in some.items()} for some in each))


def _with_uses(app: DesiredApp, named: _Words) -> DesiredApp:
    units = tuple(_with_use(app, unit, named) for unit in app.units)
    if all(new is old for new, old in zip(units, app.units, strict=True)):
        return app
    return replace(app, units=units)


def _with_use(app: DesiredApp, unit: DesiredUnit, named: _Words) -> DesiredUnit:
    uses = {(use.name, use.instance): use for use in unit.certificate_uses}
    for use in _uses_of(app, unit, named):
        key = use.name, ""
        known = uses.setdefault(key, use)
        secrets = tuple(dict.fromkeys((*known.secrets, *use.secrets)))
        uses[key] = replace(known, fixed=known.fixed or use.fixed, secrets=secrets)
    after = in_order(uses.values())
    return unit if after == unit.certificate_uses else replace(unit, certificate_uses=after)


def _uses_of(app: DesiredApp, unit: DesiredUnit, named: _Words) -> Iterator[CertificateUse]:
    """Yield what any certificate or volume says of a unit, or the unit of the secrets of any."""
    said = [one for word in _names(unit) for one in named.units.get(word, ())]
    said += [one for volume in unit.volumes for one in named.volumes.get(volume, ())]
    for other, use in said:
        if other is app:
            yield use
        elif other.name != app.name:  # another revision of the app says something else
            # Of another app's file nothing is said under a path of this one.
            yield replace(use, path=unit.path, line=0, own_place=False)
    for secret in unit.secret_uses if named.secrets else ():
        for other, use in named.secrets.get(secret.name, ()):
            if other is app or other.name != app.name:
                yield replace(use, path=secret.path, line=secret.line)


def _names(unit: DesiredUnit) -> dict[str, None]:
    """What a unit may be called: as systemd has it, or by its file."""
    return dict.fromkeys((unit.name, posixpath.basename(unit.path), *unit.runtime_names))


def _words(certificate: DesiredCertificate) -> tuple[str, ...]:
    return (*certificate.reload, *certificate.restart)
