"""Containers of a `.kube`: systemd knows their service, and nothing of each of them.

The service is active for as long as any of them runs. What has ended although it should run makes
the unit unhealthy; Podman restarts it by its `restartPolicy`, and what Podman leaves is podvisor's.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from supervisor.core.health import crash_backoff
from supervisor.core.health.endings import OUT_OF_MEMORY, status_in_words
from supervisor.kit.texts import count
from supervisor.model.health import Health, PlayedContainer, UnitHealth

REMOVED = "removed"
"""The state of a container that somebody removed while its unit ran; Podman has no word for it."""
_ENDED = frozenset({"exited", "stopped"})
_NEVER, _ALWAYS = "no", "always"
_PODMANS_TURN_SECONDS = 10.0
"""In which Podman restarts by itself what it does restart."""


def with_removed(
    found: Sequence[PlayedContainer], before: Sequence[PlayedContainer], now: float
) -> tuple[PlayedContainer, ...]:
    """Return the containers of a unit, and those of `before` that somebody removed since.

    One that had ended is as it ended: what is done may be cleared away. A new start has all of
    them made anew.
    """
    ids = {one.id for one in found}
    gone = [one for one in before if one.id not in ids]
    if len(gone) == len(before):
        return tuple(found)
    removed = (
        one
        if one.state in {*_ENDED, REMOVED}
        else replace(one, state=REMOVED, ended_at=now, restart_policy=_ALWAYS)
        for one in gone
    )
    return (*found, *removed)


def health_of(one: PlayedContainer, now: float, *, since: float | None) -> UnitHealth:
    """Return what it says of its unit; `since` as of `core.health.unit_health`."""
    if how := how_it_ended(one):
        return UnitHealth(health=Health.UNHEALTHY, since=one.ended_at, output=how)
    if one.state == "paused":
        return UnitHealth(health=Health.UNHEALTHY, output=f"container {one.name} is paused")
    restless = _is_restless(one, now)
    if since is not None:
        restless = one.restarts > 0 and one.started_at >= since
    if restless:
        times = count(one.restarts, "time")
        output = f"Podman has restarted container {one.name} {times}"
        return UnitHealth(health=Health.UNHEALTHY, since=one.started_at, output=output)
    return UnitHealth()


def how_it_ended(one: PlayedContainer) -> str:
    """Say of a container that should run how it ended, empty if it runs or has ended as it may."""
    if one.state == REMOVED:
        return f"container {one.name} was removed"
    if one.state not in _ENDED:
        return ""
    if one.exit_code == 0 and one.restart_policy != _ALWAYS:
        return ""
    how = OUT_OF_MEMORY if one.out_of_memory else status_in_words(one.exit_code)
    return f"container {one.name} has ended ({how})"


def repaired_at(one: PlayedContainer, now: float) -> float:
    """When its service is to be restarted for a container that has ended; 0 is never."""
    if one.restart_policy == _NEVER or not how_it_ended(one):
        return 0.0
    # A clock that was set back must not put it off.
    return min(one.ended_at, now) + _PODMANS_TURN_SECONDS


def calm_at(one: PlayedContainer, now: float) -> float:
    """When a container that Podman restarted may be called well, if it runs on; 0 if it is."""
    return (
        one.started_at + crash_backoff.calm_seconds(one.restarts) if _is_restless(one, now) else 0.0
    )


def _is_restless(one: PlayedContainer, now: float) -> bool:
    # A clock that was set back says nothing of the age.
    age = now - one.started_at
    return one.state == "running" and 0 <= age < crash_backoff.calm_seconds(one.restarts)
