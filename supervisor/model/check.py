"""What `podvisor check` found: the apps of a source, where each file went, and what is wrong."""

import msgspec

from supervisor.model.errors import Finding


class CheckedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that would be deployed."""

    name: str
    path: str
    """Of the file that it comes from, relative to the source's root."""


class CheckedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that would be asked for."""

    name: str
    path: str
    """Of its `.certificate` file, relative to the source's root."""
    domains: tuple[str, ...]
    issuer: str


class CheckedApp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One app."""

    name: str
    root: str
    """Its folder within the source; empty for the source's root."""
    refused: bool
    """Whether something fatal was found, so that nothing of it would be deployed."""
    units: tuple[CheckedUnit, ...] = ()
    certificates: tuple[CheckedCertificate, ...] = ()
    files: tuple[str, ...] = ()
    """All that would be installed, relative to the source's root."""


class CheckedLeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A unit file that is part of no app."""

    path: str
    reason: str


class Check(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it."""

    sources: tuple[str, ...] = ()
    """Sources of the settings of which this is a copy; none if their settings were not asked."""
    layout: tuple[str, ...] = ()
    """Globs of the apps, as they were given or found."""
    apps: tuple[CheckedApp, ...] = ()
    left_out: tuple[CheckedLeftOut, ...] = ()
    others: int = 0
    """Number of other files that are part of no app."""
    findings: tuple[Finding, ...] = ()
