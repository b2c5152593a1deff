"""Podman's own settings, as far as they say where its events are."""

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def log_file(runtime: Path) -> Path:
    """Where Podman's event log is: `events_logfile_path`, or its usual place."""
    place = runtime / "libpod" / "tmp" / "events" / "events.log"
    for path in _files():
        # What is wrong with them, Podman itself says.
        with suppress(OSError, ValueError, AttributeError, TypeError):
            engine: dict[str, Any] = tomllib.loads(path.read_text()).get("engine", {})
            place = Path(engine.get("events_logfile_path") or place)
    return place


def folders() -> tuple[Path, ...]:
    """Folders of Podman's settings, the last the strongest."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (Path("/usr/share/containers"), Path("/etc/containers"), home / "containers")


def _files() -> Iterator[Path]:
    for folder in folders():
        yield folder / "containers.conf"
        yield from sorted((folder / "containers.conf.d").glob("*.conf"))
