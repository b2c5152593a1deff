"""What `podvisor doctor` finds: what health checks cost, and what would save most."""

import msgspec

from supervisor.model.errors import Finding


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


class Advice(HealthCheck, frozen=True, kw_only=True):
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


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that `podvisor doctor` says: what is wrong, and what the health checks cost."""

    findings: tuple[Finding, ...] = ()
    checks: tuple[Advice, ...] = ()
    ms_per_minute: float = 0.0
    saves_ms_per_minute: float = 0.0
