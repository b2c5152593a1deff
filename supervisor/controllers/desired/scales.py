"""Orders for numbers of replicas, as the ledger keeps them. Serves `controllers.desired`."""

from collections.abc import Iterable, Iterator

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.core.desired.scales import scaled
from supervisor.model.app import Deployment
from supervisor.model.rollout import Scale


class Scales(msgspec.Struct, frozen=True, kw_only=True):
    """Lays them over deployments."""

    ledger: Ledger

    def laid_over(self, deployments: Iterable[Deployment]) -> Iterator[Deployment]:
        """Yield each with as many replicas as were ordered; most are as they were."""
        orders: dict[str, list[Scale]] = {}
        for one in self.ledger.all(Scale).values():
            orders.setdefault(one.app, []).append(one)
        for deployment in deployments:
            own = orders.get(deployment.name)
            yield scaled(deployment, own) if own else deployment
