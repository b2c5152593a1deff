"""What people ask about certificates, and order of them. Part of `controllers.operator.service`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.certificate_news import CertificateNews
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.certificate import (
    CertificateList,
    CertificateRecord,
    RenewRequest,
    RevokeRequest,
    Stage,
)

if TYPE_CHECKING:
    from supervisor.controllers.certificates.actions import CertificateActions

_PATIENCE_SECONDS = 180.0
"""How long an order is waited for until it is served; it goes on afterwards."""
_SOON_SECONDS = 5.0
"""What is looked at again so soon is waited for."""


class CertificateService(msgspec.Struct, frozen=True, kw_only=True):
    """One for the daemon. Orders end with what came of them, and return how it stands then."""

    news: CertificateNews
    actions: "Callable[[], CertificateActions]"
    """Loads what takes orders."""
    queue: WorkQueue
    ledger: Ledger

    async def list(self) -> CertificateList:
        """How all certificates stand."""
        return CertificateList(certificates=self.news.statuses())

    async def renew(self, request: RenewRequest) -> CertificateList:
        """Have another one. Raises Stalled if no app asks for it."""
        self.actions().renew(request.name, at_once=request.now)
        return await self._bring_on(request.name)

    async def revoke(self, request: RevokeRequest) -> CertificateList:
        """Have the current one declared void, and another one. Raises Retry or Stalled."""
        await self.actions().revoke(request.name)
        return await self._bring_on(request.name)

    async def _bring_on(self, name: str) -> CertificateList:
        """Wait until it is served, or waits for something itself; those who use it, too."""
        key, actions = Kind.CERTIFICATE.key(name), self.actions()
        rests = 0
        with anyio.move_on_after(_PATIENCE_SECONDS):
            # Between the end of its users' passes and its own next one, it may seem to rest.
            while rests < 2:  # noqa: PLR2004
                await self.queue.wait_for_pass([key])
                concerned = {key, *Kind.APP.keys(actions.asked.concerned(name))}
                await self.queue.wait_idle(concerned.__contains__, bursts=False)
                record = self.ledger.get(CertificateRecord, name)
                if record is None or (record.stage is Stage.SERVED and not record.ready):
                    break
                due = self.queue.due_in(key)
                rests += 1
                if due is not None and due <= _SOON_SECONDS:
                    await anyio.sleep(due)
                    rests = 0
        mine = (one for one in self.news.statuses() if one.name == name)
        return CertificateList(certificates=tuple(mine))
