"""Names of systemd's units: templates and their instances."""

DEFAULT_TARGET = "default.target"
"""What the user's systemd starts by itself, systemd.special(7)."""

MOST_REPLICAS = 100
"""Of one template; more are taken for a slip of the pen."""


def is_template(unit: str) -> bool:
    """Whether a unit's name (or a Quadlet file's) is that of a template: `web@.service`."""
    return unit.rpartition(".")[0].endswith("@")


def instance_of(template: str, instance: str) -> str:
    """Name of a template's instance: `web@.service` and `1` make `web@1.service`."""
    prefix, _, suffix = template.partition("@")
    return f"{prefix}@{instance}{suffix}"


def pattern_of(unit: str) -> str:
    """Pattern by which systemctl and journalctl know a template's instances; else the name."""
    # A name may hold what means something in a pattern: the backslash of an escape.
    return instance_of(unit.replace("\\", "\\\\"), "*") if is_template(unit) else unit


def instance_in(unit: str) -> str:
    """Name of the instance in a unit's name: `1` in `web@1.service`; empty in any other."""
    return unit.partition("@")[2].rpartition(".")[0]


def template_of(unit: str) -> str:
    """Name of the unit that defines one: `web@.service` of `web@1.service`, else its own."""
    prefix, at, rest = unit.partition("@")
    return f"{prefix}@.{rest.rpartition('.')[2]}" if at else unit


def replica_names(replicas: int) -> tuple[str, ...]:
    """Names of so many instances: they are numbered from 1."""
    return tuple(str(number) for number in range(1, replicas + 1))
