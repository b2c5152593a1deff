"""The order between apps (`[X-Podvisor] After=app:db`): who is refused for it, and who waits.

`controllers.desired.desired_state` asks who is refused, `controllers.apps.reconciler` who waits
before each plan. It is about changes only: what runs already keeps running, and at boot systemd
alone starts things.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from supervisor.kit.graph import reachable
from supervisor.kit.texts import nearest
from supervisor.model.app import AfterApp, Deployment, DesiredApp
from supervisor.model.errors import Finding
from supervisor.model.need import Need, NeedKind
from supervisor.model.quadlet import UnitKind
from supervisor.model.status import AppState, AppStatus

_SETTLED = frozenset({AppState.READY, AppState.INACTIVE, AppState.HELD, AppState.KEPT})
_WHY = {
    AppState.REFUSED: ", which is refused",
    AppState.FAILING: ", which is failing",
    AppState.REVERTED: ", of which the newest revision failed",
    AppState.SUSPENDED: ", which is suspended",
}


def refused_for_order(
    apps: Mapping[str, DesiredApp], known: Collection[str]
) -> dict[str, tuple[Finding, ...]]:
    """Apps that can never have their turn: they wait for an app that nobody has, or in a circle."""
    needs = {
        name: {need.app: need for need in one.options.after}
        for name, one in apps.items()
        if one.options.after
    }
    refused: dict[str, tuple[Finding, ...]] = {}
    for name, mine in needs.items():
        findings = []
        for need in mine.values():
            if need.app not in known:
                close = nearest(need.app, known)
                hint = f"did you mean app:{close}?" if close else "podvisor status lists the apps"
                message = f"there is no app {need.app} to come after"
                findings.append(apps[name].finding(message, need.path, hint, line=need.line))
        if circle := _circle(name, needs):
            words = ", ".join(f"{one} comes after {other}" for one, other in pairwise(circle))
            hint = "take out one After="
            need = mine[circle[1]]
            findings.append(
                apps[name].finding(f"a circle: {words}", need.path, hint, line=need.line)
            )
        if findings:
            refused[name] = tuple(findings)
    return refused


def waits_for(
    deployment: Deployment,
    everything: Mapping[str, Deployment],
    standing: Mapping[str, AppStatus],
    *,
    unseen_is_ready: bool = False,
) -> Iterator[Need]:
    """Say what keeps an app's change waiting: apps that are not ready at their newest revision.

    `standing` is how apps were after their last pass. Of one that is not in it nobody knows more
    than what is installed; `unseen_is_ready` says to be content with that.
    """
    wanted = deployment.wanted
    for name in dict.fromkeys(need.app for need in wanted.options.after) if wanted else ():
        other = everything.get(name)
        # A kept app has nothing newer: its source holds it no more, or cannot be read.
        newest = other.wanted or (other.last_good if other.keep else None) if other else None
        status = standing.get(name)
        if newest and status is None and unseen_is_ready:
            installed = other.last_good.content if other and other.last_good else ""
            is_ready = installed == newest.content
        else:
            is_ready = (
                newest is not None
                and status is not None
                and status.revision == newest.revision
                and status.state in _SETTLED
            )
        if not is_ready:
            state = AppState.REFUSED if not newest else status.state if status else None
            why = _WHY.get(state, "") if state else ""
            text = f"waits for app {name}{why}"
            yield Need(kind=NeedKind.APP, subject=name, text=text, app=name)


def held_by(names: Collection[str], everything: Mapping[str, Deployment]) -> Iterator[str]:
    """Yield the apps that come after one of these."""
    for other, one in everything.items():
        if one.wanted and any(need.app in names for need in one.wanted.options.after):
            yield other


def comes_after(name: str, everything: Mapping[str, Deployment]) -> frozenset[str]:
    """Return the app itself, those that it comes after, those that they come after, and so on."""

    def directly(one: str) -> Iterator[str]:
        wanted = everything[one].wanted if one in everything else None
        return (need.app for need in (wanted.options.after if wanted else ()))

    return frozenset(reachable([name], directly))


def depends_on(names: Collection[str], everything: Mapping[str, Deployment]) -> frozenset[str]:
    """Return these apps, those that they come after, or of which theirs need units, and so on."""
    owners = {unit: name for name, one in everything.items() for unit in one.runtime_names}
    makers = {
        unit.object_name: name
        for name, one in everything.items()
        for unit in one.units
        if unit.kind is UnitKind.NETWORK
    }

    def directly(name: str) -> Iterator[str]:
        if (one := everything.get(name)) is None:
            return
        yield from (need.app for need in (one.wanted.options.after if one.wanted else ()))
        for unit in one.units:
            yield from (owners[need] for need in unit.requires if need in owners)
            yield from (makers[network] for network in unit.networks if network in makers)

    return frozenset(reachable(names, directly))


def _circle(start: str, needs: Mapping[str, Mapping[str, AfterApp]]) -> list[str]:
    """Return the shortest way from an app back to itself, with it at both ends; empty if none."""
    ways, seen = [[start]], set()
    for way in ways:  # grows
        for other in needs.get(way[-1], ()):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []
