"""What systemd calls things on the bus."""

import re
import string

from supervisor.model.unit_name import is_template

SYSTEMD = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = f"{SYSTEMD}.Manager"
UNIT = f"{SYSTEMD}.Unit"
PROPERTIES = "org.freedesktop.DBus.Properties"
PEER = "org.freedesktop.DBus.Peer"

BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"

_PLAIN = string.ascii_letters + string.digits
_ESCAPED = [chr(byte) if chr(byte) in _PLAIN else f"_{byte:02x}" for byte in range(256)]
_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")
_TYPED = {
    suffix: f"{SYSTEMD}.{suffix[1:].capitalize()}"
    for suffix in (".service", ".timer", ".socket", ".path", ".mount", ".swap", ".automount")
}


def unit_path(name: str) -> str:
    """Object path of a unit: all but letters and digits is written `_xx`; a first digit, too."""
    encoded = name.encode()
    escaped = "".join([_ESCAPED[byte] for byte in encoded])
    if encoded[:1].isdigit():
        escaped = f"_{encoded[0]:02x}{escaped[1:]}"
    return f"{MANAGER_PATH}/unit/{escaped or '_'}"


def typed_interface(name: str) -> str:
    """Interface of a unit's type that has `Result`; empty for a type without (`.target`)."""
    return _TYPED.get(name[name.rfind(".") :], "")


def can_be_loaded(name: str) -> bool:
    """Whether systemd can have a unit of this name: well-formed, and no template."""
    return _UNIT_NAME.fullmatch(name) is not None and "." in name and not is_template(name)


def unit_rules(name: str) -> tuple[str, str]:
    """Match rules for the changes of one unit, and of no other."""
    changes = (
        f"type='signal',sender='{SYSTEMD}',interface='{PROPERTIES}',member='PropertiesChanged',"
        f"path='{unit_path(name)}',arg0='{UNIT}'"
    )
    return changes, f"{manager_rule('UnitNew')},arg0='{name}'"


def manager_rule(member: str) -> str:
    """Match rule for one of the manager's own signals."""
    return (
        f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='{member}',"
        f"path='{MANAGER_PATH}'"
    )


def owner_rule() -> str:
    """Match rule for systemd's coming to the bus, and its going."""
    return (
        f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',"
        f"path='{BUS_PATH}',arg0='{SYSTEMD}'"
    )
