"""The secrets of webhooks, kept for a moment: a storm must not be one of questions to Podman."""

from collections.abc import Callable

import anyio
import msgspec

from supervisor.controllers.ports import Secrets
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.model.errors import Failure, Finding
from supervisor.model.setting_types import SecretRef

_KEPT_SECONDS = 60.0
_FRESH_SECONDS = 1.0
"""A secret that was read so lately is not read again because a proof is wrong."""


class _Secret(msgspec.Struct):
    content: bytes
    read_at: float

    def __repr__(self) -> str:
        return "_Secret()"


class WebhookSecrets(msgspec.Struct, kw_only=True):
    """Reads them."""

    settings: CurrentSettings
    secrets: Secrets
    _kept: dict[SecretRef, _Secret] = {}

    def __post_init__(self) -> None:
        self.settings.subscribe(lambda _: self._kept.clear())

    async def read(self, reference: SecretRef, *, no_older: float = _KEPT_SECONDS) -> bytes:
        """Return a secret as it was read lately. Raises Retry or Stalled."""
        now = anyio.current_time()
        known = self._kept.get(reference)
        if known is None or known.read_at + no_older < now:
            known = _Secret(await self.secrets.read(reference), now)
            self._kept[reference] = known
        return known.content

    async def problem(self, reference: SecretRef) -> str:
        """Say why a secret cannot be read now; empty if it can."""
        try:
            await self.read(reference)
        except Failure as failure:
            return str(Finding.of(failure))
        return ""

    async def fault(self, reference: SecretRef, check: Callable[[bytes], str]) -> str:
        """Why a delivery proves nothing, by the secret as it is now; empty if it does.

        `check` says it for one secret. Raises Retry or Stalled where that cannot be read.
        """
        secret = await self.read(reference)
        fault = check(secret)
        if not fault:
            return ""
        # It may have been changed just now.
        fresh = await self.read(reference, no_older=_FRESH_SECONDS)
        return fault if fresh == secret else check(fresh)
