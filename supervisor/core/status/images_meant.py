"""Which images, and which version, a person means by a word or two."""

from collections.abc import Collection, Iterable, Sequence

from supervisor.core.files.names import unknown
from supervisor.core.images.reference import name_and_tag
from supervisor.core.images.words import is_called, short_name
from supervisor.kit.texts import meant
from supervisor.model.errors import Stalled
from supervisor.model.image_status import ImageStatus


def images_called(
    images: Collection[ImageStatus], name: str, *, is_early: bool = False
) -> list[ImageStatus]:
    """Return those whose newer versions are asked for, of the app or the image of this name.

    By no name, all. Raises Stalled if there is none; with `is_early` it may come yet.
    """
    mine = [one for one in images if name in ("", one.app) or is_called(one.image, name)]
    followed = [one for one in mine if one.known]
    if asked := [one for one in followed if not one.off]:
        return asked
    if followed:
        hint = "as Update= of its unit or [images] of the settings says; podvisor pin takes another"
        raise Stalled(f"updates of {name or 'all images'} are off", hint=hint)
    if mine or not name:
        raise _not_followed(name)
    names = {one.app for one in images} | {short_name(one.image) for one in images}
    what, hint = f"no app and no image named “{name}”", "podvisor images lists them all"
    raise unknown(what, name, names, hint=hint, is_early=is_early)


def images_and_version(
    app: str, images: Collection[ImageStatus], words: Sequence[str]
) -> tuple[list[ImageStatus], str]:
    """Return which images of an app are meant (all that are followed, by no word), and the version.

    That is empty if none is said. One word may be either, or `NAME:TAG` or `NAME@sha256:…`. Raises
    Stalled for an image that the app has not, or of which nobody follows the versions.
    """
    followed = [one for one in images if one.known]
    if not followed:
        raise _not_followed(app)
    if not words:
        return followed, ""
    first, wish = words[0], "".join(words[1:2])
    if named := _called(followed, first):
        return named, wish
    name, version = _split(first)
    if not wish and version and (named := _called(followed, name)):
        return named, version
    if not wish and not _called(images, name) and len({one.image for one in followed}) == 1:
        return followed, first
    raise no_image(app, images, first)


def no_image(app: str, images: Collection[ImageStatus], word: str) -> Stalled:
    """Say that an app has no image that is called so, or one that is not followed."""
    if _called(images, word):
        return _not_followed(word)
    hint = meant(word, sorted({short_name(one.image) for one in images}))
    return Stalled(f"{app} has no image named “{word}”", hint=hint)


def _called(images: Iterable[ImageStatus], word: str) -> list[ImageStatus]:
    return [one for one in images if is_called(one.image, word)]


def _split(word: str) -> tuple[str, str]:
    """Return a reference's name, and what it says of the version."""
    name, at, digest = word.partition("@")
    if at:
        return name_and_tag(name)[0], digest
    name = name_and_tag(word)[0]
    return name, word[len(name) + 1 :]


def _not_followed(name: str) -> Stalled:
    return Stalled(
        f"no newer versions of {name or 'any image'} are looked for",
        hint="AutoUpdate=registry in a .container file has the tag of its image followed",
    )
