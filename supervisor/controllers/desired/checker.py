"""Judge sources as the daemon does, and tell all of it: what `podvisor check` asks for."""

from msgspec.structs import replace

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import SourceReader
from supervisor.core.desired.unfitting import ignores_nothing
from supervisor.core.health import unstarted
from supervisor.core.plan.certificates import certificate_blockers
from supervisor.model.app import Candidate, Deployment
from supervisor.model.check import (
    Check,
    CheckedApp,
    CheckedCertificate,
    CheckedLeftOut,
    CheckedUnit,
)
from supervisor.model.errors import Finding
from supervisor.model.source import Snapshot


async def check(
    *,
    reader: SourceReader,
    desired_state: DesiredState,
    has_others: bool = False,
) -> Check:
    """Judge all sources of the settings.

    `has_others` if this host has other sources, which may hold what is lacking here.

    Raises what reading a source raises.
    """
    snapshots: list[Snapshot] = []
    findings: list[Finding] = []
    for name, settings in desired_state.settings.sources.items():
        snapshot = await reader.fetch(name, settings)
        snapshots.append(snapshot)
        desired_state.put(snapshot)
        findings.extend(ignores_nothing(settings, source=name, paths=snapshot.paths))
    deployments = await desired_state.deployments()
    compositions = desired_state.compositions
    held = [c for one in compositions.values() for c in (*one.unfit, *one.candidates)]
    unfit = {one.name: one for one in reversed(held)}
    units = [unit for one in desired_state.latest().values() for unit in one.units]
    findings.extend(one for some in desired_state.source_findings.values() for one in some)
    apps: list[CheckedApp] = []
    for name, one in deployments.items():
        told = list(one.findings)
        if one.failure:
            told.append(Finding.of(one.failure, app=name))
        if one.wanted:
            lacking = certificate_blockers(one.wanted, desired_state.certificates())
            told.extend(replace(found, fatal=not has_others) for found in lacking)
            told.extend(unstarted.found_without_systemd(one.wanted, units))
        findings.extend(dict.fromkeys(told))
        apps.append(_app(one, desired_state.newest(name) or unfit.get(name)))
    if not deployments:
        message = "no app found: no folder holds a Quadlet or unit file"
        findings.append(Finding(message=message, hint="name the apps' folders: --apps GLOB"))
    covered = {path for app in apps for path in app.files}
    covered.update(one.source_path(file.path) for one in held for file in one.files)
    left = [
        CheckedLeftOut(path=one.path, reason=one.reason)
        for composition in compositions.values()
        for one in composition.left_out
        if one.path not in covered
    ]
    known = covered | {one.path for one in left}
    return Check(
        layout=tuple(dict.fromkeys(g for one in compositions.values() for g in one.layout)),
        apps=tuple(apps),
        left_out=tuple(left),
        others=len({file.path for one in snapshots for file in one.files} - known),
        findings=tuple(replace(one, source="") for one in dict.fromkeys(findings)),
    )


def _app(one: Deployment, newest: Candidate | None) -> CheckedApp:
    wanted = one.wanted
    held = wanted or newest
    return CheckedApp(
        name=one.name,
        root=held.root if held else "",
        refused=wanted is None,
        units=tuple(
            CheckedUnit(name=unit.name, path=wanted.source_path(unit.path)) for unit in wanted.units
        )
        if wanted
        else (),
        certificates=tuple(
            CheckedCertificate(
                name=certificate.name,
                path=wanted.source_path(certificate.path),
                domains=certificate.terms.domains,
                issuer=certificate.terms.issuer,
            )
            for certificate in wanted.certificates
        )
        if wanted
        else (),
        files=tuple(held.source_path(file.path) for file in held.files) if held else (),
    )
