"""Plan apps together: a unit that goes from one to another is always had by one, never by two.

Who gives one away keeps it until the other takes it, so that it is never without a definition while
the app that takes it waits for an image, for a job, or for another app. And none goes that another
app still needs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from supervisor.core.desired.dependencies import comes_after
from supervisor.core.desired.unit_moves import units_of
from supervisor.model.app import Deployment
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed
from supervisor.model.plan import Step, Verdict

AppPlan = tuple[list[Step], Verdict]


def plan_together(
    deployments: Sequence[Deployment],
    everyone: Mapping[str, Deployment],
    observed: Observed,
    planned: Callable[[Deployment], AppPlan],
    *,
    owners: Mapping[str, str],
) -> list[AppPlan]:
    """Plan each app by `planned`, and anew if it has to wait for another.

    `everyone` are all apps, and `owners` units with the app of these that wants each.

    Whoever has to wait with what it gives away takes nothing either, and the other way round: so
    it is asked again until nobody more has to wait.
    """
    here = {one.name: one for one in deployments}
    plans = {name: planned(one) for name, one in here.items()}
    held: set[str] = set()
    while True:
        moves = _Moves(here, everyone, observed, plans, owners)
        late = {
            name: replace(here[name], waits=(*here[name].waits, *holds), lost=moves.jobs(name))
            for name in moves.complete - held
            if (holds := tuple(moves.holds(here[name])))
        }
        if not late:
            break
        held.update(late)
        here.update(late)
        plans.update({name: planned(one) for name, one in late.items()})
    for name in here.keys() - moves.complete:
        if lost := moves.lost(here[name]):
            plans[name] = planned(replace(here[name], lost=here[name].lost | lost))
    return list(plans.values())


class _Moves:
    """Who has a unit, who wants it and who needs it, as the apps are planned by now."""

    def __init__(
        self,
        here: Mapping[str, Deployment],
        everyone: Mapping[str, Deployment],
        observed: Observed,
        plans: Mapping[str, AppPlan],
        owners: Mapping[str, str],
    ) -> None:
        self._here = here
        self._everyone = everyone
        self._observed = observed
        self._owners = owners
        self.complete = {name for name, (_, verdict) in plans.items() if verdict.complete}
        """The others keep what they have, and take nothing, anyway."""
        self._unfinished = [
            one
            for name, one in {**everyone, **here}.items()
            if name not in self.complete
            and (name in here or (one.last_good and one.wanted is not one.last_good))
        ]
        self._kept = {
            unit: one.name
            for one in self._unfinished
            for unit in (
                observed.app(one.name).units if one.name in here else units_of(one.last_good)
            )
        }

    def holds(self, one: Deployment) -> Iterator[Need]:
        """Say what an app has to wait for before it gives units away, takes some, or ends some."""
        said = set()
        for other, unit, why in (*self._needed(one), *self._given(one), *self._taken(one)):
            if (other, why) not in said:
                said.add((other, why))
                text = f"waits for app {other}, which {why} {unit}"
                yield Need(kind=NeedKind.MOVE, subject=unit, text=text, app=other)

    def _needed(self, one: Deployment) -> Iterator[tuple[str, str, str]]:
        """One that comes after this app must not be waited for: one of the two must begin."""
        goes = sorted(unit for unit in self._leaving(one) if unit not in self._owners)
        for user in self._unfinished if goes else ():
            is_later = user.wanted and any(x.app == one.name for x in user.wanted.options.after)
            if user is not one and not is_later:
                needs = {x for unit in units_of(user.way_back).values() for x in unit.requires}
                yield from ((user.name, unit, "still needs") for unit in goes if unit in needs)

    def _given(self, one: Deployment) -> Iterator[tuple[str, str, str]]:
        """What its taker has already, or gets now, need not be kept for it.

        Neither need it if it comes after an app that has it, so that one of the two must begin.
        """
        for unit in self._leaving(one):
            taker = self._owners.get(unit)
            if taker is None or taker in self.complete:
                continue
            before = map(self._everyone.get, comes_after(taker, self._everyone))
            if not any(other and unit in units_of(other.last_good) for other in before):
                yield taker, unit, "takes over"

    def _taken(self, one: Deployment) -> Iterator[tuple[str, str, str]]:
        """Of two files of one name Podman would take either."""
        for unit in units_of(one.wanted):
            giver = self._kept.get(unit, one.name)
            if giver != one.name:
                suspended = giver in self._observed.suspended
                yield giver, unit, "is suspended and has" if suspended else "still has"

    def _leaving(self, one: Deployment) -> list[str]:
        stays = units_of(one.wanted)
        return [unit for unit in self._observed.app(one.name).units if unit not in stays]

    def jobs(self, name: str) -> frozenset[str]:
        """Return other apps' jobs: one runs as it is where it is wanted, whoever has it else."""
        return frozenset(
            unit.name
            for one in self._here.values()
            if one.wanted and one.name != name
            for unit in one.wanted.units
            if unit.before_deploy
        )

    def lost(self, one: Deployment) -> frozenset[str]:
        """Return units that an app gave away, and that its way back cannot bring back.

        Others have them. Who is taken back at the same time gives back.
        """
        mine = self._observed.app(one.name).units
        return frozenset(
            unit
            for unit in units_of(one.way_back)
            if unit not in mine and self._is_had_by(self._owners.get(unit, one.name), unit, one)
        )

    def _is_had_by(self, owner: str, unit: str, giver: Deployment) -> bool:
        if owner == giver.name:
            return False
        other = self._here.get(owner)
        if other is None:
            return True
        was_theirs = unit in units_of(other.last_good)
        theirs = self._observed.app(owner).units
        return unit in theirs and (owner in self.complete or was_theirs)
