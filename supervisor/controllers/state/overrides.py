"""What people ordered of apps: to be left alone, or to be held at an older revision.

Kept in the ledger, so that it outlives a restart. `controllers.operator.actions` gives the
orders, the passes obey them.
"""

from collections.abc import Collection

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.core.health.gate import is_on
from supervisor.kit.clock import Clock
from supervisor.model.rollout import Hold, Suspension


class Overrides:
    """Reads and writes the orders."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def suspended(self, apps: Collection[str]) -> dict[str, Suspension]:
        """Return those of these apps that are to be left alone, each with the order that counts."""
        whole = self._suspension("")
        overrides = {app: self._suspension(app) or whole for app in apps}
        return {app: order for app, order in overrides.items() if order}

    def is_whole_suspended(self) -> bool:
        """Whether all apps are to be left alone, by one order."""
        return self._suspension("") is not None

    def suspend(self, order: Suspension) -> None:
        """Have an app (or all) left alone."""
        self._ledger.put(order, order.app)

    def lift(self, app: str) -> Suspension | None:
        """End a suspension; returns it if there was one."""
        order = self._ledger.get(Suspension, app)
        self._ledger.drop(Suspension, app)
        if order:
            self.renew_trials(app)
        return order

    def renew_trials(self, app: str = "") -> None:
        """Give an app (all, without a name) on trial its whole time again.

        For when it went by while nobody looked after them.
        """
        for name in (app,) if app else self._ledger.applied():
            for one in self._ledger.rollouts(name)[-1:]:
                if is_on(one):
                    renewed = msgspec.structs.replace(one, began_at=self._clock.now())
                    self._ledger.put_rollout(renewed)

    def over(self, apps: Collection[str]) -> list[Suspension]:
        """End the suspensions of these apps, and that of all, whose time is over; return them."""
        ended = []
        for app in ("", *apps):
            order = self._ledger.get(Suspension, app)
            if order and self._is_over(order):
                self.lift(app)
                ended.append(order)
        return ended

    def hold(self, app: str) -> Hold | None:
        """Return the order to stay at a revision."""
        return self._ledger.get(Hold, app)

    def put_hold(self, order: Hold) -> None:
        """Have an app stay at a revision."""
        self._ledger.put(order, order.app)

    def release(self, app: str) -> Hold | None:
        """End a hold; returns it if there was one."""
        order = self.hold(app)
        self._ledger.drop(Hold, app)
        return order

    def _suspension(self, app: str) -> Suspension | None:
        order = self._ledger.get(Suspension, app)
        return None if order is None or self._is_over(order) else order

    def _is_over(self, order: Suspension) -> bool:
        return bool(order.until) and order.until <= self._clock.now()
