"""Orders that are open at once, and answer at one port."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from supervisor.adapters.acme.issuer import AcmeCertificates
from supervisor.model.acme import Order, Pair
from supervisor.model.certificate import Challenge
from supervisor.model.errors import Retry
from tests.fakes.acme_orders import order_at, with_terms
from tests.fakes.acme_server import AcmeServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def order(server: AcmeServer, folder: Path, name: str, listen: str) -> Order:
    made = with_terms(order_at(server, folder), domains=(f"{name}.example.org",))
    return replace(made, name=name, folder=str(folder / name), listen=listen)


def children() -> list[int]:
    """Processes that this one has started."""
    found = []
    for place in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (place / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == os.getpid() and words[0] != "Z":
                found.append(int(place.name))
    return found


async def test_they_have_it_one_after_the_other(
    server: AcmeServer, tmp_path: Path, port: int
) -> None:
    """By HTTP and by TLS, and however the address is written."""
    issuer = AcmeCertificates(accounts=tmp_path / "accounts")
    orders = [order(server, tmp_path, name, f"127.0.0.1:{port}") for name in ("a", "b")]
    orders.append(order(server, tmp_path, "c", f"0.0.0.0:{port}"))
    by_tls = order(server, tmp_path, "d", f":{port}")
    orders.append(replace(by_tls, challenge=Challenge.TLS_ALPN))
    answers: dict[str, object] = {}

    async def have(one: Order) -> None:
        answers[one.name] = await issuer.issue(one)

    async with anyio.create_task_group() as tasks:
        for one in orders:
            tasks.start_soon(partial(have, one))
    assert [type(answers[one.name]) for one in orders] == [Pair] * 4, answers


async def test_a_process_that_dies_with_it_keeps_nobody_from_it(
    server: AcmeServer, tmp_path: Path, port: int
) -> None:
    issuer = AcmeCertificates(accounts=tmp_path / "accounts")
    killed: list[int] = []

    def hears(_: int) -> bool:
        if server.requests[-1] != "challenge" or killed:
            return True
        killed.extend(children())
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return False

    server.hears = hears
    first, second = (order(server, tmp_path, name, f"127.0.0.1:{port}") for name in ("a", "b"))
    with pytest.raises(Retry, match="cannot have a certificate issued for a"):
        await issuer.issue(first)
    assert len(killed) == 1
    for one in (second, first):
        answer = await issuer.issue(one)
        assert isinstance(answer, Pair), answer
    assert len(server.orders) == 2, "the first one went on"
