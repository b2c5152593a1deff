"""What podvisor and its apps take of the machine: the body of `GET /v1/machine`."""

import msgspec

from supervisor.model.counters import ProcessUsage


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon's own process had taken at a moment, since it started."""

    at: float
    """Seconds since the epoch."""
    cpu_seconds: float
    """Without processes that it started."""
    waits: int
    """How often it went to sleep, and so was woken."""


class UnitUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of an app that runs."""

    unit: str
    app: str
    memory: int = 0
    """Bytes, with the page cache of what it reads; 0 where the kernel does not tell."""
    ports: tuple[str, ...] = ()
    """Of the host, that it publishes: `8080/tcp`, `127.0.0.1:53/udp`."""


class CheckUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Checks of one unit's health."""

    unit: str
    app: str
    is_probe: bool = False
    """Whether podvisor makes them itself; else Podman runs a command in the container."""
    interval: float
    """Seconds between two of them, now."""


class DiskUse(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that podvisor writes to, or Podman for it."""

    folder: str
    free: int
    """Bytes."""


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it."""

    process: ProcessUsage = ProcessUsage()
    samples: tuple[Sample, ...] = ()
    """The oldest first, one for each sign of life that systemd wants; the last is of now."""
    units: tuple[UnitUse, ...] = ()
    checks: tuple[CheckUse, ...] = ()
    disks: tuple[DiskUse, ...] = ()
    """One for each file system."""
