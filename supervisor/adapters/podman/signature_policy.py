"""What containers-policy.json(5) asks of an image, for whoever is told that it was refused."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.reference import parse_reference

_LARGEST = 1 << 20


class _Identity(msgspec.Struct, frozen=True):
    type: str = ""


class _Fulcio(msgspec.Struct, frozen=True, rename="camel"):
    oidc_issuer: str = ""
    subject_email: str = ""


class _Requirement(msgspec.Struct, frozen=True, rename="camel"):
    type: str = ""
    key_path: str = ""
    key_paths: tuple[str, ...] = ()
    fulcio: _Fulcio | None = None
    signed_identity: _Identity | None = None

    def __str__(self) -> str:
        if self.fulcio:
            return f"by {self.fulcio.subject_email}, known to {self.fulcio.oidc_issuer}"
        if keys := (self.key_path, *self.key_paths):
            named = " or ".join(filter(None, keys))
            return f"with the key {named}" if named else f"with the key in {self.type}"
        return ""


class _Policy(msgspec.Struct, frozen=True):
    default: tuple[_Requirement, ...] = ()
    transports: dict[str, dict[str, tuple[_Requirement, ...]]] = {}


class SignatureRule(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a policy that counts for one image."""

    path: Path
    """Of the policy's file."""
    scope: str
    """What the part is for: a registry, a repository or an image; empty for the default."""
    signers: str = ""
    """Who has to have signed it: `with the key /etc/pki/me.pub`; empty if nobody has to."""
    is_exact: bool = False
    """Whether a signature for a tag does not count for the digest."""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        scope = f'"docker" "{self.scope}"' if self.scope else '"default"'
        return f"{self.path}, {scope}"


def policy_files(home: Path) -> tuple[Path, ...]:
    """Return where Podman looks for the policy; the first that there is counts."""
    name = "containers/policy.json"
    return (home / ".config" / name, Path("/etc", name), Path("/usr/share", name))


def signature_rule(image: str, files: Sequence[Path]) -> SignatureRule | None:
    """Return what the policy asks of an image; None if that cannot be told."""
    path = next((one for one in files if one.exists()), None)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            policy = msgspec.json.decode(file.read(_LARGEST), type=_Policy)
        scopes = list(_scopes(image))
    except (OSError, ValueError, RecursionError, Refused):
        return None
    docker = policy.transports.get("docker", {})
    scope = next((one for one in scopes if one in docker), "")
    asked = docker.get(scope, policy.default)
    signed = [one for one in asked if one.type in ("signedBy", "sigstoreSigned")]
    return SignatureRule(
        path=path,
        scope=scope,
        signers=" and ".join(map(str, signed)),
        is_exact=any(
            one.signed_identity is not None and one.signed_identity.type == "matchExact"
            for one in signed
        ),
    )


def _scopes(image: str) -> Iterator[str]:
    """Yield what a policy may call an image, the narrowest first."""
    reference = parse_reference(image)
    name = reference.repository
    if reference.digest:
        yield f"{name}@{reference.digest}"
    elif reference.tag:
        yield f"{name}:{reference.tag}"
    while name:
        yield name
        name = name.rpartition("/")[0]
    host = reference.host
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"
