"""An order that is made to see what comes of it: nothing of it is kept, here or at the issuer."""

import contextlib
from collections.abc import Iterable

from supervisor.adapters.acme.issue import Issue
from supervisor.adapters.acme.memory import Unwritten
from supervisor.adapters.acme.network import Fields
from supervisor.adapters.acme.refusals import Refused
from supervisor.adapters.acme.replies import Authorization, IssuerError, OrderState
from supervisor.model.acme import Order


class StagingOrder(Issue):
    """One that is made to see what comes of it."""

    memory_type = Unwritten

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        self._authorizations: set[str] = set()

    def _begun(self) -> OrderState:
        """Have every name proven anew, also one that the issuer remembers as proven."""
        state = super()._begun()
        self._authorizations.update(state.authorizations)
        if self._withdrawn(state.authorizations, "valid"):
            state = super()._begun()
            self._authorizations.update(state.authorizations)
        return state

    def withdraw(self) -> None:
        """Leave nothing open or proven at the issuer."""
        if self._authorizations:
            with contextlib.suppress(Refused, IssuerError):
                self._withdrawn(self._authorizations, "valid", "pending")

    def _withdrawn(self, urls: Iterable[str], *states: str) -> bool:
        """Whether there was any such (RFC 8555, section 7.5.2)."""
        is_any = False
        for url in urls:
            one, _ = self.network.ask(url, Authorization)
            if one.status in states:
                self.network.post(url, Fields(status="deactivated"))
                is_any = True
        return is_any
