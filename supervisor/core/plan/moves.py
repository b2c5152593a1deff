"""Plan apps together: a unit that goes from one to another is always had by one, never by two.

Who gives one away keeps it until the other takes it, so that it is never without a definition while
the app that takes it waits for an image, for a job, or for another app. And none goes that another
app still needs.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from supervisor.core.desired.dependencies import comes_after
from supervisor.core.desired.unit_moves import units_of
from supervisor.model.app import Deployment
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Observed
from supervisor.model.plan import Step, Verdict

AppPlan = tuple[list[Step], Verdict]


class _Tie(NamedTuple):
    """An app that is not to change before another does."""

    app: str
    other: str
    why: str


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
    ties: dict[_Tie, str] = {}
    for tie, unit in _ties(here, everyone, observed, owners):
        ties.setdefault(tie, unit)
    units = ((name, unit) for name, one in here.items() for unit in units_of(one.wanted).values())
    jobs = {unit.name: name for name, unit in units if unit.before_deploy}
    held: set[str] = set()
    while True:
        # Those that are not complete keep what they have, and take nothing, anyway.
        complete = {name for name, (_, verdict) in plans.items() if verdict.complete}
        late: dict[str, list[Need]] = {}
        for tie, unit in ties.items():
            if tie.app in complete - held and tie.other not in complete:
                text = f"waits for app {tie.other}, which {tie.why} {unit}"
                need = Need(kind=NeedKind.MOVE, subject=unit, text=text, app=tie.other)
                late.setdefault(tie.app, []).append(need)
        if not late:
            break
        held.update(late)
        for name, needs in late.items():
            # Another app's job runs as it is where it is wanted, whoever has it else.
            lost = frozenset(unit for unit, owner in jobs.items() if owner != name)
            here[name] = replace(here[name], waits=(*here[name].waits, *needs), lost=lost)
            plans[name] = planned(here[name])
    for name in here.keys() - complete:
        if lost := _lost(here[name], here, observed, owners, complete):
            plans[name] = planned(replace(here[name], lost=here[name].lost | lost))
    return list(plans.values())


def _ties(
    here: Mapping[str, Deployment],
    everyone: Mapping[str, Deployment],
    observed: Observed,
    owners: Mapping[str, str],
) -> Iterator[tuple[_Tie, str]]:
    """Yield which of the apps `here` is not to change before which other, and for which unit.

    Of two of which each comes after the other in some way, one must begin: whoever has what an app
    takes that comes after it gives it up, and what is needed by one that comes after goes.
    """
    apps = {**everyone, **here}.values()
    some = [one for one in apps if one.name in here or one.wanted is not one.last_good]
    for one in some:
        name = one.name
        has = observed.app(name).units if name in here else units_of(one.last_good)
        leaving = sorted(set(has) - units_of(one.wanted).keys())
        takers = {unit: owners[unit] for unit in leaving if owners.get(unit, name) != name}
        why = "is suspended and has" if name in observed.suspended else "still has"
        yield from (
            (_Tie(taker, name, why), unit) for unit, taker in takers.items() if taker in here
        )
        if name not in here:
            continue
        for unit, taker in takers.items():
            before = map(everyone.get, comes_after(taker, everyone))
            if not any(other and unit in units_of(other.last_good) for other in before):
                yield _Tie(name, taker, "takes over"), unit
        ending = [unit for unit in leaving if unit not in owners]
        for user in some if ending else ():
            is_later = user.wanted and any(x.app == name for x in user.wanted.options.after)
            needs = user.last_good.needs if user.last_good else frozenset()
            if user is not one and not is_later:
                yield from (
                    (_Tie(name, user.name, "still needs"), unit) for unit in ending if unit in needs
                )


def _lost(
    one: Deployment,
    here: Mapping[str, Deployment],
    observed: Observed,
    owners: Mapping[str, str],
    complete: Collection[str],
) -> frozenset[str]:
    """Return units that an app gave away and cannot have back: others have them for good.

    Who is taken back at the same time gives back.
    """

    def is_had_by(owner: str, unit: str) -> bool:
        other = here.get(owner)
        if other is None:
            return True
        was_theirs = unit in units_of(other.last_good)
        return unit in observed.app(owner).units and (owner in complete or was_theirs)

    gone = units_of(one.way_back).keys() - observed.app(one.name).units
    owned = ((unit, owners.get(unit, one.name)) for unit in gone)
    return frozenset(unit for unit, by in owned if by != one.name and is_had_by(by, unit))
