"""When the next order may be made after one that failed."""

import hashlib

import msgspec

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import Challenge

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

PASSING_SECONDS = (
    1 * MINUTE,  # a connection that broke
    5 * MINUTE,
    15 * MINUTE,
    HOUR,  # it is down: and so on, for days
)
VALIDATION_SECONDS = (
    15 * MINUTE,  # a record or a port that is just being set
    HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,  # somebody has to look at it; five an hour would lock the name
)
LIMITED_SECONDS = (HOUR, 3 * HOUR, 12 * HOUR, DAY)
"""Where the issuer does not say until when."""
_TABLES = {
    FailureKind.PASSING: PASSING_SECONDS,
    FailureKind.VALIDATION: VALIDATION_SECONDS,
    FailureKind.LIMITED: LIMITED_SECONDS,
}
LONGEST_WAIT = 8 * DAY
"""No issuer's limit lasts longer; what is further ahead was written before the clock was set back.
"""


def way_of(challenge: Challenge, settings: msgspec.Struct) -> str:
    """Tell a challenge and all settings of certificates from others."""
    text = msgspec.json.Encoder(enc_hook=repr, order="deterministic").encode((challenge, settings))
    return hashlib.sha256(text).hexdigest()[:16]


def retry_at(refusal: OrderRefusal, failures: int, now: float) -> float:
    """When it is tried again after so many failures in a row (1 or more); 0 is not by itself."""
    if refusal.kind is FailureKind.REFUSED:
        return 0.0
    seconds = _nth(_TABLES[refusal.kind], failures)
    if refusal.kind is FailureKind.LIMITED and refusal.retry_after:
        # A clock that is a little ahead is not to ask too early.
        seconds = refusal.retry_after + MINUTE
    return now + min(max(seconds, refusal.retry_after), LONGEST_WAIT)


def _nth(table: tuple[float, ...], failures: int) -> float:
    return table[min(max(failures, 1), len(table)) - 1]
