"""What a unit is made of, found among all that its app holds."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.plan.unit_inputs import inputs_of
from supervisor.model.source import TreeFile
from tests.fakes.machine import Machine, app, container

NOTHING = Machine().observe([])
PATHS = st.lists(
    st.lists(st.sampled_from(["a", "a-", "a.b", "b", "é"]), min_size=1, max_size=3).map("/".join),
    unique=True,
)


class Counted(tuple[TreeFile, ...]):  # noqa: SLOT001  # what it counts is its own
    """Files that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return super().__getitem__(at)

    def __iter__(self) -> Iterator[TreeFile]:
        for one in super().__iter__():
            self.looks += 1
            yield one


def test_no_unit_of_a_large_app_has_all_of_its_files_looked_at() -> None:
    number = 2_000
    units = [container(f"u{at}", reads=(f"conf/u{at}", f"u{at}.env")) for at in range(number)]
    data = {f"conf/u{at}/{name}": f"oid-{at}-{name}" for at in range(number) for name in "xy"}
    large = app("large", *units, data=data | {f"u{at}.env": f"env-{at}" for at in range(number)})
    files = Counted(large.files)
    large = msgspec.structs.replace(large, files=files)
    for at, unit in enumerate(units):
        assert inputs_of(large, unit, NOTHING).files == {
            f"conf/u{at}/x": f"oid-{at}-x",
            f"conf/u{at}/y": f"oid-{at}-y",
            f"u{at}.env": f"env-{at}",
        }
    assert files.looks < 80 * number


@given(PATHS, PATHS)
def test_a_unit_is_made_of_the_files_that_it_reads_and_of_those_of_its_folders(
    paths: list[str], reads: list[str]
) -> None:
    unit = container("web", reads=tuple(reads))
    one = app("web", unit, data={path: f"oid-{path}" for path in paths})
    assert inputs_of(one, unit, NOTHING).files == {
        path: f"oid-{path}"
        for path in paths
        if any(path == read or path.startswith(f"{read}/") for read in reads)
    }
