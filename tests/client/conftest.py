from collections.abc import Iterator

import pytest

from tests.fakes.control_service import Served, served


@pytest.fixture(scope="module")
def podvisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("podvisor")) as running:
        yield running
