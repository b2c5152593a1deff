"""Two apps that want the same name: the one that runs keeps it, the other is refused."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from supervisor.model.app import Candidate, DesiredApp
from supervisor.model.certificate_secret import certificate_secret
from supervisor.model.errors import Finding
from supervisor.model.source import AppRevision

_Key = TypeVar("_Key", str, tuple[str, str])
_NAME = "another name"
_OTHER = {"certificate folder": "another Directory="}
"""What to give one of two, by what both define."""


def app_conflicts(
    candidates: Iterable[Candidate], holders: Mapping[str, str]
) -> tuple[list[Candidate], dict[str, tuple[Finding, ...]]]:
    """Refuse candidates whose app name or Quadlet files another one has as well.

    `holders` maps app names to the source that they were applied from, if any: it goes first, and
    of those that are all new none does. Returns the candidates that may go on, and the refused
    apps. Where two sources hold the name of an app that is here, only the second *source* loses:
    the finding names both (`SOURCE/APP`), the app itself goes on.
    """
    refused: dict[str, list[Finding]] = defaultdict(list)
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for one in sorted(
        candidates, key=lambda one: (holders.get(one.name) != one.source, one.source)
    ):
        by_name[one.name].append(one)
    kept: list[Candidate] = []
    for name, (first, *others) in by_name.items():
        kept.append(first)
        for one in others:
            message = f"sources {first.source} and {one.source} both hold an app named {name}"
            hint = f"rename one folder, or exclude {name} from a source"
            key = f"{one.source}/{name}" if holders.get(name) == first.source else name
            refused[key].append(one.finding(message, one.root, hint))
    roots = {one.name: one for one in kept}
    for app, other, base in _clashes({one.name: one.quadlets for one in kept}, holders):
        path = roots[app].quadlets[base]
        places = _places(roots[other], roots[other].quadlets[base], roots[app], path)
        message = f"apps {other} and {app} both define {base} ({places})"
        place = roots[app].source_path(path)
        refused[app].append(roots[app].finding(message, place, _hint(app, other, holders)))
    return (
        [one for one in kept if one.name not in refused],
        {name: tuple(findings) for name, findings in refused.items()},
    )


def unit_conflicts(
    apps: Mapping[str, DesiredApp],
    holders: Collection[str],
    standing: Iterable[DesiredApp] = (),
) -> dict[str, tuple[Finding, ...]]:
    """Apps to refuse since a unit or Podman object of theirs has a name that another app has.

    `standing` are apps as they run now, whose newest state is refused or whose source is silent:
    what they have is taken.
    """
    names = {app: one.claims for app, one in apps.items()}
    taken = {key: (one, path) for one in standing for key, path in one.claims.items()}
    refused: dict[str, list[Finding]] = defaultdict(list)
    said = set[tuple[str, str, str, str]]()

    def refuse(app: str, other: DesiredApp, key: tuple[str, str], there: str) -> None:
        path = names[app][key]
        files = app, path, other.name, there
        # Two files of one unit make one container, too.
        if files in said or _is_of(key, there=other.claims, here=names[app]):
            return
        said.add(files)
        places = _places(other, there, apps[app], path)
        message = f"apps {other.name} and {app} both define the {key[0]} {key[1]} ({places})"
        by_alias = any(key[1] in unit.aliases for unit in (*other.units, *apps[app].units))
        what = "another name (an Alias= is one)" if by_alias else _OTHER.get(key[0], _NAME)
        hint = _hint(app, other.name, holders, what)
        refused[app].append(apps[app].finding(message, apps[app].source_path(path), hint))

    for app in apps:
        for key in sorted(names[app].keys() & taken.keys(), key=_units_first):
            refuse(app, taken[key][0], key, taken[key][1])
    left = {app: some for app, some in names.items() if app not in refused}
    for app, other, key in _clashes(left, holders):
        refuse(app, apps[other], key, names[other][key])
    return {app: tuple(findings) for app, findings in refused.items()}


def _is_of(
    key: tuple[str, str],
    *,
    there: Mapping[tuple[str, str], str],
    here: Mapping[tuple[str, str], str],
) -> bool:
    """Whether it is a secret of the same two certificates as one that is said anyway."""
    kind, name = key
    bare = kind, certificate_secret(name)
    return (
        key != bare
        and kind == "secret"
        and (there.get(bare), here.get(bare)) == (there[key], here[key])
    )


def _clashes(
    names: Mapping[str, Mapping[_Key, str]], holders: Collection[str]
) -> Iterator[tuple[str, str, _Key]]:
    """Yield each app that loses a name, with the other that has it.

    Of several that are here already the first keeps it; of several new ones each loses it, since
    nothing says which of them is meant.
    """
    if len(set().union(*names.values())) == sum(map(len, names.values())):
        return  # each name is one app's
    taken: dict[_Key, str] = {}
    wanting: dict[_Key, list[str]] = defaultdict(list)
    for app in sorted(names, key=lambda app: (app not in holders, app)):
        lost = names[app].keys() & taken.keys()
        yield from ((app, taken[key], key) for key in sorted(lost, key=_units_first))
        if lost:
            continue
        if app in holders:
            taken.update(dict.fromkeys(names[app], app))
        else:
            for key in names[app]:
                wanting[key].append(app)
    for key, some in wanting.items():
        for app in some if len(some) > 1 else ():
            yield app, next(other for other in some if other != app), key


def _units_first(key: str | tuple[str, str]) -> tuple[bool, str | tuple[str, str]]:
    return key[0] != "unit", key


def _places(one: AppRevision, path: str, other: AppRevision, other_path: str) -> str:
    """Say where two files stand, with their sources where these are not the same."""
    both = ((one, one.source_path(path)), (other, other.source_path(other_path)))
    if one.source != other.source:
        return " and ".join(f"{place} of source {app.source}" for app, place in both)
    return " and ".join(place for _, place in both)


def _hint(app: str, other: str, holders: Collection[str], what: str = _NAME) -> str:
    if app in holders and other in holders:
        return f"give one of them {what}"
    those = app if other in holders else f"{app} or {other}"
    return f"give one of them {what}, or `exclude` app {those} in the settings"
