"""Certificates of apps: who describes and uses them, what is lacking, and who runs with which.

Called by `core.plan.app` and `core.plan.needs`, and by the certificates' own controller, which asks
who has taken up another one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from supervisor.kit.texts import nearest
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.certificate import ANEW, OF_FOLDER, DesiredCertificate
from supervisor.model.errors import Finding
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import AppliedApp, Observed
from supervisor.model.quadlet import UnitKind


class Described(NamedTuple):
    """A certificate, and the app that asks for it."""

    app: str
    certificate: DesiredCertificate


def described(deployments: Iterable[Deployment]) -> dict[str, Described]:
    """Return the certificates that some app describes, by name; as wanted, if that says anything.

    One that only the way back describes is kept for it, but where its folder or a secret of it is
    to be another one's: that has it at once.
    """
    every = tuple(deployments)
    found = {
        certificate.name: Described(one.name, certificate)
        for one in every
        if one.wanted or one.keep or one.findings
        for app in reversed(one.apps)
        for certificate in app.certificates
    }
    left = only_ways_back(every)
    if not left:
        return found
    held = {place for name, one in found.items() if name not in left for place in _places(one)}
    return {name: one for name, one in found.items() if name not in left or not held & _places(one)}


def only_ways_back(deployments: Iterable[Deployment]) -> Collection[str]:
    """Return the names of those that no app will ask for once it has become what it is to be."""
    wanted, former = set(), set()
    for one in deployments:
        if one.wanted:
            wanted |= {each.name for each in one.wanted.certificates}
            former |= {each.name for each in (one.last_good or one.wanted).certificates}
    return former - wanted


def _places(one: Described) -> set[str]:
    """What of the places in which it is may be another one's, too."""
    directory = one.certificate.directory
    return {*one.certificate.secrets, *([directory] if directory else ())}


def users_of(name: str, deployments: Iterable[Deployment]) -> dict[str, tuple[str, ...]]:
    """Return the units that use a certificate, by runtime name and by app; none that has none."""
    users = {}
    for one in deployments:
        units = {
            unit: None
            for app in one.apps
            for unit, desired in app.runtime_units.items()
            if uses(desired, name)
        }
        if units:
            users[one.name] = tuple(units)
    return users


def yet_to_take_up(
    name: str,
    version: str,
    deployments: Iterable[Deployment],
    applied: Mapping[str, AppliedApp],
) -> dict[str, tuple[str, ...]]:
    """Return those users of a certificate that were started, and not with this version, by app.

    `applied` is the ledger's word on these apps. What never was started here takes up what there
    is when it is; what runs with one of which nothing is on record yet is among them, until its
    app's next pass. A suspended app has no passes.
    """
    left = {}
    for app, units in users_of(name, deployments).items():
        known = applied[app].units if app in applied else {}
        late = tuple(
            unit
            for unit in units
            if unit in known and not has_taken_up(known[unit].certificates.get(name, ""), version)
        )
        if late:
            left[app] = late
    return left


def uses(unit: DesiredUnit, name: str) -> bool:
    """Whether a unit uses a certificate, and is to take up another one."""
    return name in taken_up_by(unit)


def has_taken_up(had: str, version: str) -> bool:
    """Whether what runs with `had` runs with `version`, and was started anew if that is asked."""
    return had == version or (bool(had) and had.removesuffix(ANEW) == version)


def parted(version: str) -> tuple[str, str]:
    """Part a version into the certificate's own and that of its folder."""
    own, _, folder = version.removesuffix(ANEW).partition(OF_FOLDER)
    return own, folder


def certificate_names(unit: DesiredUnit) -> Collection[str]:
    """Names of the certificates that a unit uses, each once."""
    return dict.fromkeys(use.name for use in unit.certificate_uses)


def taken_up_by(unit: DesiredUnit) -> Collection[str]:
    """Names of those of which it takes up another one: of a volume, who mounts it does."""
    return () if unit.kind is UnitKind.VOLUME else certificate_names(unit)


def certificate_blockers(
    app: DesiredApp, offered: Collection[str], *, there: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield the uses of certificates that nobody asks for; what is installed runs out at least.

    `offered` are the certificates that some app describes, `there` are those that are installed.
    """
    described_here = {one.name for one in app.certificates}
    seen = set()
    for unit in app.units:
        for use in unit.certificate_uses:
            name = use.name
            if name in described_here or name in offered or use in seen:
                continue
            seen.add(use)
            is_there = name in there
            known = {*described_here, *offered}
            close = "" if is_there else nearest(name, known)
            hint = f"describe it in a file {name}.certificate, of this app or of another one"
            yield app.finding(
                f"{unit.name} uses the certificate {name}, which no app describes"
                + (" any more: it is not renewed" if is_there else ""),
                app.source_path(use.path),
                f"did you mean {close}?" if close else hint,
                line=use.line,
                fatal=not is_there,
            )


def awaited_certificates(
    app: DesiredApp, observed: Observed, offered: Mapping[str, str]
) -> Iterator[Need]:
    """Yield the certificates that the app's units need and that are not there."""
    own = {one.name for one in app.certificates}
    for name in dict.fromkeys(name for unit in app.units for name in certificate_names(unit)):
        if name in observed.certificates:
            continue
        other = "" if name in own else offered.get(name, "")
        is_asked = name in own or name in offered
        yield Need(
            kind=NeedKind.CERTIFICATE,
            subject=name,
            text=f"certificate {name} of app {other}" if other else f"certificate {name}",
            detail="it is not there yet" if is_asked else "no app describes it any more",
            units=tuple(
                unit for unit, one in app.runtime_units.items() if name in certificate_names(one)
            ),
            app=other,
        )


def awaited_manners(app: DesiredApp, observed: Observed) -> Iterator[Need]:
    """Yield the app's own certificates that are yet to be installed as their files say now.

    What is started before would look for them in vain, or might not read the key.
    """
    for one in app.certificates:
        manner = observed.manners.get(one.name, "")
        users = tuple(unit for unit, used in app.runtime_units.items() if uses(used, one.name))
        if one.name in observed.certificates and manner not in ("", one.manner) and users:
            yield Need(
                kind=NeedKind.CERTIFICATE,
                subject=one.name,
                text=f"certificate {one.name}",
                detail=f"it is to be installed as {one.path} says now",
                units=users,
            )
