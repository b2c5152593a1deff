"""What `podvisor doctor` finds, each with its mend, and what health checks cost."""

import enum

import msgspec


class Severity(enum.StrEnum):
    """How bad it is, the worst first."""

    ERROR = "error"
    """podvisor, or an app, cannot work like this."""
    WARNING = "warning"
    """It works, and will hurt: after the next boot, with the next app, on a full disk."""
    INFO = "info"
    """Worth knowing; nothing need be done."""
    UNKNOWN = "unknown"
    """It cannot be told: who would know does not answer, or may not be asked."""
    OK = "ok"


class Group(enum.StrEnum):
    """What a check looks at."""

    PODVISOR = "podvisor"
    APPS = "apps"
    ACCOUNT = "account"
    SYSTEMD = "systemd"
    PODMAN = "podman"
    MACHINE = "machine"


class Examined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one check found: several of them have its code where it found several things."""

    code: str
    """Of the check: stable, for scripts."""
    group: Group
    severity: Severity
    seen: str
    """In a sentence."""
    why: str = ""
    """Why it matters; left out where it is in order."""
    advice: str = ""
    """What to do in words, besides or after the commands."""
    commands: tuple[str, ...] = ()
    """What to type, one after the other; those that begin with sudo need an administrator."""
    fixable: bool = False
    """Whether `podvisor doctor --fix` runs these commands."""


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The health check of a container: whose it is, and how often it runs."""

    container: str
    unit: str = ""
    """That the container belongs to; empty for one that no unit runs."""
    path: str = ""
    """Of the unit's file."""
    managed: bool = False
    """Whether podvisor deployed it."""
    interval: float
    """Seconds between two checks now."""
    failed: bool = False
    """Whether a run said that the container is not well."""


class CheckCost(HealthCheck, frozen=True, kw_only=True):
    """A health check, with what each of some runs cost."""

    cpu_ms: tuple[float, ...] = ()
    """CPU time of each run: Podman's programs, and the command in the container."""
    command: tuple[str, ...] = ()
    ports: dict[str, int] = {}
    """Ports that it publishes: `80/tcp` to the machine's port."""


class Advice(HealthCheck, frozen=True, kw_only=True, omit_defaults=True):
    """A health check, with what it costs over time and what would make that less."""

    ms_per_run: float
    """The median."""
    ms_per_minute: float
    percent_of_core: float
    lines: tuple[str, ...] = ()
    """What to write into `path` to check it less often; empty if there is nothing to gain."""
    saves_ms_per_minute: float = 0.0
    probe: str = ""
    """A probe that could replace it, where it publishes a port: `Probe=…`."""


class HealthCosts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all health checks cost together, by `--measure`."""

    checks: tuple[Advice, ...] = ()
    """The dearest first."""
    ms_per_minute: float = 0.0
    saves_ms_per_minute: float = 0.0


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that `podvisor doctor --json` says."""

    version: str
    """Of the command line."""
    running: bool
    """Whether a daemon answers."""
    checks: tuple[Examined, ...]
    """The worst first."""
    health_costs: HealthCosts | None = None
    """Left out without `--measure`."""
