"""Which apps have more to do when others are done, for whoever waits until all is done.

What waits for what is decided in `core.desired.dependencies`.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.core.desired.dependencies import comes_after
from supervisor.model.app import Deployment
from supervisor.model.need import NeedKind
from supervisor.model.plan import Plan, RunJob

_OF_APPS = (NeedKind.APP, NeedKind.MOVE)


class AppDependencies(msgspec.Struct):
    """Knows which apps have more to do as soon as others are done."""

    _unfinished: dict[str, frozenset[str]] = {}
    """App to the keys that bring it on."""

    def begin(self, names: Iterable[str], plan: Plan, everything: Mapping[str, Deployment]) -> None:
        """Take note of which of these apps have more to do after this pass."""
        for name in names:
            self._unfinished.pop(name, None)
        for one in plan.verdicts:
            after = {need.app for need in one.waiting if need.kind in _OF_APPS}
            if after:
                others = {other for name in after for other in comes_after(name, everything)}
                self._unfinished[one.app] = frozenset(Kind.APP.keys({one.app, *others}))
        for step in plan.steps:
            if isinstance(step, RunJob):
                self._unfinished[step.app] = frozenset({Kind.APP.key(step.app)})

    def unfinished(self, apps: Collection[str]) -> frozenset[str]:
        """Keys that these apps (all, if empty) wait for: of those that they come after, and own."""
        return frozenset(
            key
            for name, keys in self._unfinished.items()
            if not apps or name in apps
            for key in keys
        )
