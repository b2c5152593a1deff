"""When a unit that broke is started again: the crash-loop memory as a pure function.

systemd's own `Restart=` works first; this is about units that systemd has given up or never
restarts. Files that somebody else changes are restored by the same rules.
"""

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from supervisor.kit.texts import count
from supervisor.model.observed import RepairState, UnitState

BACKOFF_SECONDS = (
    0,  # the first time at once: most breakages are a single accident
    5,  # a dependency that is just starting
    15,
    30,
    60,  # by now it is a crash loop; a person may be looking
    120,
    300,
    600,  # and so on every ten minutes: it heals by itself when the cause goes away
)
"""How long to wait before the nth repair in a row."""

LASTED_SECONDS = 600
"""A unit that ran for so long after a repair was repaired: counting begins anew."""


LONGEST_CALM_SECONDS = 600
"""For no longer need what is restarted by itself stay up to be called well."""

UNMET_SECONDS = 3600
"""After which a condition that was not met is tested again."""

CONFLICT_SECONDS = 15
"""After which is looked again whether what a unit gives way to still runs: it may be nobody's."""

SETTLE_SECONDS = 30
"""A crash loop is not over because the unit runs at this very moment; for each time."""

ONCE_SECONDS = 20.0
"""After the first time that systemd restarted it: at a boot much comes up at the second go only,
and that is over before a notifier tells of it (`after`)."""


def files_of(app: str) -> str:
    """Return what stands for an app's files in the memory of repairs; no unit has such a name."""
    return f"{app}/"


def reloads_of(unit: str) -> str:
    """Return what stands for a unit's reloads in the memory of repairs."""
    return f"{unit}/reload"


def due_at(state: RepairState, now: float) -> float:
    """When the unit may be started; not later than `now` if at once."""
    # A clock that was set back must not make a unit wait longer than its backoff.
    return now if _lasted(state, now) else min(state.next_at, now + _pause(state))


def after_try(state: RepairState, now: float) -> RepairState:
    """Return the memory after a start at `now`, whatever comes of it."""
    fresh = RepairState(unit=state.unit, session=state.session)
    before = fresh if _lasted(state, now) else state
    after = replace(before, failures=before.failures + 1, last_at=now, why="")
    return replace(after, next_at=now + _pause(after))


def at_once(state: RepairState, now: float) -> RepairState:
    """Return the memory after a person had it tried at once.

    How often it was in vain stays known, of a unit.
    """
    if _lasted(state, now) or "/" in state.unit:
        return RepairState(unit=state.unit)
    is_anew = state.failures - state.pardoned <= 1
    return replace(state, pardoned=state.pardoned if is_anew else state.failures, next_at=0.0)


def _lasted(state: RepairState, now: float) -> bool:
    return now - state.last_at > max(LASTED_SECONDS, 2 * _delay(state.failures))


def test_again_at(tested_at: float, now: float) -> float:
    """When to start a unit again whose condition was not met: nobody tells when it is."""
    # A clock that was set back must not put it off.
    return min(tested_at, now) + UNMET_SECONDS


def calm_at(state: UnitState) -> float:
    """When a unit that systemd has restarted by itself may be called well, if it runs on."""
    once = state.restarts == 1
    return state.active_since + (ONCE_SECONDS if once else calm_seconds(state.restarts))


def calm_seconds(restarts: int) -> float:
    """For how long what was restarted so often has to run on before it may be called well.

    The more often that was, the longer: between two crashes a crash loop looks well, too.
    """
    return float(min(LONGEST_CALM_SECONDS, SETTLE_SECONDS * restarts))


def is_looping(state: UnitState, now: float) -> bool:
    """Whether a unit crashes, and is restarted by systemd, again and again."""
    if state.sub.startswith("auto-restart"):
        return True
    if not state.restarts or state.has_ended or state.job == "stop":
        return False
    # A clock that was set back says nothing of the age.
    return not state.is_up or state.active_since <= now < calm_at(state)


def in_a_row(state: RepairState) -> str:
    """Say how often a unit was brought back: `3 tries in a row`."""
    return f"{count(state.failures, 'try', 'tries')} in a row"


def settles_at(state: RepairState | None) -> float:
    """When a unit that was brought back again and again may be called well, if it runs on."""
    return state.last_at + settle_seconds(state) if state and state.failures > 1 else 0.0


def settle_seconds(state: RepairState) -> float:
    """For how long it has to run on before; the first time it was brought back does not count.

    Nor does what came before a person had it tried again, once it was.
    """
    since = state.failures - state.pardoned
    return calm_seconds(max(1, (since or state.failures) - 1))


def looks_again(
    names: Iterable[str],
    states: Mapping[str, UnitState],
    repairs: Mapping[str, RepairState],
    now: float,
) -> Iterator[float]:
    """Yield when to look at these units again, although nobody may tell of them."""
    for name in names:
        state = states.get(name)
        if state and state.gives_way:
            yield now + CONFLICT_SECONDS
        elif state and state.unmet:
            yield max(now, test_again_at(state.tested_at, now))
        if (at := settles_at(repairs.get(name))) > now:
            yield at
        if state and state.is_up and is_looping(state, now):
            yield calm_at(state)


def _pause(state: RepairState) -> float:
    """Seconds until the next repair."""
    return _delay(state.failures - state.pardoned)


def _delay(failures: int) -> float:
    return float(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
