"""Names of systemd's units: templates and their instances."""


def is_template(unit: str) -> bool:
    """Whether a unit's name (or a Quadlet file's) is that of a template: `web@.service`."""
    return unit.rpartition(".")[0].endswith("@")


def instance_of(template: str, instance: str) -> str:
    """Name of a template's instance: `web@.service` and `1` make `web@1.service`."""
    prefix, _, suffix = template.partition("@")
    return f"{prefix}@{instance}{suffix}"


def template_of(unit: str) -> str:
    """Name of the unit that defines one: `web@.service` of `web@1.service`, else its own."""
    prefix, at, rest = unit.partition("@")
    return f"{prefix}@.{rest.rpartition('.')[2]}" if at else unit
