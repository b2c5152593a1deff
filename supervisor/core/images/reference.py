"""Image references, in the words of Podman's stores: `docker.io/library/nginx:latest`.

The grammar is that of github.com/distribution/reference; what a missing part stands for is as in
Podman (containers-registries.conf(5)).
"""

import re
from collections.abc import Iterator

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.kit.texts import one_line

DOCKER_HUB = "docker.io"
LATEST = "latest"
OTHER_TRANSPORTS = re.compile(
    r"(?:containers-storage|dir|docker-archive|docker-daemon|oci|oci-archive|ostree|sif):"
)
"""How references of what no registry holds begin."""
_HUBS_OTHER_NAME = "index.docker.io"
_LONGEST_NAME = 255
_LONGEST_TEXT = 512
_HOST = re.compile(
    r"(?:(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
    r"(?:\.(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*"
    r"|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_WHOLE_NAME = "write the whole name, such as docker.io/library/nginx:1.27"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image by name: of which registry, which repository there, and which version."""

    host: str
    """`docker.io`, `localhost:5000`; empty for a short name, which may be of any registry."""
    path: str
    """`library/nginx`."""
    tag: str = ""
    """`latest` if neither it nor a digest is given."""
    digest: str = ""
    """`sha256:…`; beats the tag."""

    @property
    def repository(self) -> str:
        """`docker.io/library/nginx`, as registries are asked."""
        return f"{self.host}/{self.path}" if self.host else self.path

    @property
    def tagged(self) -> str:
        """Whole name with its tag: `docker.io/library/nginx:1.27`; without, if it has none."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    def __str__(self) -> str:
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged


def parse_reference(text: str) -> Reference:
    """Read what `Image=` may say, in its whole form: `docker.io/nginx` is `…/library/nginx:latest`.

    Raises Refused for what is no reference; an image's id and other transports are none.
    """
    said = one_line(text, 80)
    if len(text) > _LONGEST_TEXT:
        raise Refused(f"“{said}” is too long for an image's name", _WHOLE_NAME)
    name, at, digest = text.removeprefix("docker://").partition("@")
    if at and not _DIGEST.fullmatch(digest):
        hint = "a digest is sha256: and 64 of 0-9 a-f"
        raise Refused(f"“{said}” names no image: what follows the @ is no digest", hint)
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    elif not is_tag(tag):
        hint = "a tag is of A-Z a-z 0-9 _ . -, 128 long at most, and begins with none of . -"
        raise Refused(f"“{said}” names no image: what follows the : is no tag", hint)
    host, path = _host_and_path(head)
    if host and not _HOST.fullmatch(host):
        hint = "it is what stands before the first /, such as registry.example.org:5000"
        raise Refused(f"“{said}” names no image: its registry is no host", hint)
    if not all(map(_PART.fullmatch, path.split("/"))):
        is_upper = path != path.lower() and all(map(_PART.fullmatch, path.lower().split("/")))
        hint = f"write it in small letters: {path.lower()}" if is_upper else _WHOLE_NAME
        raise Refused(f"“{said}” names no image", hint)
    if len(host) + 1 + len(path) > _LONGEST_NAME:
        raise Refused(f"“{said}” is too long for an image's name", _WHOLE_NAME)
    return Reference(host=host, path=path, tag=tag or ("" if at else LATEST), digest=digest)


def is_tag(text: str) -> bool:
    """Whether a registry can hold a tag of this name."""
    return bool(_TAG.fullmatch(text))


def _host_and_path(head: str) -> tuple[str, str]:
    if not has_registry(head):
        return "", head
    host, _, path = head.partition("/")
    if host in (DOCKER_HUB, _HUBS_OTHER_NAME):
        return DOCKER_HUB, path if "/" in path else f"library/{path}"
    return host, path


def name_and_tag(reference: str) -> tuple[str, str]:
    """Return repository and tag of a reference; no tag where a digest says which."""
    repository, at, _ = reference.partition("@")
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        return head, "" if at else tag
    return repository, "" if at else LATEST


def has_registry(repository: str) -> bool:
    """Whether it says of which registry it is; a short name may be of any."""
    first, slash, _ = repository.partition("/")
    return bool(slash) and (bool(set(".:") & set(first)) or first == "localhost")


def with_parents(repository: str) -> Iterator[str]:
    """Yield a repository, and then what it is part of, its registry last."""
    while repository:
        yield repository
        repository = repository.rpartition("/")[0]


def full_name(repository: str) -> str:
    """Write Docker Hub's official images as Podman stores them."""
    host, path = _host_and_path(repository)
    return f"{host}/{path}" if host else path


def built_name(tag: str) -> str:
    """Return the whole name of an image that is built with this tag: Podman's own registry, latest.

    Empty for none, or for one that only systemd knows.
    """
    if not tag or set("$%") & set(tag):
        return ""
    name = tag if has_registry(tag) else f"localhost/{tag}"
    return f"{name}:{LATEST}" if name_and_tag(tag) == (tag, LATEST) else name


def stored_name(reference: str) -> str:
    """Return the name that an image of this reference has in a store.

    Empty if only Podman can tell, as for a short name. What was pulled by a tag can be found by its
    digest, and has no name of it.
    """
    repository, tag = name_and_tag(reference)
    if not has_registry(repository):
        return ""
    end = f":{tag}" if tag else reference[reference.index("@") :]
    return f"{full_name(repository)}{end}"
