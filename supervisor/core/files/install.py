"""What the files of a unit say of what starts it, and of what it starts itself."""

from collections.abc import Mapping

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import UnitFile, boolean, expand, specifiers, split_words
from supervisor.model.app import InstallLine

INSTALL_KEYS = ("WantedBy", "RequiredBy", "UpheldBy")
_OTHERS = ("OnFailure", "OnSuccess", "Upholds")
_NEEDS = ("Requires", "BindsTo", "Wants")
_TARGET = ".target"


def install_lines(path: str, files: AppFiles) -> tuple[InstallLine, ...]:
    """Return where the unit file at this path, and its drop-ins, say what starts the unit."""
    return tuple(
        InstallLine(target=target, key=entry.key, path=entry.path, line=entry.line)
        for file in files.shaping(path)
        for entry in file.entries
        if entry.section == "Install" and entry.key in INSTALL_KEYS
        for target in split_words(entry.value)
    )


def aliases(name: str, unit: UnitFile) -> tuple[str, ...]:
    """Return the other names that systemd gives a unit once it is enabled."""
    known = specifiers(name)
    found = (expand(alias, known) for alias in unit.words("Install", "Alias"))
    return tuple(alias for alias in found if alias != name)


def starts(name: str, unit: UnitFile, known: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a unit starts beside what it needs: its timer's service, targets, OnFailure=."""
    stem, _, suffix = name.rpartition(".")
    found = [*unit.words("Unit", *_OTHERS)]
    found.extend(word for word in unit.words("Unit", *_NEEDS) if word.endswith(_TARGET))
    if suffix == "socket":
        found.append(socket_service(name, unit))
    elif suffix in ("timer", "path"):
        found.append(unit.last(suffix.capitalize(), "Unit") or f"{stem}.service")
    return tuple(expand(word, known) for word in found)


def socket_service(name: str, unit: UnitFile) -> str:
    """Return the service that a socket starts: of a template, if each connection has its own."""
    one_each = "@" if boolean(unit.last("Socket", "Accept")) else ""
    return unit.last("Socket", "Service") or f"{name.removesuffix('.socket')}{one_each}.service"
