"""What counts for an image of an app: the unit's own word, then the settings'."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TypeVar

from supervisor.core.images.reference import full_name, name_and_tag
from supervisor.model.image import ImageRule, UpdateMode, UpdateTerms
from supervisor.model.settings import ImageSettings, ImageUpdateSettings

_T = TypeVar("_T")
_CAREFUL = (UpdateMode.OFF, UpdateMode.NOTIFY, UpdateMode.DOWNLOAD, UpdateMode.AUTO)


def effective(rule: ImageRule, app: str, settings: ImageSettings) -> UpdateTerms:
    """Return what counts: the unit beats `by_image`, that `by_app`, and that `[images]`.

    Each field by itself; of several globs that fit, the first that says something of it.
    """
    said = tuple(_tables(rule.question.image, app, settings))
    return UpdateTerms(
        update=_first((rule.update, *(one.update for one in said)), settings.update),
        cooldown=_first((rule.cooldown, *(one.cooldown for one in said)), settings.cooldown),
        window=_first((rule.window, *(one.window for one in said)), settings.window),
        keep=_first((rule.keep, *(one.keep for one in said)), settings.keep),
    )


def update_mode(terms: Iterable[UpdateTerms]) -> UpdateMode:
    """Return what counts where several units have one image: the most careful word."""
    return most_careful(one.update for one in terms)


def most_careful(modes: Iterable[UpdateMode]) -> UpdateMode:
    """Return the one, of one or more, that does the least by itself."""
    return min(modes, key=_CAREFUL.index)


def _first(values: Iterable[_T | None], otherwise: _T) -> _T:
    return next((value for value in values if value is not None), otherwise)


def _tables(image: str, app: str, settings: ImageSettings) -> Iterator[ImageUpdateSettings]:
    for glob, table in settings.by_image.items():
        if glob_fits(glob, image):
            yield table
    if app in settings.by_app:
        yield settings.by_app[app]


def glob_fits(glob: str, image: str) -> bool:
    """Whether a glob of `by_image` is about an image: with its tag, or without."""
    whole = glob if set("*?[") & set(glob) else full_name(glob)
    return any(fnmatchcase(name, whole) for name in (name_and_tag(image)[0], image))
