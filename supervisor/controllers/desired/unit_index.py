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
    _apps: dict[str, dict[str, None]] = {}
    _users: dict[str, dict[str, None]] = {}

    def follow(self, deployments: Mapping[str, Deployment]) -> "UnitIndex":
        """Return it as these deployments have it; it is made anew if they are others."""
        if self._of is not deployments:
            self._of, self._apps, self._users = deployments, {}, {}
            targets: set[str] = set()
            for app, one in deployments.items():
                named = {target for own in one.apps for target in own.targets}
                targets |= named
                for name in one.runtime_names | named:
                    self._apps.setdefault(name, {})[app] = None
                for template in (unit.name for unit in one.units if is_template(unit.name)):
                    self._apps.setdefault(template, {})[app] = None
                for use in (use for unit in one.units for use in unit.certificate_uses):
                    self._users.setdefault(use.name, {})[app] = None
            self.targets = frozenset(targets)
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
