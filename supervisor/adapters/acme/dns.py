"""Proves names by DNS (dns-01, RFC 8555, section 8.4): puts records there, and takes them away.

`published` finds, for each name, where its CNAME records lead, which zone that is in and how that
one is changed; adds the records; and returns when every server of these zones shows them. What it
put there is taken away at the end, whatever happened.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import dns.exception
import dns.name
import msgspec

from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_hook import Hook
from supervisor.adapters.acme.dns_lexicon import Lexicon
from supervisor.adapters.acme.dns_notes import Note, read_notes, write_notes
from supervisor.adapters.acme.dns_servers import PORT, Asker, plain, resolver_of
from supervisor.adapters.acme.dns_update import Updates
from supervisor.adapters.acme.dns_wait import Awaited, wait_for
from supervisor.model.acme import ZoneAccess

__all__ = ("DnsError", "published")

_PROVIDER_SECONDS = 120.0
_TAKE_SECONDS = 20.0


class Provider(Protocol):
    """How a zone is changed. Both raise DnsError."""

    def put(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None: ...

    def take(self, name: dns.name.Name, values: Sequence[str], *, zone: dns.name.Name) -> None: ...


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where records of one name belong."""

    name: dns.name.Name
    zone: dns.name.Name
    access: ZoneAccess
    values: tuple[str, ...]


@contextlib.contextmanager
def published(
    records: Sequence[tuple[str, str]],
    *,
    zones: Sequence[ZoneAccess],
    resolvers: Sequence[str],
    timeout_seconds: float,
    notes: Path | None = None,
    port: int = PORT,
) -> Iterator[list[str]]:
    """Have TXT records `(NAME, VALUE)` in DNS while it lasts.

    `notes` is a file that remembers what is there: what could not be taken away, or was left by a
    process that was killed, goes the next time. Gives a list of what cannot be taken away, in
    sentences, which is filled when it ends. Raises DnsError.
    """
    asker = Asker(resolver=resolver_of(resolvers), port=port)
    left: list[str] = []
    standing = _take_left(read_notes(notes), zones, asker)
    deadline = time.monotonic() + timeout_seconds
    put: list[_Place] = []
    try:
        for place in _places(records, zones, asker):
            # What fails may have been done all the same: it is taken away, too.
            put.append(place)
            write_notes(notes, [*standing, *map(_note, put)])
            provider = _provider(place.access, asker, seconds=deadline - time.monotonic())
            provider.put(place.name, place.values, zone=place.zone)
        for place in put:
            wait_for(
                Awaited(place.name, place.zone, frozenset(place.values), place.access),
                asker,
                seconds=min(place.access.propagation_seconds, deadline - time.monotonic()),
            )
        yield left
    finally:
        for place in reversed(put):
            try:
                # Also where no time is left.
                rest = deadline + _TAKE_SECONDS - time.monotonic()
                provider = _provider(place.access, asker, seconds=rest)
                provider.take(place.name, place.values, zone=place.zone)
            except DnsError as error:
                left.append(f"TXT records of {plain(place.name)} are left in DNS: {error}")
                standing.append(_note(place))
        write_notes(notes, standing)


def place_of(record: str, *, zones: Sequence[ZoneAccess], resolvers: Sequence[str]) -> str:
    """Say in which zone a record belongs, where its name leads, and by what the zone is changed.

    Raises DnsError.
    """
    (place,) = _places([(record, "")], zones, Asker(resolver=resolver_of(resolvers)))
    leads = "" if place.name == _name(record) else f"{record} leads to {plain(place.name)}, "
    at = place.access.server or place.access.hook
    by = f"{place.access.provider}{f' ({at})' if at else ''}"
    return f"{leads}in the zone {plain(place.zone)}, which is changed by {by}"


def left_over(
    record: str, *, zones: Sequence[ZoneAccess], resolvers: Sequence[str], but: str
) -> list[str]:
    """Return the TXT records that stand where one belongs, but for one value. Raises DnsError."""
    asker = Asker(resolver=resolver_of(resolvers))
    (place,) = _places([(record, "")], zones, asker)
    there = asker.records(place.name, "TXT")
    return sorted(text for one in there if but not in (text := one.to_text()))


def _places(
    records: Sequence[tuple[str, str]], zones: Sequence[ZoneAccess], asker: Asker
) -> list[_Place]:
    """Find where all records belong, before any is put there."""
    values: dict[dns.name.Name, list[str]] = {}
    asked: dict[str, dns.name.Name] = {}

    def is_ours(name: dns.name.Name) -> bool:
        return bool(_holding(name, zones))

    for name, value in records:
        if name not in asked:
            asked[name] = asker.end_of(_name(name), is_ours=is_ours)
        values.setdefault(asked[name], []).append(value)
    whence = {end: name for name, end in asked.items()}
    return [
        _Place(
            name=end,
            zone=asker.zone_of(end),
            access=_access(end, whence[end], zones),
            values=tuple(dict.fromkeys(values[end])),
        )
        for end in values
    ]


def _name(text: str) -> dns.name.Name:
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise DnsError(
            f"cannot prove {text} by DNS: it is no possible name: {error}",
            kind=FailureKind.REFUSED,
        ) from error


def _access(name: dns.name.Name, asked: str, zones: Sequence[ZoneAccess]) -> ZoneAccess:
    if fitting := _holding(name, zones):
        return max(fitting, key=lambda zone: len(_name(zone.zone).labels))
    leads = "" if name == _name(asked) else f" (where {asked} leads)"
    known = ", ".join(sorted(zone.zone for zone in zones)) or "there are none"
    raise DnsError(
        f"cannot put a TXT record at {plain(name)}{leads}: no zone in the settings holds it "
        f"({known})",
        f'say how its zone is changed: [certificates.zones."{plain(name.parent())}"], or have '
        f"{asked} be a CNAME of a name in a zone that is known",
        FailureKind.REFUSED,
    )


def _holding(name: dns.name.Name, zones: Sequence[ZoneAccess]) -> list[ZoneAccess]:
    return [zone for zone in zones if name.is_subdomain(_name(zone.zone))]


def _provider(access: ZoneAccess, asker: Asker, *, seconds: float) -> Provider:
    """Return what changes a zone, in so many seconds at most."""
    seconds = min(max(seconds, 1.0), _PROVIDER_SECONDS)
    match access.provider:
        case "rfc2136":
            return Updates(access=access)
        case "hook":
            return Hook(access=access, timeout_seconds=seconds)
        case _:
            return Lexicon(access=access, resolver=asker.resolver, timeout_seconds=seconds)


def _note(place: _Place) -> Note:
    return Note(
        name=plain(place.name),
        zone=plain(place.zone),
        access=place.access.zone,
        values=place.values,
    )


def _take_left(notes: Sequence[Note], zones: Sequence[ZoneAccess], asker: Asker) -> list[Note]:
    """Take away what earlier processes left; gives what is left still, and may go later.

    Who fails at one is not asked for the others: the order that waits has its time for itself.
    """
    left: list[Note] = []
    for note in notes:
        access = next((zone for zone in zones if zone.zone == note.access), None)
        if access is None:
            continue  # nobody can any more
        if any(note.access == one.access for one in left):
            left.append(note)
            continue
        try:
            provider = _provider(access, asker, seconds=_TAKE_SECONDS)
            provider.take(_name(note.name), note.values, zone=_name(note.zone))
        except DnsError:
            left.append(note)
    return left
