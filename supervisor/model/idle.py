"""What `podvisor bench idle` reads off the kernel's counters, and what it makes of them."""

import msgspec


class ProcessReading(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one process, since its start."""

    name: str
    cpu_us: int
    """Its own CPU time, threads that ended included; exact."""
    switches: dict[int, tuple[int, int]]
    """Thread id → how often it went to sleep by itself, and how often it was taken off the CPU."""
    written: int | None = None
    """Bytes that it made the kernel write to a disk, with the children that it waited for."""
    pss: int | None = None
    """Bytes of memory; of a page that n processes share, the nth part. None: not asked or told."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All counters of one target at one moment."""

    at: float
    """Seconds, on a clock that only grows."""
    cpu_us: dict[str, int]
    """CPU time by what counts it: an incarnation of a cgroup, or a process with its tree."""
    user_us: int
    """Share of it outside the kernel; sampled by its tick, so only good for a proportion."""
    system_us: int
    processes: dict[str, ProcessReading]
    """By process id and start time."""
    written: int | None = None
    """Bytes written by cgroup, where the kernel counts them so."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the whole machine has been so far, in seconds of all its CPUs."""

    at: float
    busy: float
    stolen: float
    """By other machines on the same hardware."""
    total: float
    waiting: float
    """Seconds in which something could run, and no CPU was free for it (pressure)."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What one target spent between two readings."""

    seconds: float
    cpu_us: int
    user_us: int
    system_us: int
    ended_cpu_us: int
    """Of `cpu_us`, what went to processes that are gone: their switches nobody can tell."""
    wakeups: int
    switches: int
    written: int | None


class Spread(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mean over a window, and what it was in each part of it."""

    mean: float
    parts: tuple[float, ...] = ()
    error: float = 0.0
    """Standard error of the mean."""


class Figures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one target costs at rest."""

    label: str
    what: str
    """Which units, groups or processes were measured."""
    cpu_ms: Spread
    """Milliseconds of CPU a minute: user, system, children, and children that ended."""
    user_ms: float
    system_ms: float
    ended_cpu_ms: float
    """Of it, in processes that came and went."""
    wakeups: Spread
    """Voluntary context switches a minute: how often something that slept had to run."""
    switches: float
    """All context switches a minute."""
    switches_complete: bool
    """False if processes came and went whose switches are not among these."""
    memory: int | None
    """Bytes (PSS) of all its processes at the end."""
    written: int | None
    """Bytes to disk in the whole window."""
    processes: tuple[str, ...]
    """Names of those that run at the end."""
    notes: tuple[str, ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What podvisor makes somebody else do: means a minute, with and without it."""

    label: str
    with_ms: Spread
    without_ms: Spread
    more_ms: float
    more_ms_error: float
    with_wakeups: float
    without_wakeups: float


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of the benchmark."""

    version: str
    machine: str
    kernel: str
    cpus: int
    settle_seconds: float
    window_seconds: float
    busy_share: float
    """Of all CPUs, by others than the targets, over the window."""
    pressure_share: float
    stolen_share: float
    targets: tuple[Figures, ...]
    others: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
