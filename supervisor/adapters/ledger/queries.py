"""What is asked of the documents, in memory (`store`) as in the file (`reader`)."""

import abc
from collections.abc import Mapping

import msgspec

from supervisor.model.ledger_documents import D
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.rollout import Rollout


class Queries(abc.ABC):
    """Answers of a ledger that has its documents at hand."""

    def __init__(self) -> None:
        self._applied: dict[str, AppliedApp] = {}
        """As `applied` put them together; gone with any change under their name."""

    @abc.abstractmethod
    def _of(self, kind: type[D]) -> Mapping[str, Mapping[str, D]]:
        """Documents of a kind by key and part."""

    def get(self, kind: type[D], key: str = "", part: str = "") -> D | None:
        """Return a document, None if there is none."""
        return self._of(kind).get(key, {}).get(part)

    def all(self, kind: type[D]) -> dict[str, D]:
        """Documents of a kind by key."""
        return {key: parts[""] for key, parts in self._of(kind).items() if "" in parts}

    def applied(self) -> dict[str, AppliedApp]:
        """Apps by name. One whose first pass was cut short has units, but no revision yet."""
        for name in (*self._of(AppliedApp), *self._of(UnitInputs)):
            if name not in self._applied:
                self.applied_app(name)
        return dict(self._applied)

    def applied_app(self, name: str) -> AppliedApp | None:
        """Return one of `applied`, without a look at the others; None if it is none."""
        if name not in self._applied:
            app, units = self.get(AppliedApp, name), self._of(UnitInputs).get(name, {})
            if app is None and not units:
                return None
            app = app or _unfinished(name)
            self._applied[name] = msgspec.structs.replace(app, units=dict(units))
        return self._applied[name]

    def rollouts(self, app: str) -> tuple[Rollout, ...]:
        """Releases of an app that were tried, the newest last."""
        tried = self._of(Rollout).get(app, {}).values()
        return tuple(sorted(tried, key=lambda one: one.began_at))

    def repairs(self) -> dict[str, RepairState]:
        """Crash-loop memories by unit."""
        return self.all(RepairState)


def _unfinished(app: str) -> AppliedApp:
    return AppliedApp(name=app, source="", revision="", content="", applied_at=0.0, units={})
