"""Apps that people ordered to be left alone; kept in the ledger.

`controllers.operator.actions` gives the orders, the passes obey them.
"""

from collections.abc import Collection

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

    def over(self, apps: Collection[str]) -> list[Suspension]:
        """End the suspensions of these apps, and that of all, whose time is over; return them."""
        ended = []
        for app in ("", *apps):
            order = self.ledger.get(Suspension, app)
            if order and self._is_over(order):
                self.lift(app)
                ended.append(order)
        return ended

    def _in_force(self, app: str) -> Suspension | None:
        order = self.ledger.get(Suspension, app)
        return None if order is None or self._is_over(order) else order

    def _is_over(self, order: Suspension) -> bool:
        return bool(order.until) and order.until <= self.clock.now()
