"""What apps that are gone left behind of podvisor's own, volumes with data: kept in the ledger.

An app that comes back, or another that asks for it, has it as podvisor's still.
"""

import msgspec

from supervisor.controllers.ports import Ledger
from supervisor.core.plan.ownership import is_there
from supervisor.model.observed import Observed, PodmanObject

_KEY = "left"


def left_behind(ledger: Ledger) -> frozenset[PodmanObject]:
    """Return it all."""
    try:
        return msgspec.json.decode(ledger.note(_KEY) or "[]", type=frozenset[PodmanObject])
    except msgspec.MsgspecError:
        return frozenset()


def note_left(ledger: Ledger, app: str, observed: Observed) -> None:
    """Remember what stays of an app that is gone; `observed` is from before it went."""
    folder = observed.apps.get(app)
    stays = {
        one
        for one in (folder.manifest.objects if folder and folder.manifest else ())
        if is_there(one, observed.inventory) is not False
    }
    if stays:
        _put(ledger, left_behind(ledger) | stays)


def note_taken(ledger: Ledger, app: str, observed: Observed) -> None:
    """Forget what an app has again: its manifest names it."""
    folder = observed.apps.get(app)
    taken = frozenset(folder.manifest.objects if folder and folder.manifest else ())
    left = left_behind(ledger)
    if left & taken:
        _put(ledger, left - taken)


def _put(ledger: Ledger, left: frozenset[PodmanObject]) -> None:
    ledger.put_note(_KEY, msgspec.json.encode(sorted(left)).decode() if left else "")
