"""Which apps a unit's signal is for."""

from collections.abc import Collection, Mapping

import msgspec

from supervisor.model.app import Deployment


class UnitIndex(msgspec.Struct, kw_only=True):
    """Units, and what starts them, to their apps; an entry too many only names a key too many."""

    targets: frozenset[str] = frozenset()
    """What the `[Install]` of any unit names."""
    _of: Mapping[str, Deployment] | None = None
    _apps: dict[str, dict[str, None]] = {}

    def follow(self, deployments: Mapping[str, Deployment]) -> "UnitIndex":
        """Return it as these deployments have it; it is made anew if they are others."""
        if self._of is not deployments:
            self._of, self._apps = deployments, {}
            targets: set[str] = set()
            for app, one in deployments.items():
                named = {target for own in one.apps for target in own.targets}
                targets |= named
                for name in one.runtime_names | named:
                    self._apps.setdefault(name, {})[app] = None
            self.targets = frozenset(targets)
        return self

    def apps(self, unit: str) -> Collection[str]:
        """Names of the apps that have this unit, or have it start theirs."""
        return self._apps.get(unit, ())
