"""Waits until every server of a zone shows records that were put there."""

import time
from collections.abc import Iterable
from typing import NamedTuple

import dns.name

from supervisor.adapters.acme.dns_error import DnsError
from supervisor.adapters.acme.dns_servers import Asker, Shown, Way, plain
from supervisor.kit.texts import format_duration, one_line
from supervisor.model.acme import ZoneAccess

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_LONGEST_TEXT = 60


class Awaited(NamedTuple):
    """What is to be seen."""

    name: dns.name.Name
    zone: dns.name.Name
    values: frozenset[str]
    access: ZoneAccess


def wait_for(awaited: Awaited, asker: Asker, *, seconds: float) -> None:
    """Ask again and again, ever more rarely. Raises DnsError.

    A server has the records when each way to it that gives an answer shows them, and one does: a
    firewall that lets no TCP through, or no IPv6, stops nothing. A server with addresses only that
    this machine has no way to is not waited for, unless that is all of them.
    """
    deadline = time.monotonic() + seconds
    ways = asker.ways_to(awaited.zone)
    seen: dict[Way, Shown] = {}
    pause = _FIRST_PAUSE_SECONDS
    while True:
        waiting = [way for way in ways if not _has(seen.get(way), awaited)]
        seen |= dict(asker.shown(awaited.name, waiting))
        if _all_have_it(seen, awaited):
            return
        if (rest := deadline - time.monotonic()) <= 0:
            raise _unseen(seen, awaited, seconds)
        time.sleep(min(pause, rest))
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _has(shown: Shown | None, awaited: Awaited) -> bool:
    return shown is not None and awaited.values <= shown.texts


def _all_have_it(seen: dict[Way, Shown], awaited: Awaited) -> bool:
    reachable = {way: shown for way, shown in seen.items() if not shown.absent}
    servers = {way.server for way in reachable}
    answers = {way: shown for way, shown in reachable.items() if not shown.trouble}
    return (
        bool(servers)
        and servers == {way.server for way in answers}
        and all(_has(shown, awaited) for shown in answers.values())
    )


def _instead(lacking: Iterable[Shown], awaited: Awaited) -> str:
    """Say what stands there that is not ours, if anything does."""
    found = sorted({text for shown in lacking for text in shown.texts - awaited.values})
    if not found:
        return ""
    more = f", and {len(found) - 1} more" if found[1:] else ""
    return f", but “{one_line(found[0], _LONGEST_TEXT)}”{more}"


def _unseen(seen: dict[Way, Shown], awaited: Awaited, seconds: float) -> DnsError:
    """Say which servers do not show it, and what may be the reason."""
    name, zone = plain(awaited.name), plain(awaited.zone)
    table = f'[certificates.zones."{awaited.access.zone}"]'
    silent = {way: shown for way, shown in seen.items() if shown.trouble}
    lacking = {
        way: shown for way, shown in seen.items() if not shown.trouble and not _has(shown, awaited)
    }
    waited = format_duration(max(round(seconds, 1 if seconds < 1 else None), 0))
    if not lacking:
        told = "; ".join(f"{way}: {shown.trouble}" for way, shown in silent.items())
        return DnsError(
            f"cannot see whether {name} is in DNS: a server of {zone} did not answer within "
            f"{waited}: {told}",
            "this machine has to reach all servers of the zone at port 53, by UDP or TCP",
        )
    told, instead = ", ".join(map(str, lacking)), _instead(lacking.values(), awaited)
    if any(shown.foreign for shown in lacking.values()):
        return DnsError(
            f"cannot see whether {name} is in DNS: somebody else answers for {told}",
            "a router or a firewall here answers DNS itself: let this machine ask port 53 of other "
            "hosts",
        )
    if len(lacking) + len(silent) == len(seen):
        return DnsError(
            f"{awaited.access.provider} says that the TXT record of {name} is in DNS, and no "
            f"server of {zone} shows it after {waited}{instead}: {told}",
            f"see whether {table} is about the zone that these servers have; if it only takes "
            "longer, raise its `propagation`",
        )
    return DnsError(
        f"the TXT record of {name} is not on every server of {zone} after {waited}{instead};"
        f" without it: {told}",
        f"see whether they still follow the first one; if it only takes longer, raise "
        f"`propagation` of {table}",
    )
