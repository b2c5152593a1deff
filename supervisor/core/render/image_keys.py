"""Who has to have signed the images of an app: from `[X-Podvisor] VerifyImage=` to keys.

What is verified is a digest. So the image has to be named by one: by a unit's own file, or by the
pin of an image that is kept up to date.
"""

import posixpath
from collections.abc import Sequence
from functools import partial

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.public_key import fingerprint, read_public_key
from supervisor.core.images.reference import parse_reference
from supervisor.core.render.image_rules import VERIFY, ImageAsk, asking_of, report
from supervisor.core.render.reading import Reading
from supervisor.model.app import DesiredUnit
from supervisor.model.image import ImageKey

_refuse = partial(report, key=VERIFY, fatal=True)


def give_image_keys(reading: Reading, asks: Sequence[ImageAsk]) -> None:
    """Give each unit that names an image the key that it, or who uses it, asks for.

    An app of which that cannot be read is refused: it would run what nobody has verified.
    """
    if reading.refused:
        return
    asking = asking_of(asks, reading)
    by_name = {unit.name: unit for unit in reading.units}
    keys: dict[str, ImageKey] = {}
    for ask in asks:
        some = [one for one in asking.get(ask.unit, ()) if one.words.verify]
        found = [(one, key) for one in some if (key := _key_of(one, reading))]
        if not found:
            continue
        if why := _unverifiable(by_name[ask.unit], ask):
            _refuse(reading, found[0][0], f"{VERIFY}= has no meaning: {why[0]}", why[1])
        for one, key in found[1:]:
            if key.der != found[0][1].der:
                message = f"{ask.path} is to be signed with {found[0][1].path}, and with {key.path}"
                _refuse(reading, one, message, "say VerifyImage= once")
        keys[ask.unit] = found[0][1]
    for ask in asks:
        if ask.words.verify and not any(ask in some for some in asking.values()):
            message = f"{VERIFY}= has no meaning: {ask.image} is of another app"
            _refuse(reading, ask, message, "say it in the file that names the image")
    reading.units[:] = [
        msgspec.structs.replace(unit, verify=keys.get(unit.name)) for unit in reading.units
    ]


def _key_of(ask: ImageAsk, reading: Reading) -> ImageKey | None:
    """Read the key that a unit names; says why that cannot be."""
    said = ask.words.verify or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(ask.path), said))
    files = reading.files
    if path.startswith("../") or files.real_path(path) is None:
        why, hint = "it is outside of the app's folder", "put the key beside the unit's file"
    elif not files.holds(path):
        why, hint = "it is not there", "put the key beside the unit's file"
    elif files.is_folder(path):
        why, hint = "it is a folder", "name the file in it"
    elif (content := files.content(path)) is None:
        why, hint = "it is too large for a key", "write the public key as cosign has it"
    else:
        try:
            der = read_public_key(content)
        except ValueError as error:
            why, hint = str(error), ""
        else:
            return ImageKey(path=path, der=der, fingerprint=fingerprint(der))
    _refuse(reading, ask, f"cannot take {said} for a public key: {why}", hint)
    return None


def _unverifiable(unit: DesiredUnit, ask: ImageAsk) -> tuple[str, str] | None:
    """Say why what the unit runs cannot be what was verified, and what to do."""
    if rule := unit.image_rule:
        if rule.question.is_local:
            return "what is built here comes from no registry", "write AutoUpdate=registry"
        return None
    hint = "write AutoUpdate=registry, ImagePolicy= or Image=NAME@sha256:…"
    if ask.image.endswith(".build"):
        return f"{ask.image} makes the image here", ""
    try:
        reference = parse_reference(ask.image)
    except Refused:
        return f"{ask.image} is no image of a registry", hint
    if not reference.digest:
        return f"what {ask.image} stands for may change after it was verified", hint
    return None
