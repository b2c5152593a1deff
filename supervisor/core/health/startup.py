"""What Podman ends since it did not become ready: its program may end well by itself then."""

from supervisor.kit.texts import count
from supervisor.model.app import DesiredUnit
from supervisor.model.observed import Observed, UnitState


def unready(
    unit: DesiredUnit, state: UnitState, observed: Observed, since: float | None = None
) -> str:
    """Say that Podman ended its container since it did not become ready; empty if it did not."""
    began = state.active_since if since is None else min(since, state.active_since)
    restarted_at = observed.restarted.get(state.name, 0.0)
    if not unit.startup_retries or not restarted_at or restarted_at < began:
        return ""
    times = count(unit.startup_retries, "time")
    return f"its startup check failed {times} in a row, so Podman ended it"
