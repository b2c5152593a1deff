"""Folders that an image is built from: the units in them are the image's, not this host's."""

import posixpath
import re
from collections.abc import Iterable, Mapping

from supervisor.core.files.source_paths import is_below
from supervisor.core.files.unitfile import parse

_RECIPES = ("Containerfile", "Dockerfile")
_ROOT_FILE_SYSTEM = re.compile(
    r"(?:^|/)(?:etc|(?:usr/)?(?:local/)?(?:lib|share))/(?:containers/)?systemd/"
)
"""Where units stand in the root file system of a machine, or of an image."""


class ImageContexts:
    """The build contexts of one app, by its files' paths and its `.build` files' texts."""

    def __init__(self, paths: Iterable[str], builds: Mapping[str, str]) -> None:
        """Look at an app; all paths are relative to its folder."""
        self._named = {
            folder
            for path, text in builds.items()
            for folder in _folders(path, text)
            if not is_below(posixpath.dirname(path), "" if folder == "." else folder)
        }
        self._recipes = {
            posixpath.dirname(path)
            for path in paths
            if path.rpartition("/")[2].startswith(_RECIPES)
        }

    def holding(self, path: str) -> str | None:
        """Return the folder of the image that a file is part of; None if it is of no image.

        A `.build` names it. Without one, a Containerfile above the file's own folder tells, and at
        the app's root only for what stands as in a root file system (`etc/systemd/system/…`).
        """
        if not (self._named or self._recipes):
            return None
        folder = own = posixpath.dirname(path)
        while folder:
            if folder in self._named or (folder in self._recipes and folder != own):
                return folder
            folder = posixpath.dirname(folder)
        return "" if "" in self._recipes and _ROOT_FILE_SYSTEM.search(path) else None


def _folders(path: str, text: str) -> Iterable[str]:
    """Folders that a `.build` names: its context, and that of its Containerfile."""
    here = posixpath.dirname(path)
    unit = parse(text, path=path)
    context = unit.last("Build", "SetWorkingDirectory")
    recipe = unit.last("Build", "File")
    base = here
    if context and context not in ("unit", "file"):
        if "://" in context or context.startswith(("/", "%", "git@")):
            return
        base = posixpath.normpath(posixpath.join(here, context))
        yield base
    if recipe and not recipe.startswith(("/", "%")) and "://" not in recipe:
        yield posixpath.dirname(posixpath.normpath(posixpath.join(base, recipe)))
        yield posixpath.dirname(posixpath.normpath(posixpath.join(here, recipe)))
