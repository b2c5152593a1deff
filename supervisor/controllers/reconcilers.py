"""The registry of reconcilers: for each kind of key, who brings it on, and what if that fails.

To have something else reconciled, add a kind to `controllers.keys`, and a `Reconciler` to the
registry in `wiring.registry`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from supervisor.controllers.keys import Kind
from supervisor.kit import backoff
from supervisor.model.incident import IncidentCode


class Reconciler(msgspec.Struct, frozen=True, kw_only=True):
    """Who reconciles the keys of a kind."""

    reconcile: Callable[[str], Awaitable[Iterable[str] | None]]
    """Gets the name of a key, and returns the keys that come of it, if any. Raises Retry or
    Stalled; what is to be looked at again later it gives to the queue itself."""
    backoff: tuple[int, ...] = backoff.PASS_SECONDS
    """Seconds to wait after failures in a row."""
    stalled_retry: float = 0.0
    """Seconds after which it is tried again although a person is needed: one who is elsewhere, and
    does not tell when it is done. 0 is never, but at a resync."""
    over_network: bool = False
    """Whether a network that comes up may mend what failed."""
    incident: IncidentCode = IncidentCode.SUPERVISOR_FAILING
    """What kind of thing is wrong while it fails."""
    shows_failures: bool = False
    """Whether it shows its failures on the status board itself."""


Registry = Mapping[Kind, Reconciler]
