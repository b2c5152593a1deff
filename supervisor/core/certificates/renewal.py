"""When a certificate is renewed: as its issuer suggests (RFC 9773), else at a share of its life.

Never at so many days before the end: lifetimes become shorter and shorter.
"""

import hashlib

import msgspec

from supervisor.model.acme import RenewalInfo
from supervisor.model.certificate import INTERNAL, Issued, Renewal

HOUR, DAY = 3_600.0, 86_400.0

SHORT_LIFETIME = 10 * DAY
"""Below it, half of the life is left for what may go wrong; else a third."""
JITTER = 0.03
"""So much of its lifetime earlier, at most: what was issued together is not renewed together."""
LAST_SHARE = 1 / 20
"""With less of its life left, a certificate is renewed whatever its issuer suggests."""

ASK_SOONEST, ASK_LATEST = 60.0, DAY
"""Between these an issuer's word on when to ask again is followed (RFC 9773, section 4.3.2)."""
ASK_AFTER_FAILURE = 6 * HOUR
ASK_IF_SILENT = DAY
"""An issuer that suggests nothing may learn to."""


def share(version: str) -> float:
    """Return a number from 0 to 1 that is a version's own, and evenly spread over versions."""
    digest = hashlib.sha256(version.encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def may_suggest(issued: Issued) -> bool:
    """Whether its issuer can be asked when to renew it."""
    return not issued.standin and issued.terms.issuer != INTERNAL and bool(issued.facts.ari_id)


def last_moment(issued: Issued) -> float:
    """When it is renewed at the latest."""
    return issued.facts.not_after - issued.facts.lifetime * LAST_SHARE


def by_lifetime(issued: Issued) -> float:
    """When it is renewed if its issuer suggests nothing."""
    facts = issued.facts
    used = 1 / 2 if facts.lifetime < SHORT_LIFETIME else 2 / 3
    return facts.not_before + facts.lifetime * (used - JITTER * share(issued.version))


def of(issued: Issued, chosen: Renewal | None) -> Renewal:
    """Return what was chosen for it; without that, the moment by its lifetime."""
    if chosen is not None and chosen.version == issued.version:
        return chosen
    return Renewal(version=issued.version, at=by_lifetime(issued))


def due_at(issued: Issued, chosen: Renewal | None) -> float:
    """When it is renewed, whatever its issuer suggests until then."""
    return min(of(issued, chosen).at, last_moment(issued))


def ask_due(issued: Issued, chosen: Renewal | None, now: float) -> bool:
    """Whether its issuer is to be asked when to renew it."""
    if not may_suggest(issued):
        return False
    renewal = of(issued, chosen)
    # Far ahead is what was written down before the clock was set back.
    return not now < renewal.ask_at <= now + ASK_LATEST


def answered(
    issued: Issued, info: RenewalInfo | None, chosen: Renewal | None, now: float
) -> Renewal:
    """Choose the moment by what the issuer suggests; it stays while the window stays.

    None, and a window that ends before it begins, is no suggestion: the one before stands.
    """
    if info is None or info.end <= info.start:
        return unanswered(issued, chosen, now, ask_again_seconds=ASK_IF_SILENT)
    before = of(issued, chosen)
    at = before.at
    if (before.start, before.end) != (info.start, info.end):
        at = info.start + (info.end - info.start) * share(issued.version)
    return Renewal(
        version=issued.version,
        at=at,
        start=info.start,
        end=info.end,
        explanation=info.explanation,
        ask_at=now + _bounded(info.ask_again_seconds),
    )


def unanswered(
    issued: Issued,
    chosen: Renewal | None,
    now: float,
    *,
    ask_again_seconds: float = ASK_AFTER_FAILURE,
) -> Renewal:
    """Keep what was chosen, and ask again later: the issuer said nothing."""
    return msgspec.structs.replace(of(issued, chosen), ask_at=now + _bounded(ask_again_seconds))


def _bounded(seconds: float) -> float:
    return min(max(seconds, ASK_SOONEST), ASK_LATEST)
