"""Incidents: what is wrong, from the moment it is seen until it is over."""

import enum

import msgspec


class IncidentCode(enum.StrEnum):
    """What kind of thing is wrong: stable, for filters of notifications and for scripts."""

    APP_REFUSED = "app-refused"
    """Something in its newest revision is refused; the last good one keeps running."""
    APP_REVERTED = "app-reverted"
    """Its newest revision failed its gate, and was taken back."""
    APP_FAILING = "app-failing"
    """It is not as it should be, and no unit or need of it says why."""
    NEED_FAILING = "need-failing"
    """What it waits for (an image, a secret, another unit) could not be had."""
    UNIT_DOWN = "unit-down"
    """A unit that should run does not."""
    UNIT_UNHEALTHY = "unit-unhealthy"
    """A unit runs, and its health check or its probe fails."""
    CERTIFICATE = "certificate"
    """A certificate has expired, cannot be renewed, or is not served."""
    SOURCE_UNREADABLE = "source-unreadable"
    """A source cannot be read."""
    SOURCE_REFUSED = "source-refused"
    """Something in a source that belongs to no app is refused."""
    SUPERVISOR = "supervisor"
    """Of podvisor itself and its host: the settings, the ledger, systemd, Podman."""


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong. What it is about never changes, what is said of it may."""

    code: IncidentCode
    app: str = ""
    """Empty for what is a source's, or podvisor's own."""
    subject: str = ""
    """Which one of the app: its unit, its certificate, a file, an image; the source's name."""
    text: str
    """What, and why, in a sentence."""
    hint: str = ""
    """What to do, in words."""
    command: str = ""
    """What to type next."""
    opened_at: float = 0.0
    """When it was first seen, seconds since the epoch; 0 if that was not written down yet."""

    @property
    def key(self) -> str:
        """Tells it from others."""
        return f"{self.code}/{self.app}/{self.subject}"
