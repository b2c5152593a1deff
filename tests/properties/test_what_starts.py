"""What starts an app's units is the same, whether it is planned by itself or with all others."""

from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.core.plan import planner
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.quadlet import UnitKind
from tests.fakes.machine import Machine, app

NAMES = ("a.service", "b.service", "mine.target", "c.service", "d.timer", "e.service")
OWNERS = {"a.service": "one", "b.service": "one", "mine.target": "two", "c.service": "two"}
STARTED_BY = st.frozensets(st.sampled_from((*NAMES, "default.target")), max_size=2).map(sorted)


def made_of(says: dict[str, dict[str, list[str]]]) -> list[DesiredApp]:
    """Three apps of two units each, by what each unit says."""
    made: dict[str, list[DesiredUnit]] = {"one": [], "two": [], "three": []}
    for name in NAMES:
        said = {key: tuple(names) for key, names in says.get(name, {}).items()}
        unit = DesiredUnit(name=name, path=name, kind=UnitKind.PLAIN, digest="1", **said)
        made[OWNERS.get(name, "three")].append(unit)
    return [app(name, *units) for name, units in made.items()]


SAID = st.fixed_dictionaries(
    {}, optional={"requires": STARTED_BY, "starts": STARTED_BY, "wanted_by": STARTED_BY}
)
apps = st.fixed_dictionaries(dict.fromkeys(NAMES, SAID)).map(made_of)
BY_ANOTHERS_INSTALL = made_of(
    {
        "a.service": {"wanted_by": ["e.service"]},
        "e.service": {"wanted_by": ["default.target"]},
    }
)


@given(apps, st.sampled_from(["new", "good"]))
@example(BY_ANOTHERS_INSTALL, "good")
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
