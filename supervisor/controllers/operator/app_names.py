"""Which apps are known, for whoever names some."""

from collections.abc import Collection

import msgspec

from supervisor.controllers.apps.last_known import known_apps
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.files.names import unknown_app, unknown_unit
from supervisor.model.events import EventQuery


class AppNames(msgspec.Struct, frozen=True, kw_only=True):
    """Apps that are or should be, those that are refused too."""

    desired_state: DesiredState
    ledger: Ledger
    board: StatusBoard

    def check(self, apps: Collection[str]) -> None:
        """Raise Stalled if one of these apps is not known, after the sources were read."""
        known = self._known()
        for name in apps:
            if name not in known:
                sources = self.desired_state.settings.sources
                raise unknown_app(name, known, sources=sources, is_early=self.is_early)

    def check_logged(self, app: str) -> None:
        """Raise Stalled if an app is not known, and was not while the event log goes back."""
        known = self._known()
        if app not in known and not self.ledger.events(EventQuery(app=app, limit=1)):
            raise unknown_app(app, known, is_early=self.is_early)

    def check_logged_unit(self, unit: str) -> None:
        """Raise Stalled if a unit is not known, and was not while the event log goes back."""
        known = {one.name for app in self.board.apps.values() for one in app.units}
        if unit not in known and not self.ledger.events(EventQuery(unit=unit, limit=1)):
            raise unknown_unit(unit, known, is_early=self.is_early)

    @property
    def is_early(self) -> bool:
        """Whether what is not known may come yet: the first pass is not through."""
        return not self.board.has_looked

    def is_known(self, app: str) -> bool:
        """Whether it is, or should be."""
        return app in self._known()

    def _known(self) -> frozenset[str]:
        known = {*self.board.apps, *self.ledger.applied(), *self.desired_state.latest()}
        # Until all were looked at, there are those that were there last.
        return frozenset(known | known_apps(self.ledger) if self.is_early else known)
