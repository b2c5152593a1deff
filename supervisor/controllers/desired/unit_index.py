"""Which apps a unit's signal is for, who uses a certificate, and who offers others what."""

from collections.abc import Collection, Mapping

import msgspec

from supervisor.core.plan.certificates import described
from supervisor.model.app import Deployment
from supervisor.model.unit_name import is_template


class UnitIndex(msgspec.Struct, kw_only=True):
    """Units, and what starts them, to their apps; an entry too many only names a key too many."""

    targets: frozenset[str] = frozenset()
    """What the `[Install]` of any unit names."""
    secrets: Mapping[str, str] = {}
    """Secrets that some app describes, each with that app."""
    certificates: Mapping[str, str] = {}
    """Certificates that some app describes, each with that app."""
    _of: Mapping[str, Deployment] | None = None
    _known: dict[str, Deployment] = {}
    """Apps as they were looked into."""
    _apps: dict[str, dict[str, None]] = {}
    _users: dict[str, dict[str, None]] = {}

    def follow(self, deployments: Mapping[str, Deployment]) -> "UnitIndex":
        """Return it as these deployments have it; of others it looks into those that are others."""
        if self._of is not deployments:
            before, self._of, self._known = self._known, deployments, dict(deployments)
            for app, was in before.items():
                if deployments.get(app) is not was:
                    _take_out(self._apps, _names(was), app)
                    _take_out(self._users, _used(was), app)
            for app, one in deployments.items():
                if before.get(app) is not one:
                    for name in _names(one):
                        self._apps.setdefault(name, {})[app] = None
                    for name in _used(one):
                        self._users.setdefault(name, {})[app] = None
            apps = (app for one in deployments.values() for app in one.apps)
            self.targets = frozenset[str]().union(*{app.targets for app in apps})
            self.secrets = {
                secret.name: name
                for name, one in deployments.items()
                if one.wanted or one.keep or one.findings
                for app in one.apps
                for secret in app.secrets
            }
            offered = described(deployments.values())
            self.certificates = {name: one.app for name, one in offered.items()}
        return self

    def apps(self, unit: str) -> Collection[str]:
        """Names of the apps that have this unit, or have it start theirs."""
        return self._apps.get(unit, ())

    def users(self, certificate: str) -> Collection[str]:
        """Names of the apps of which a unit uses this certificate."""
        return self._users.get(certificate, ())


def _names(one: Deployment) -> Collection[str]:
    """Names of an app's units, templates among them, and of what starts them."""
    templates = (unit.name for unit in one.units if is_template(unit.name))
    return one.runtime_names.union(_targets(one), templates)


def _targets(one: Deployment) -> frozenset[str]:
    return frozenset[str]().union(*(app.targets for app in one.apps))


def _used(one: Deployment) -> Collection[str]:
    return {use.name for unit in one.units for use in unit.certificate_uses}


def _take_out(index: dict[str, dict[str, None]], names: Collection[str], app: str) -> None:
    for name in names:
        index[name].pop(app)
        if not index[name]:
            del index[name]
