"""The `Prober` port."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from supervisor.adapters.host.probe import NetworkProber
from supervisor.controllers.ports import Prober
from supervisor.model.health import Probe
from tests.fakes.ports import FakeProber
from tests.fakes.web import Web

pytestmark = pytest.mark.anyio


class FakeSide:
    port = 8080

    def __init__(self) -> None:
        self.prober = FakeProber()
        self.target = f"http://127.0.0.1:{self.port}/health"

    def is_gone(self) -> None:
        self.prober.failures[self.target] = "Connection refused"

    def hangs(self) -> None:
        self.prober.silent.add(self.target)

    def fails(self) -> None:
        self.prober.failures[self.target] = "503 Service Unavailable"

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self) -> None:
        self.prober = NetworkProber()
        self.web = Web()
        self.port = self.web.port
        self.target = f"{self.web.url}/health"

    def is_gone(self) -> None:
        self.web.close()

    def hangs(self) -> None:
        self.web.hang()

    def fails(self) -> None:
        self.web.status = 503

    def close(self) -> None:
        self.web.close()


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any) -> Iterator[FakeSide | RealSide]:
    made = request.param()
    yield made
    made.close()


async def probe(side: FakeSide | RealSide, *, seconds: float = 60.0) -> str:
    """How a probe ends: in words, whatever happens; it never raises."""
    prober: Prober = side.prober
    asked = Probe(
        target=side.target,
        scheme="http",
        host="127.0.0.1",
        port=side.port,
        path="/health",
        timeout=seconds,
    )
    with anyio.fail_after(60):
        return await prober.probe(asked)


async def test_a_good_answer_needs_no_words(side: FakeSide | RealSide) -> None:
    assert await probe(side) == ""
    assert await probe(side) == ""


async def test_a_bad_answer_is_told(side: FakeSide | RealSide) -> None:
    side.fails()
    assert await probe(side) == "503 Service Unavailable"


async def test_nobody_there_is_told(side: FakeSide | RealSide) -> None:
    side.is_gone()
    assert await probe(side) == "Connection refused"


async def test_no_answer_is_told_within_its_time(side: FakeSide | RealSide) -> None:
    side.hangs()
    assert await probe(side, seconds=0.2) == "no answer within 0.2 s"
