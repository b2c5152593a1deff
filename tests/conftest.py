"""What all tests share: asynchronous ones run on the stdlib's loop, none runs against time."""

import gc
import time
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import ALL

# A machine may be slow, and the first text of a property takes a second where nothing is cached.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
# A property says the same at each run of one tree; `contrib/test fuzz` looks for what is new.
settings.register_profile("same", settings.get_profile("patient"), derandomize=True)
settings.register_profile("fuzz", settings.get_profile("patient"), print_blob=True)
# For a Python that is not the only one: where it differs, nearly every example shows it.
settings.register_profile("tenth", settings.get_profile("same"), max_examples=ALL // 10)
settings.load_profile("same")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage meanwhile: all that is made stays.

    It must not be frozen then: Hypothesis asks the collector who holds a generator of numbers.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        # So many objects are there then that each look takes long.
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def set_zone(monkeypatch):
    """Sets the machine's time zone, of which no running program is told."""
    yield lambda name: monkeypatch.setenv("TZ", name)
    monkeypatch.undo()
    time.tzset()
