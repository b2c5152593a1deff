"""The setting `overlay`: the folder that holds a host's own files, such as `hosts/%H`."""

import re
from collections.abc import Mapping

SPECIFIERS = {
    "H": "host name",
    "l": "host name up to the first dot",
    "u": "user name",
    "%": "a single %",
}
"""Those of systemd.unit(5) that have a meaning here."""
_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)


def problem(text: str) -> str:
    """Return why a text cannot be an overlay, empty if it can."""
    if not text.isprintable():
        return "it has control characters"
    if text.startswith(("/", "~")) or any(part in ("", ".", "..") for part in text.split("/")):
        return "it is a folder within the source, such as hosts/%H"
    for found in _SPECIFIER.findall(text):
        if found not in SPECIFIERS:
            known = ", ".join(f"%{letter} ({what})" for letter, what in SPECIFIERS.items())
            return f"there is no %{found}; there are {known}"
    return ""


def folder_of(text: str, values: Mapping[str, str]) -> str:
    """Return the overlay's folder on this host; empty if a value cannot be a folder's name."""
    folder = _SPECIFIER.sub(lambda found: {"%": "%", **values}.get(found[1], ""), text)
    return "" if any(part in ("", ".", "..") for part in folder.split("/")) else folder


def common_folder(text: str) -> str:
    """Return the folder that holds the overlays of all hosts: it holds no apps of its own.

    Where the very first part of the path is each host's own, that is nothing.
    """
    parts = text.split("/")
    fixed = next((at for at, part in enumerate(parts) if "%" in part.replace("%%", "")), len(parts))
    return "/".join(parts[:fixed]).replace("%%", "%")
