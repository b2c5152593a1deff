"""Units that `Reload=` and `Restart=` of a `.certificate` file name, of its own app or of another.

Used by `controllers.desired.desired_state`; which units mount a certificate's files is known before
(`core.files.certificate_references`).
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from supervisor.core.files.source_paths import is_below
from supervisor.kit.texts import nearest
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.certificate import CertificateUse, DesiredCertificate
from supervisor.model.errors import Finding

_Named = Mapping[str, tuple[tuple[DesiredApp, CertificateUse], ...]]
"""By what a unit is called: uses, each with the app that says so."""


def with_named_users(*several: Mapping[str, DesiredApp]) -> list[dict[str, DesiredApp]]:
    """Return all of these apps, with what any of them says of the users of its certificates.

    An app that nobody speaks of is the same object.
    """
    apps = {id(app): app for some in several for app in some.values()}
    named = _named(apps.values())
    if not named:
        return [dict(some) for some in several]
    known = {key: _with_uses(app, named) for key, app in apps.items()}
    return [{name: known[id(app)] for name, app in some.items()} for some in several]


def unknown_users(
    apps: Mapping[str, DesiredApp], everything: Iterable[DesiredApp]
) -> dict[str, tuple[Finding, ...]]:
    """Warn, by app, of units that `Reload=` or `Restart=` names, and that no app has."""
    asking = {name: app for name, app in apps.items() if any(map(_words, app.certificates))}
    if not asking:
        return {}
    units = {word for app in everything for unit in app.units for word in _names(unit)}
    findings: dict[str, tuple[Finding, ...]] = {}
    for name, app in asking.items():
        if found := tuple(_unknown(app, units)):
            findings[name] = found
    return findings


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


def _named(apps: Iterable[DesiredApp]) -> _Named:
    named: dict[str, list[tuple[DesiredApp, CertificateUse]]] = defaultdict(list)
    for app in apps:
        for one in app.certificates:
            for key, word, line in one.named_units:
                fixed = key == "Restart"
                use = CertificateUse(name=one.name, fixed=fixed, path=one.path, line=line)
                named[word].append((app, use))
    return {word: tuple(uses) for word, uses in named.items()}


def _with_uses(app: DesiredApp, named: _Named) -> DesiredApp:
    units = tuple(_with_use(app, unit, named) for unit in app.units)
    if all(new is old for new, old in zip(units, app.units, strict=True)):
        return app
    return replace(app, units=units)


def _with_use(app: DesiredApp, unit: DesiredUnit, named: _Named) -> DesiredUnit:
    uses = {use.name: use for use in unit.certificate_uses}
    for word in _names(unit):
        for other, use in named.get(word, ()):
            if other.name == app.name and other is not app:
                continue  # another revision of it says so
            # Of another app's file nothing is said under a path of this one.
            mine = use if other.name == app.name else replace(use, path=unit.path, line=0)
            known = uses.setdefault(use.name, mine)
            if mine.fixed and not known.fixed:
                uses[use.name] = replace(known, fixed=True)
    after = tuple(uses[name] for name in sorted(uses))
    return unit if after == unit.certificate_uses else replace(unit, certificate_uses=after)


def _names(unit: DesiredUnit) -> dict[str, None]:
    """What a unit may be called: as systemd has it, or by its file."""
    return dict.fromkeys((unit.name, posixpath.basename(unit.path), *unit.runtime_names))


def _words(certificate: DesiredCertificate) -> tuple[str, ...]:
    return (*certificate.reload, *certificate.restart)
