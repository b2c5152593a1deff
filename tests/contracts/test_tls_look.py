"""TlsLook: which certificate a server serves."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.certificates.tls_look import TlsClient
from supervisor.controllers.ports import TlsLook
from supervisor.model.errors import Retry
from tests.fakes.certificates import FakeTlsLook
from tests.fakes.tls_server import TlsServer

pytestmark = pytest.mark.anyio


class FakeSide:
    url = "https://127.0.0.1:8443"

    def __init__(self, folder: Path) -> None:
        self.look = FakeTlsLook()

    def serves(self, text: str) -> str:
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self.look.servers[self.url] = lambda: fingerprint
        return fingerprint

    def is_gone(self) -> None:
        del self.look.servers[self.url]

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.look = TlsClient()
        self.server = TlsServer(folder)
        self.url = self.server.url

    def serves(self, text: str) -> str:
        return self.server.show(text)

    def is_gone(self) -> None:
        self.server.close()

    def close(self) -> None:
        self.server.close()


Side = FakeSide | RealSide


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any, tmp_path: Path) -> Iterator[Side]:
    made: Side = request.param(tmp_path)
    yield made
    made.close()


async def test_what_is_served_is_told_whoever_signed_it(side: Side) -> None:
    look: TlsLook = side.look
    first = side.serves("first")
    assert await look.served(side.url, "web.example.org") == first
    second = side.serves("second")
    assert await look.served(side.url, "web.example.org") == second != first


async def test_nobody_there_is_told(side: Side) -> None:
    look: TlsLook = side.look
    side.serves("first")
    side.is_gone()
    with pytest.raises(Retry, match=f"cannot look at what {side.url} serves: connection refused"):
        await look.served(side.url, "web.example.org")
