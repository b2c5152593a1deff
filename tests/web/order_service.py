"""Stands for a daemon that takes orders on the page."""

from typing import Any

import anyio

from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventKind
from supervisor.model.image_status import ImageReply, UpdateRequest
from supervisor.model.plan import Plan
from supervisor.model.status import (
    AppState,
    AppStatus,
    OrderRequest,
    ScaleRequest,
    Status,
    SyncReply,
    SyncRequest,
    UnitStatus,
)
from tests.web.conftest import FakeService


class OrderService(FakeService):
    """Takes orders, and remembers whose they were."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, Any, str]] = []
        self.goes_on = anyio.Event()
        self.goes_on.set()
        self.is_allowed = True
        self.refusal: Stalled | None = None
        unit = UnitStatus(name="web@1.service", active="active", sub="running", up=True)
        self.apps = (AppStatus(name="web", source="home", state=AppState.READY, units=(unit,)),)

    def page_may_order(self) -> bool:
        return self.is_allowed

    async def _take(self, what: str, wish: Any) -> SyncReply:
        self.taken.append((what, wish, ORDERED_BY.get()))
        await self.goes_on.wait()
        if self.refusal:
            raise self.refusal
        return SyncReply(apps=self.apps)

    async def sync(self, wish: SyncRequest, tell: Any) -> SyncReply:
        await tell(Event(id=7, time=1.0, kind=EventKind.APPLIED, app="web", reason="by the push"))
        return await self._take("sync", wish)

    async def rollback(self, wish: OrderRequest, _: Any) -> SyncReply:
        return await self._take("rollback", wish)

    async def resume(self, wish: OrderRequest, _: Any) -> SyncReply:
        return await self._take("resume", wish)

    async def retry(self, wish: OrderRequest, _: Any) -> SyncReply:
        return await self._take("retry", wish)

    async def scale(self, wish: ScaleRequest, _: Any) -> SyncReply:
        return await self._take("scale", wish)

    async def update(self, wish: UpdateRequest, _: Any) -> ImageReply:
        reply = await self._take("update", wish)
        return ImageReply(apps=reply.apps)

    async def suspend(self, wish: OrderRequest) -> Status:
        reply = await self._take("suspend", wish)
        return Status(running=True, version="1.2.3", apps=reply.apps)

    async def plan(self, apps: Any, *, prune_all: bool = False) -> Plan:
        await self._take("plan", (apps, prune_all))
        return Plan(steps=())
