"""Names of images as payloads have them → as Podman has them.

What a name and a tag are, the OCI's distribution specification says, in “Pulling manifests”.
"""

import re
from urllib.parse import urlsplit

from supervisor.kit.texts import one_line
from supervisor.model.registry_webhook import PushedImage

_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9][a-z0-9-]{0,62}){0,16}|\[[0-9a-f:.]{2,45}\])"
    r"(?::\d{1,5})?",
    re.ASCII,
)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_BESIDE = re.compile(r"sha(?:256|512)-[0-9a-f]{64,128}(?:\.[a-z0-9.]+)?", re.ASCII)
"""Tags by which signatures and attestations are kept beside what they are of."""
_LONGEST_PATH = 255
_DOCKER_HUB = "docker.io"
_ALSO_DOCKER_HUB = {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}


class NotAnImage(ValueError):
    """It names no image with a tag; says why, in words that are safe to show."""


def is_registry(text: str) -> bool:
    """Whether a text is HOST or HOST:PORT."""
    return bool(_HOST.fullmatch(text))


def pushed_image(host: str, path: str, tag: str) -> PushedImage:
    """Check the parts of a name, and make them Podman's. Raises NotAnImage."""
    host, path = host.strip().lower(), path.strip("/").lower()
    if host in _ALSO_DOCKER_HUB:
        host = _DOCKER_HUB
    if not host:
        raise NotAnImage("it does not say of which registry it is")
    if not is_registry(host):
        raise NotAnImage(f"{one_line(host)} is no registry")
    if len(path) > _LONGEST_PATH or not _PATH.fullmatch(path):
        raise NotAnImage(f"“{one_line(path)}” is no image's name")
    if not tag or ":" in tag:
        raise NotAnImage("it is of a manifest without a tag")
    if not _TAG.fullmatch(tag):
        raise NotAnImage(f"“{one_line(tag)}” is no tag")
    if _BESIDE.fullmatch(tag):
        raise NotAnImage("it is of a signature or an attestation")
    if host == _DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return PushedImage(f"{host}/{path}", tag)


def split_reference(text: str) -> tuple[str, str, str]:
    """Part `[HOST/]NAME[:TAG][@DIGEST]`; what is not there is empty, and nothing is checked.

    As with Podman, the first part is a host if it has a dot or a colon, or is `localhost`.
    """
    text, _, digest = text.removeprefix("https://").removeprefix("http://").partition("@")
    first, slash, rest = text.partition("/")
    host, name = (
        (first, rest) if slash and (set(first) & {".", ":"} or first == "localhost") else ("", text)
    )
    path, _, tag = name.partition(":")
    return host, path, digest or tag


def host_of(url: str) -> str:
    """Return HOST or HOST:PORT of a URL; empty if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc.rpartition("@")[2] if parts.scheme in {"http", "https"} else ""
