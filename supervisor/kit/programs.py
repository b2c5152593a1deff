"""Which programs there are."""

import os
from pathlib import Path


def is_installed(program: str, path: str | None = None) -> bool:
    """Whether a program is in one of the folders of a search path; without one, of $PATH."""
    folders = os.get_exec_path() if path is None else path.split(os.pathsep)
    places = [Path(folder, program) for folder in folders]
    return any(place.is_file() and os.access(place, os.X_OK) for place in places)
