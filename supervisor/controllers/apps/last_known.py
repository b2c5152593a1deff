"""Apps that no pass has looked at yet, as the ledger and the sources have them."""

from collections.abc import Collection

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.controllers.state.suspensions import Suspensions
from supervisor.core.status.incidents import by_app
from supervisor.core.status.last_known import last_known
from supervisor.model.incident import Incident
from supervisor.model.status import AppStatus


def known_apps(ledger: Ledger) -> set[str]:
    """Names of apps of which something was applied or tried, or with which something is wrong."""
    ailing = by_app(ledger.all(Incident))
    return {*ledger.applied(), *ledger.tried(), *ailing}


class LastKnown(msgspec.Struct, frozen=True, kw_only=True):
    """For the time between the start of the daemon and the first look at an app."""

    ledger: Ledger
    desired_state: DesiredState
    suspensions: Suspensions
    board: StatusBoard

    def of(self, name: str) -> AppStatus | None:
        """Return how one app stood last; None if nothing is remembered of it."""
        incidents = [one for one in self.ledger.all(Incident).values() if one.app == name]
        is_known = incidents or self.ledger.applied_app(name) or self.ledger.rollouts(name)
        return self._of(name, incidents) if is_known else None

    def apps(self) -> dict[str, AppStatus]:
        """Return those that do not stand on the board, by name."""
        names = set(self.desired_state.latest())
        # Then whatever else the ledger knows of has left.
        if not (self.board.has_looked and self.desired_state.is_whole):
            names |= known_apps(self.ledger)
        if not (names := names - self.board.apps.keys()):
            return {}
        incidents = by_app(self.ledger.all(Incident))
        return {name: self._of(name, incidents.get(name, ())) for name in names}

    def _of(self, name: str, incidents: Collection[Incident]) -> AppStatus:
        return last_known(
            name,
            deployment=self.desired_state.latest().get(name),
            applied=self.ledger.applied_app(name),
            rollouts=self.ledger.rollouts(name),
            incidents=incidents,
            repairs=self.ledger.repairs(),
            suspension=self.suspensions.of(name),
        )
