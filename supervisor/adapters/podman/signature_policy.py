"""What containers-policy.json(5) asks of an image: who has to have signed it."""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from supervisor.core.files.names import LARGEST_KEY
from supervisor.core.files.unitfile import Refused
from supervisor.core.images.public_key import fingerprint, public_keys
from supervisor.core.images.reference import parse_reference, with_parents
from supervisor.kit.json_reading import read_json
from supervisor.model.image import SignatureDemand

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
    key_data: str = ""
    key_datas: tuple[str, ...] = ()
    fulcio: _Fulcio | None = None
    signed_identity: _Identity | None = None

    def __str__(self) -> str:
        if self.fulcio:
            return f"by {self.fulcio.subject_email}, known to {self.fulcio.oidc_issuer}"
        if named := " or ".join(filter(None, (self.key_path, *self.key_paths))):
            return f"with the key {named}"
        if keys := sorted(self.keys()):
            return f"with the key {' or '.join(f'sha256:{key[:12]}' for key in keys)}"
        return f"with the key in {self.type}" if self.type else ""

    def keys(self) -> frozenset[str]:
        """Fingerprints of the keys of which any may have signed it; none that cannot be read."""
        found = set[bytes]()
        for path in (self.key_path, *self.key_paths):
            if not path.startswith("/"):
                continue  # Podman's own folder is not podvisor's
            with suppress(OSError, ValueError), open(path, "rb") as file:  # noqa: PTH123
                found.update(public_keys(file.read(LARGEST_KEY))[:1])
        for data in filter(None, (self.key_data, *self.key_datas)):
            with suppress(binascii.Error, ValueError):
                found.update(public_keys(b64decode(data))[:1])
        return frozenset(map(fingerprint, found))


class _Policy(msgspec.Struct, frozen=True):
    default: tuple[_Requirement, ...] = ()
    transports: dict[str, dict[str, tuple[_Requirement, ...]]] = {}


class SignatureRule(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a policy that counts for one image."""

    path: Path
    """Of the policy's file."""
    entry: str
    """Which part that is, as people find it: `"docker" "ghcr.io/me"`, or `"default"`."""
    asked: tuple[_Requirement, ...] = ()
    """All of which have to be met."""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.path}, {self.entry}"

    @property
    def signers(self) -> str:
        """Who has to have signed it: `with the key /etc/pki/me.pub`; empty if nobody has to."""
        signed = ("signedBy", "sigstoreSigned")
        return " and ".join(str(one) for one in self.asked if one.type in signed)

    @property
    def is_exact(self) -> bool:
        """Whether a signature for a tag does not count for the digest."""
        identities = (one.signed_identity for one in self.asked)
        return any(one is not None and one.type == "matchExact" for one in identities)

    @property
    def keys(self) -> frozenset[str]:
        """Fingerprints of the keys of sigstore of which each has to have signed it."""
        found = (one.keys() for one in self.asked if one.type == "sigstoreSigned")
        return frozenset(key for keys in found if len(keys) == 1 for key in keys)


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
            policy = read_json(file.read(_LARGEST), _Policy)
        scopes = list(_scopes(image))
    except (OSError, Refused):
        return None
    if policy is None:
        return None
    docker = policy.transports.get("docker", {})
    scope = next((one for one in (*scopes, "") if one in docker), None)
    if scope is None:
        return SignatureRule(path=path, entry='"default"', asked=policy.default)
    return SignatureRule(path=path, entry=f'"docker" "{scope}"', asked=docker[scope])


def demanded(image: str, files: Sequence[Path]) -> SignatureDemand:
    """Return who has to have signed an image; nobody where that cannot be told."""
    rule = signature_rule(image, files)
    if rule is None:
        return SignatureDemand(place="Podman's policy.json")
    return SignatureDemand(place=rule.place, keys=rule.keys)


def _scopes(image: str) -> Iterator[str]:
    """Yield what a policy may call an image, the narrowest first."""
    reference = parse_reference(image)
    name = reference.repository
    if reference.digest:
        yield f"{name}@{reference.digest}"
    elif reference.tag:
        yield f"{name}:{reference.tag}"
    yield from with_parents(name)
    host = reference.host
    while "." in host:
        host = host.partition(".")[2]
        yield f"*.{host}"
