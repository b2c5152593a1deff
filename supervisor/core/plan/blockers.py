"""What stands in an app's way: names, files and folders of what is not podvisor's."""

from collections.abc import Collection, Iterator

from supervisor.core.plan.ownership import is_owned, stranger
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.errors import Finding
from supervisor.model.observed import Observed, PodmanObject
from supervisor.model.quadlet import UnitKind

_OWN = ("podvisor.service", "podvisor-web.service", "podvisor-web.socket")
_SYSTEM = ("/usr/", "/lib/")
"""Where packages put their units: nobody is to remove one there."""


def blockers(app: DesiredApp, observed: Observed) -> list[Finding]:
    """Names that are taken by what podvisor does not own."""
    mine = observed.app(app.name).units
    findings = []
    for unit in app.units:
        if masked := _masked(unit, observed):
            as_it_was = "" if masked in observed.foreign else "--runtime "
            message = f"{masked} is masked: systemd does not start it, whatever it says"
            hint = f"`systemctl --user unmask {as_it_was}{masked}`"
            findings.append(app.finding(message, app.source_path(unit.path), hint))
            continue
        taken = _taken_by(unit, app.name, mine, observed)
        if taken:
            what, mend = taken
            message = f"{what} and is not podvisor's; nothing was overwritten"
            findings.append(app.finding(message, app.source_path(unit.path), mend))
    findings.extend(_foreign_files(app, observed))
    findings.extend(_closed_folders(app, observed))
    return findings


def _masked(unit: DesiredUnit, observed: Observed) -> str:
    """Return the name under which somebody masked it, empty if nobody did."""
    names = (unit.name, *unit.runtime_names)
    return next((name for name in names if observed.unit(name).load == "masked"), "")


def _closed_folders(app: DesiredApp, observed: Observed) -> Iterator[Finding]:
    """Folders into which nothing can be written, since a container took them to itself."""
    folder = observed.app(app.name)
    there = {(file.path, file.oid, file.kind) for file in folder.files}
    for closed in folder.closed:
        place = f"{observed.owned_root}/{app.name}/{closed}"
        changes = [
            file
            for file in app.files
            if file.path.rpartition("/")[0] == closed
            and (file.path, file.oid, file.kind) not in there
        ]
        hint = "have it mount a folder of which the source holds no file, or a volume"
        if changes:
            message = f"cannot write into {place}: a container took it to itself"
            yield app.finding(message, app.source_path(changes[0].path), hint)
        else:
            message = (
                f"cannot look into {place}: a container took it to itself;"
                " what was installed there is taken for unchanged"
            )
            yield app.finding(message, hint=hint, fatal=False)


def _foreign_files(app: DesiredApp, observed: Observed) -> Iterator[Finding]:
    """Files that stand where the app's would be written, and that podvisor did not put there."""
    folder = observed.app(app.name)
    if folder.manifest is None and app.name in observed.applied:
        return  # of an app that was here, what lies in its folder is podvisor's
    owned = {file.path for file in folder.manifest.files} if folder.manifest else frozenset()
    wanted = {file.path: file for file in app.files}
    for there in folder.files:
        file = wanted.get(there.path)
        if file and there.path not in owned and (there.oid, there.kind) != (file.oid, file.kind):
            path = f"{observed.owned_root}/{app.name}/{there.path}"
            message = f"{path} exists already and is not podvisor's; nothing was overwritten"
            yield app.finding(message, app.source_path(file.path), "move it out of the folder")


def _taken_by(
    unit: DesiredUnit,
    app: str,
    mine: Collection[str],
    observed: Observed,
) -> tuple[str, str] | None:
    """Say what stands in a unit's way, and how to mend that."""
    for alias in unit.aliases:
        if there := observed.foreign.get(alias, ""):
            return f"unit {alias} exists already ({there})", f"take Alias={alias} out"
    path = observed.foreign.get(unit.name, "")
    if one := stranger(unit, app, observed):
        return f"{one} exists already", _mend(one)
    for pod in unit.pods:
        if _is_strangers(pod, unit, app, observed):
            mend = f"give it another metadata.name in the YAML, or `podman pod rm {pod}`"
            return f"a pod named {pod} exists already", mend
    if unit.name in mine:
        mend = f"remove {path}"
        return (f"{unit.name} is defined by {path} too", mend) if path else None
    state = observed.unit(unit.name)
    if not path and state.load == "loaded" and not _is_ours(unit.name, observed):
        path = "" if state.path.startswith(f"{observed.owned_root}/") else state.path
    if path:
        mend = f"rename one of them; or stop it and remove {path}, to have podvisor's in its place"
        if unit.name in _OWN or path.startswith(_SYSTEM):
            whose = "podvisor itself" if unit.name in _OWN else "the system's"
            mend = f"give yours another name: that one is {whose}"
        return f"unit {unit.name} exists already ({path})", mend
    if unit.kind is UnitKind.CONTAINER:
        for container in observed.inventory.containers or ():
            taken = container.name == unit.object_name and container.unit != unit.name
            if taken and not _is_ours(container.unit, observed):
                mend = f"set ContainerName= to another name, or `podman rm {container.name}`"
                return f"a container named {container.name} exists already", mend
    return None


def _is_strangers(pod: str, unit: DesiredUnit, app: str, observed: Observed) -> bool:
    """Whether somebody else made a pod that a `.kube` describes: it would be replaced."""
    inventory = observed.inventory
    if pod not in (inventory.pods or ()) or inventory.containers is None:
        return False
    known = observed.applied.get(app)
    record = known.units.get(unit.name) if known else None
    if record and f"{UnitKind.POD} {pod}" in record.claims:
        return False
    within = {container.unit for container in inventory.containers if container.pod == pod}
    return not is_owned(PodmanObject(UnitKind.POD, pod), observed) and not any(
        _is_ours(name, observed) for name in within
    )


def _mend(one: PodmanObject) -> str:
    """Say what to do about an object that somebody else made."""
    if one.kind is UnitKind.BUILD:
        return (
            "set ImageTag= to another name; or say Adopt=yes in [X-Podvisor], to have the name go"
            " to what is built here"
        )
    rename = f"set {one.kind.title()}Name= to another name"
    if one.kind is UnitKind.POD:
        return f"{rename}, or `podman pod rm {one.name}`"
    new = " for a new and empty one" if one.kind is UnitKind.VOLUME else ""
    return (
        "say Adopt=yes in [X-Podvisor], to use it as it is: podvisor then never changes or"
        f" removes it; or {rename}{new}"
    )


def _is_ours(unit: str, observed: Observed) -> bool:
    """Whether a unit is podvisor's. If another app has it, that one is giving it up.

    Else `core.desired.conflicts` would have refused whoever wants it.
    """
    is_installed = any(unit in folder.units for folder in observed.apps.values())
    return is_installed or any(unit in app.units for app in observed.applied.values())
