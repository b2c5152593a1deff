"""Two apps that want the same name: the one that runs keeps it, the other is refused."""

from collections.abc import Iterable, Mapping

from supervisor.core.names import unit_kind
from supervisor.core.overlay import source_path
from supervisor.model.app import Candidate, DesiredApp
from supervisor.model.errors import Finding


def app_conflicts(
    candidates: Iterable[Candidate], holders: Mapping[str, str]
) -> tuple[list[Candidate], dict[str, tuple[Finding, ...]]]:
    """Refuse candidates whose app name or unit files another one has already.

    `holders` maps app names to the source that they were applied from, if any: it goes first.
    Returns the candidates that may go on, and the refused apps. Where two sources hold one app
    name, only the second *source* loses: the finding names both, the app itself goes on.
    """
    order = sorted(
        candidates,
        key=lambda one: (one.name not in holders, holders.get(one.name) != one.source, one.source),
    )
    kept: list[Candidate] = []
    refused: dict[str, tuple[Finding, ...]] = {}
    sources: dict[str, Candidate] = {}
    files: dict[str, Candidate] = {}
    for one in order:
        first = sources.get(one.name)
        if first is not None:
            message = f"sources {first.source} and {one.source} both hold an app named {one.name}"
            hint = f"rename one folder, or exclude {one.name} from a source"
            refused[f"{one.source}/{one.name}"] = (_finding(one, message, one.root, hint),)
            continue
        sources[one.name] = one
        clashes = []
        own = {f.path.rpartition("/")[2]: f.path for f in one.files if unit_kind(f.path)}
        for base, path in own.items():
            other = files.get(base)
            if other is not None:
                message = f"apps {other.name} and {one.name} both define {base}"
                place = source_path(one, path)
                clashes.append(_finding(one, message, place, "rename one of the files"))
        if clashes:
            refused[one.name] = tuple(clashes)
            continue
        files.update(dict.fromkeys(own, one))
        kept.append(one)
    return kept, refused


def unit_conflicts(
    apps: Mapping[str, DesiredApp], holders: Iterable[str], standing: Iterable[DesiredApp] = ()
) -> dict[str, tuple[Finding, ...]]:
    """Apps to refuse since a unit or Podman object of theirs has a name that another app has.

    `standing` are apps as they run now, whose newest state is refused or whose source is silent:
    what they have is taken.
    """
    first_go = frozenset(holders)
    taken: dict[tuple[str, str], tuple[str, str]] = {}
    for one in standing:
        taken.update({key: (one.name, path) for key, path in _names(one).items()})
    refused: dict[str, tuple[Finding, ...]] = {}
    for app in sorted(apps, key=lambda name: (name not in first_go, name)):
        one = apps[app]
        names = _names(one)
        clashes = [
            Finding(
                message=f"apps {taken[key][0]} and {app} both define the {key[0]} {key[1]}"
                f" ({taken[key][1]} and {path})",
                source=one.source,
                app=app,
                path=source_path(one, path),
                hint="give one of them another name",
            )
            for key, path in names.items()
            if key in taken
        ]
        if clashes:
            refused[app] = tuple(clashes)
            continue
        taken.update({key: (app, path) for key, path in names.items()})
    return refused


def _names(app: DesiredApp) -> dict[tuple[str, str], str]:
    """What an app's units are called, in systemd and in Podman, with the file of each."""
    names = {}
    for unit in app.units:
        names["unit", unit.name] = unit.path
        if unit.object_name and "%" not in unit.object_name:
            names[unit.kind.value, unit.object_name] = unit.path
    for secret in app.secrets:
        names["secret", secret.name] = secret.path
    return names


def _finding(one: Candidate, message: str, path: str, hint: str) -> Finding:
    return Finding(message=message, source=one.source, app=one.name, path=path, hint=hint)
