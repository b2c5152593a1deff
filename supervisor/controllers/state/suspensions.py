"""Apps that people ordered to be left alone; kept in the ledger.

`controllers.operator.actions` gives the orders, the passes obey them.
"""

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.core.health.gate import is_on
from supervisor.kit.clock import Clock
from supervisor.model.rollout import Suspension


class Suspensions(msgspec.Struct, frozen=True, kw_only=True):
    """Reads and writes the orders."""

    ledger: Ledger
    clock: Clock

    def of(self, app: str) -> Suspension | None:
        """Return the order that counts for an app: its own, or that for all."""
        return self._in_force(app) or self._in_force("")

    def is_for_all(self) -> bool:
        """Whether all apps are to be left alone, by one order."""
        return self._in_force("") is not None

    def suspend(self, order: Suspension) -> None:
        """Have an app (or all) left alone."""
        self.ledger.put(order, order.app)

    def lift(self, app: str) -> Suspension | None:
        """End a suspension; returns it if there was one."""
        order = self.ledger.drop(Suspension, app)
        if order:
            self.renew_trials(app)
        return order

    def renew_trials(self, app: str = "") -> None:
        """Give an app (all, without a name) on trial its whole time again.

        For when it went by while nobody looked after them.
        """
        for name in (app,) if app else self.ledger.applied():
            for one in self.ledger.rollouts(name)[-1:]:
                if is_on(one):
                    renewed = msgspec.structs.replace(one, began_at=self.clock.now())
                    self.ledger.put_rollout(renewed)

    def over(self, app: str) -> list[Suspension]:
        """End the suspension of an app, and that of all, if its time is over; return what ended."""
        orders = filter(None, (self.ledger.get(Suspension, name) for name in ("", app)))
        ended = [order for order in orders if self._is_over(order)]
        for order in ended:
            self.lift(order.app)
        return ended

    def _in_force(self, app: str) -> Suspension | None:
        order = self.ledger.get(Suspension, app)
        return None if order is None or self._is_over(order) else order

    def _is_over(self, order: Suspension) -> bool:
        return bool(order.until) and order.until <= self.clock.now()
