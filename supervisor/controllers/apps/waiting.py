"""Whose turn it is: apps that wait for others, and those to look at when one has changed.

Serves `controllers.apps.reconciler`; what waits for what is decided in `core.desired.dependencies`
and `core.desired.unit_moves`.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.core.desired.dependencies import comes_after, held_by, waits_for
from supervisor.core.desired.unit_moves import gives_to
from supervisor.model.app import Deployment
from supervisor.model.plan import Plan, RunJob
from supervisor.model.status import AppStatus


class AppDependencies:
    """Knows which apps have more to do as soon as others are done."""

    def __init__(self) -> None:
        self._unfinished: dict[str, frozenset[str]] = {}
        """App to the keys that bring it on."""

    @staticmethod
    def ordered(
        deployments: Iterable[Deployment],
        everything: Mapping[str, Deployment],
        standing: Mapping[str, AppStatus],
        *,
        unseen_is_ready: bool = False,
    ) -> list[Deployment]:
        """Say of those that come after others, and change, what they wait for."""
        return [
            msgspec.structs.replace(
                one,
                waits=tuple(waits_for(one, everything, standing, unseen_is_ready=unseen_is_ready)),
            )
            if one.changes
            else one
            for one in deployments
        ]

    def begin(self, names: Iterable[str], plan: Plan, everything: Mapping[str, Deployment]) -> None:
        """Take note of which of these apps have more to do after this pass."""
        for name in names:
            self._unfinished.pop(name, None)
        for one in plan.verdicts:
            if one.after:
                others = {other for name in one.after for other in comes_after(name, everything)}
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

    @staticmethod
    def after(names: Collection[str], everything: Mapping[str, Deployment]) -> set[str]:
        """Apps to look at when these have another state or revision than before."""
        return {*held_by(names, everything), *gives_to(names, everything)} if names else set()
