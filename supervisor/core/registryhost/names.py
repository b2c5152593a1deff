"""Names of images as payloads have them → whole names, as Podman has them."""

import re
from urllib.parse import urlsplit

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.reference import has_registry, parse_reference

_BESIDE = re.compile(r"(sha(?:256|512))-([0-9a-f]{64,128})(?:\.([a-z0-9.]+))?", re.ASCII)
"""Tags by which signatures and attestations are kept beside what they are of."""


class NotAnImage(ValueError):
    """It names no image with a tag; says why, in words that are safe to show."""


def is_registry(text: str) -> bool:
    """Whether a text is a registry as it stands in names: HOST or HOST:PORT."""
    try:
        return parse_reference(f"{text}/x").host == text
    except Refused:
        return False


def pushed_image(host: str, path: str, tag: str) -> str:
    """Return the whole name, `HOST/NAME:TAG`, of its parts. Raises NotAnImage.

    Of a signature it is the name of what that signs, `HOST/NAME@DIGEST`.
    """
    host, path = host.strip().lower(), path.strip("/").lower()
    if not host:
        raise NotAnImage("it does not say of which registry it is")
    if not tag or ":" in tag:
        raise NotAnImage("it is of a manifest without a tag")
    beside = _BESIDE.fullmatch(tag)
    if beside and beside[3] != "sig":
        raise NotAnImage("it is of an attestation or another thing beside an image")
    version = f"@{beside[1]}:{beside[2]}" if beside else f":{tag}"
    try:
        reference = parse_reference(f"{host}/{path}{version}")
    except Refused as error:
        raise NotAnImage(str(error)) from None
    if not reference.host:
        raise NotAnImage(f"“{reference.path}” does not begin with a registry")
    return str(reference)


def split_reference(text: str) -> tuple[str, str, str]:
    """Part `[HOST/]NAME[:TAG][@DIGEST]`; what is not there is empty, and nothing is checked."""
    text, _, digest = text.removeprefix("https://").removeprefix("http://").partition("@")
    first, _, rest = text.partition("/")
    host, name = (first, rest) if has_registry(text) else ("", text)
    path, _, tag = name.partition(":")
    return host, path, digest or tag


def host_of(url: str) -> str:
    """Return HOST or HOST:PORT of a URL; empty if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc.rpartition("@")[2] if parts.scheme in {"http", "https"} else ""
