"""How those who use a certificate take it up, and why they do not."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from supervisor.model.certificate import CertificateRecord, Stage
from supervisor.model.need import NeedKind
from supervisor.model.observed import RepairState
from supervisor.model.status import AppState, AppStatus


class Uptake(msgspec.Struct, frozen=True, kw_only=True):
    """How far the users of a certificate are; fields as of `Seen`."""

    waiting: tuple[str, ...] = ()
    failing: str = ""
    held: str = ""
    is_busy: bool = False
    """Whether a pass over their apps is under way, or about to be."""

    @property
    def trouble(self) -> str:
        """What people are to know."""
        return "" if self.is_busy else self.failing or self.held


def why_failing(
    record: CertificateRecord,
    users: Collection[str],
    *,
    late: Collection[str],
    statuses: Iterable[AppStatus],
    reloads: Mapping[str, RepairState],
) -> str:
    """Say why one of its users cannot take it up, in the program's own words; empty if all can.

    `reloads` are those units whose last reload failed.
    """
    for unit in late:
        memory = reloads.get(unit)
        if record.stage is Stage.INSTALLED and memory and memory.last_at >= record.since:
            return memory.why
    found = tuple(statuses)
    for unit in down_among(users, found):
        if unit in late or unit in record.down:
            continue
        needs = (need for one in found for need in one.waiting if need.subject == unit)
        why = next((need.detail for need in needs if need.kind is NeedKind.UNIT), "")
        return f"{unit} does not run with it: {why}" if why else f"{unit} does not run with it"
    return ""


def held_by_needs(statuses: Iterable[AppStatus], late: Collection[str]) -> Iterator[str]:
    """Yield what apps wait for, but for the units that are to take it up."""
    for one in statuses:
        if one.state is AppState.REFUSED:
            yield f"{one.name} is refused"
        yield from (
            f"{one.name} waits for {need.text}" for need in one.waiting if need.subject not in late
        )


def down_among(users: Collection[str], statuses: Iterable[AppStatus]) -> tuple[str, ...]:
    """Return those of these units that should run, and do not."""
    return tuple(
        unit.name
        for one in statuses
        for unit in one.units
        if unit.name in users and unit.wanted and not (unit.up or unit.job or unit.ended_well)
    )
