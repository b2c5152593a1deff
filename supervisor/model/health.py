"""Health: what is asked of a unit, and what was answered. Podman's checks and podvisor's probes."""

import enum

import msgspec

RUNTIME_FOLDER = "%t/"
"""How a path begins that is below the user's runtime folder, as in unit files."""


class Health(enum.StrEnum):
    """The one verdict on a unit, whoever checks it; worst last."""

    NONE = ""
    """Nobody checks it."""
    HEALTHY = "healthy"
    STARTING = "starting"
    """Not well yet, and given time."""
    UNHEALTHY = "unhealthy"


class OnFailure(enum.StrEnum):
    """What follows when a probe finds a unit unhealthy."""

    NONE = "none"
    RESTART = "restart"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """`[X-Podvisor] Probe=`: a check that podvisor makes itself, and how it is judged."""

    target: str
    """As it is written, and shown."""
    scheme: str
    """`http`, `https`, `tcp` or `unix`."""
    host: str = ""
    port: int = 0
    path: str = ""
    """What is asked for (http, https); the socket's path (unix), which may begin with `%t/`."""
    interval: float = 30.0
    timeout: float = 5.0
    retries: int = 3
    """So many failures in a row make the unit unhealthy."""
    start_period: float = 0.0
    """How long the first good answer may take; `retries` intervals at least."""
    on_failure: OnFailure = OnFailure.NONE


class CheckRun(enum.StrEnum):
    """What systemd knows of a container's health check: of the unit that Podman runs it in."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"


class ContainerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A container with a health check, as Podman tells it."""

    id: str
    name: str
    unit: str = ""
    """Label PODMAN_SYSTEMD_UNIT."""
    health: Health = Health.NONE
    streak: int = 0
    """Failures in a row."""
    output: str = ""
    """Which check failed last, and what it printed, for people; empty if the last one did not."""
    started_at: float = 0.0
    """Seconds since the epoch."""
    restarts: int = 0
    """How often Podman restarted it by itself (`HealthOnFailure=restart`), which systemd does not
    see; 0 again when anybody else starts it."""
    interval: float = 0.0
    """Seconds between two checks, now."""
    image_interval: float = 0.0
    """What the image says of the interval; 0 if its check is not from there."""
    adjustable: bool = True
    """Whether this Podman can change the interval of a running container."""


class PlayedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the containers that Podman plays from a `.kube` file."""

    id: str
    name: str
    unit: str
    """Label PODMAN_SYSTEMD_UNIT."""
    state: str
    """In Podman's word: `running`, `exited` …; or `removed`."""
    started_at: float = 0.0
    """Seconds since the epoch, as `ended_at`."""
    restarts: int = 0
    """How often Podman restarted it by itself, since anybody else started it."""
    ended_at: float = 0.0
    """Of one that has ended, as the next two."""
    exit_code: int = 0
    out_of_memory: bool = False
    """Whether the kernel ended it for want of memory; read of one that has ended."""
    restart_policy: str = ""
    """When Podman restarts it: `always`, `on-failure` or `no`."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A container's health with what podvisor remembers of it."""

    container: ContainerHealth
    since: float
    """When it was first seen to be so; 0 if it was so before the daemon started."""
    calm_since: float = 0.0
    """Since when nothing was suspicious; 0 if something is."""
    restless_since: float = 0.0
    """When it was first seen that Podman restarts it by itself; 0 if it does not."""
    well_at: float = 0.0
    """When it may be called well after that, if it runs on."""
    last_failure: str = ""
    """`output` of its last check that failed: Podman forgets it when it restarts the container."""


class UnitHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one unit, from all that check it: the worst."""

    health: Health = Health.NONE
    since: float = 0.0
    streak: int = 0
    output: str = ""


class Probed(UnitHealth, frozen=True, kw_only=True):
    """What a unit's probe found so far; `output` is why it failed last."""

    unit: str
    health: Health = Health.STARTING
    began_at: float = 0.0
    """When probing began, at the start of the unit."""
