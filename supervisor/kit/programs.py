"""Which programs there are."""

import os


def is_installed(program: str, path: str | None = None) -> bool:
    """Whether a program is in one of the folders of a search path; without one, of $PATH."""
    folders = os.get_exec_path() if path is None else path.split(os.pathsep)
    places = [os.path.join(folder, program) for folder in folders]  # noqa: PTH118 - see below
    # Not by pathlib, which raises where a folder cannot be looked into.
    return any(os.path.isfile(place) and os.access(place, os.X_OK) for place in places)  # noqa: PTH113
