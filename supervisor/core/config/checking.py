"""Which source of the settings a folder is, or is a copy of. For `podvisor check`."""

import posixpath
import re
from collections.abc import Collection, Mapping

from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Globs
from supervisor.model.settings import SourceSettings

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


def sources_of(
    folder: str,
    origins: Collection[str],
    sources: Mapping[str, SourceSettings],
    folders: Mapping[str, str],
) -> dict[str, SourceSettings]:
    """Return the sources that are `folder`, else those of which it is a clone.

    `folder`, and `folders`, those of the sources, are real paths; `origins` are the URLs of its
    remotes, for the top of a working tree. If it is none of them, it is one of its own, with no
    settings, named after the folder.
    """
    if same := {name: one for name, one in sources.items() if folders.get(name) == folder}:
        return same
    places = {_place(GitUrl(url)) for url in (*origins, folder)}
    cloned = {name: one for name, one in sources.items() if one.git and _place(one.git) in places}
    if cloned:
        return cloned
    name = _NOT_IN_NAMES.sub("-", posixpath.basename(folder).lower()).strip(".-_")[:63]
    return {name or "source": SourceSettings()}


def settings_for_check(
    source: SourceSettings,
    *,
    git: str = "",
    ref: str = "",
    folder: str = "",
    apps: Collection[str] = (),
    ignore: Collection[str] = (),
    overlay: str = "",
) -> SourceSettings:
    """Return a source's settings at another place, as far as they say what is an app.

    `apps`, `ignore` and `overlay` take the place of the source's, if they are given.
    """
    return SourceSettings(
        git=GitUrl(git),
        ref=ref,
        folder=folder,
        apps=Globs(apps) or source.apps,
        ignore=Globs(ignore) or source.ignore,
        select=source.select,
        exclude=source.exclude,
        overlay=overlay or source.overlay,
    )


def _place(url: GitUrl) -> str:
    """Return what URLs and paths of the same repository have in common."""
    return f"{url.server}/{url.repository}"
