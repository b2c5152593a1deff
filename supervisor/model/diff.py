"""What would change, as texts: the body of `POST /v1/diff`."""

import msgspec

from supervisor.model.errors import Finding
from supervisor.model.rollout import Hold
from supervisor.model.wire import Names


class TextPair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file (or a generated unit) as it is, and as it should be."""

    path: str
    """Relative to the app; of a generated unit, its name."""
    old: str | None = None
    """None where there is none."""
    new: str | None = None
    hidden: str = ""
    """Why the texts are left out, empty if they are here."""


class AppDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What would change for one app; without files and units, nothing."""

    app: str
    revision: str = ""
    """That is here."""
    wanted_revision: str = ""
    held: Hold | None = None
    """A person rolled it back to what is wanted; the source says something else."""
    files: tuple[TextPair, ...] = ()
    units: tuple[TextPair, ...] = ()
    """What Podman's generator makes of the files; only if that was asked for."""
    findings: tuple[Finding, ...] = ()


class Diff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it."""

    apps: tuple[AppDiff, ...] = ()
    problems: tuple[Finding, ...] = ()
    """Of sources: one that cannot be read is compared as it was read last."""


class DiffRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which apps (all, if empty), and whether their generated units too."""

    apps: Names = ()
    units: bool = False
