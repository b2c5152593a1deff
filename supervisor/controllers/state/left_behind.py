"""What apps that are gone left behind of podvisor's own, volumes with data: kept in the ledger.

An app that comes back, or another that asks for it, has it as podvisor's still.
"""

from supervisor.controllers.ports import Documents
from supervisor.core.plan.ownership import is_there
from supervisor.model.observed import Observed, PodmanObject


def left_behind(ledger: Documents) -> frozenset[PodmanObject]:
    """Return it all."""
    return frozenset(ledger.all(PodmanObject).values())


def note_left(ledger: Documents, app: str, observed: Observed) -> None:
    """Remember what stays of an app that is gone; `observed` is from before it went."""
    for one in observed.app(app).objects:
        if is_there(one, observed.inventory) is not False:
            ledger.put(one, _key(one))


def note_taken(ledger: Documents, app: str, observed: Observed) -> None:
    """Forget what an app has again: its manifest names it."""
    for one in observed.app(app).objects:
        ledger.drop(PodmanObject, _key(one))


def _key(one: PodmanObject) -> str:
    return f"{one.kind}:{one.name}"
