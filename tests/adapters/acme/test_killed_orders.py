"""A process that is killed at any moment: the next one goes on, and nothing is ordered twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from supervisor.adapters.acme import issue as module
from supervisor.model.acme import AcmeIssuer, Order, OrderAnswer
from supervisor.model.certificate import CertificateTerms, Challenge
from tests.fakes.acme_server import AcmeServer

MOST = 40
"""Requests that an order takes, and some."""


@pytest.fixture
def server() -> Iterator[AcmeServer]:
    made = AcmeServer()
    yield made
    made.close()


def order_in(folder: Path, server: AcmeServer) -> Order:
    return Order(
        name="web",
        folder=str(folder / "web"),
        accounts=str(folder / "accounts"),
        issuer=AcmeIssuer(name="fake", directory=server.directory),
        terms=CertificateTerms(domains=("example.org",), issuer="fake"),
        challenge=Challenge.HTTP,
        listen="127.0.0.1:0",
        timeout_seconds=300.0,
        resolvers=("127.0.0.1:0",),  # nobody
    )


def answer_of(order: Order, server: AcmeServer, *, killed_at: int) -> OrderAnswer | None:
    """Ask a process that is killed at its request of this number, when that was done."""
    before = len(server.requests)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )

    def hears(number: int) -> bool:
        if number - before != killed_at:
            return True
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False

    server.hears = hears
    output, _ = process.communicate(msgspec.msgpack.encode(order), timeout=300)
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0
    return msgspec.msgpack.decode(output, type=OrderAnswer)


def test_an_order_is_brought_to_its_end_by_one_process_after_the_other(
    server: AcmeServer, tmp_path: Path
) -> None:
    server.processing = 1
    order = order_in(tmp_path, server)
    others = msgspec.structs.replace(order.terms, domains=("example.com",))
    elsewhere = msgspec.structs.replace(order, folder=str(tmp_path / "other"), terms=others)
    assert answer_of(elsewhere, server, killed_at=0)
    answer = None
    for number in range(1, MOST):
        answer = answer_of(order, server, killed_at=number)
        if answer is not None:
            break
    assert answer
    assert answer.pair, answer.refusal
    assert server.requests.count("directory") > 6
    assert (len(server.accounts), len(server.orders), len(server.chains)) == (1, 2, 2)
    again = answer_of(order, server, killed_at=0)
    assert again
    assert again.pair == answer.pair  # nobody kept it
    assert (len(server.orders), len(server.chains)) == (2, 2)


def test_an_issuer_that_lists_no_orders_makes_no_certificate_twice(
    server: AcmeServer, tmp_path: Path
) -> None:
    server.lists_orders = False
    order = order_in(tmp_path, server)
    for number in (4, 10, 11):  # the order is made, is ready, and is issued
        answer_of(order, server, killed_at=number)
    answer = answer_of(order, server, killed_at=0)
    assert answer
    assert answer.pair, answer.refusal
    assert server.requests.count("newOrder") == 2
    assert len(server.chains) == 1
