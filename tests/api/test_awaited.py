"""What is tried for somebody who waits is given up when they hang up."""

import logging
from pathlib import Path
from typing import cast

import anyio
import pytest

from supervisor.api import control
from supervisor.controllers.operator.service import ControlService
from supervisor.model.rehearsal import RehearsalReport, RehearsalRequest

pytestmark = pytest.mark.anyio

REQUEST = (
    b"POST /v1/certificates/test HTTP/1.0\r\nHost: podvisor\r\nContent-Length: 14\r\n\r\n"
    b'{"name":"web"}'
)


class Service:
    """It tries for ever."""

    def __init__(self) -> None:
        self.begun, self.given_up = anyio.Event(), anyio.Event()

    async def test_certificate(self, request: RehearsalRequest) -> RehearsalReport:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.given_up.set()
        raise AssertionError(request)


async def test_who_hangs_up_ends_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service, path = Service(), tmp_path / "socket"
    async with anyio.create_task_group() as tasks:
        await tasks.start(control.serve, path, cast("ControlService", service))
        with anyio.fail_after(60):
            async with await anyio.connect_unix(path) as client:
                await client.send(REQUEST)
                await service.begun.wait()
                assert not service.given_up.is_set()
            await service.given_up.wait()
        tasks.cancel_scope.cancel()
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
