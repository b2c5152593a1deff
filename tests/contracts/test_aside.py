"""The `Aside` port: where the work is done, and that what it raises is raised."""

from typing import Any

import pytest

from supervisor.controllers.ports import Aside
from supervisor.kit.threads import aside
from tests.fakes.ports import at_once

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[at_once, aside])
def place(request: Any) -> Aside:
    made: Aside = request.param
    return made


@pytest.mark.parametrize("items", [0, 1, 100_000])
async def test_what_the_work_returns_or_raises_comes_back(place: Aside, items: int) -> None:
    assert await place(lambda: items + 1, items=items) == items + 1
    with pytest.raises(ZeroDivisionError):
        await place(lambda: items // 0, items=items)
