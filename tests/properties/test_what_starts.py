"""What starts an app's units is the same, whether it is planned by itself or with all others."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.plan import planner
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.quadlet import UnitKind
from tests.fakes.machine import Machine, app

NAMES = ("a.service", "b.service", "mine.target", "c.service", "d.timer", "e.service")
OWNERS = {"a.service": "one", "b.service": "one", "mine.target": "two", "c.service": "two"}
STARTED_BY = st.frozensets(st.sampled_from((*NAMES, "default.target")), max_size=2).map(sorted)


@st.composite
def apps(draw: st.DrawFn) -> list[DesiredApp]:
    """Three apps of two units each, that start each other's in any way."""
    made: dict[str, list[DesiredUnit]] = {"one": [], "two": [], "three": []}
    for name in NAMES:
        unit = DesiredUnit(
            name=name,
            path=name,
            kind=UnitKind.PLAIN,
            digest="1",
            requires=tuple(draw(STARTED_BY)),
            starts=tuple(draw(STARTED_BY)),
            wanted_by=tuple(one for one in draw(STARTED_BY) if one.endswith(".target")),
        )
        made[OWNERS.get(name, "three")].append(unit)
    return [app(name, *units) for name, units in made.items()]


@given(apps(), st.sampled_from(["new", "good"]))
def test_an_app_by_itself_has_what_it_has_among_all(some: list[DesiredApp], here: str) -> None:
    everyone = {
        one.name: Deployment(name=one.name, wanted=one, last_good=one if here == "good" else None)
        for one in some
    }
    observed = Machine().observe(list(everyone.values()))
    together = planner.plan(list(everyone.values()), observed, 0.0)
    for verdict in together.verdicts:
        alone = planner.plan([everyone[verdict.app]], observed, 0.0, everyone=everyone)
        assert alone.verdicts[0].unstarted == verdict.unstarted
