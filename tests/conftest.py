"""What all tests share: asynchronous ones run on the stdlib's loop, none runs against time."""

import pytest
from hypothesis import HealthCheck, settings

# A machine may be slow, and the first text of a property takes a second where nothing is cached.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
