"""What Podman's files have to say for it to verify an image by a public key.

`policy.json` asks for the signature (containers-policy.json(5)), `registries.d` says that it lies
beside the image, where cosign and skopeo put it (containers-registries.d(5)).
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from supervisor.core.images.mirrors import fetched_as
from supervisor.core.images.public_key import pem
from supervisor.core.images.reference import parse_reference, with_parents
from supervisor.kit.json_layout import put
from supervisor.model.app import Deployment
from supervisor.model.image_status import AskedSignature
from supervisor.model.podman import RegistryRule

OWN_FILE = "podvisor.yaml"
"""Of `registries.d`."""
NO_POLICY = json.dumps({"default": [{"type": "insecureAcceptAnything"}]}, indent=4) + "\n"
"""What Debian installs."""
_HEAD = "# Written by podvisor trust: of these images, signatures lie beside them.\ndocker:\n"
_ATTACHED = "use-sigstore-attachments"


def asked_signatures(
    deployments: Iterable[Deployment], rules: Sequence[RegistryRule]
) -> Iterator[AskedSignature]:
    """Yield which images of apps somebody has to have signed; `rules` say where they come from."""
    for one in deployments:
        for unit in one.wanted.units if one.wanted else ():
            if unit.verify:
                for image in unit.images:
                    repository = parse_reference(image).repository
                    yield AskedSignature(
                        app=one.name,
                        path=unit.path,
                        image=image,
                        repository=repository,
                        fetched_as=fetched_as(repository, rules),
                        key=unit.verify,
                    )


def trusting(policy: str, repository: str, key: bytes) -> str:
    """Return a policy that takes images of a repository only with a signature by this key.

    All else stays as it is written. Raises ValueError, with a sentence, where that cannot be.
    """
    requirement = {
        "type": "sigstoreSigned",
        "keyData": b64encode(pem(key).encode()).decode(),
        # podvisor pulls by digest, and cosign signs no tag.
        "signedIdentity": {"type": "matchRepository"},
    }
    return put(policy, ("transports", "docker", repository), [requirement])


def attaching(files: Mapping[str, str], repository: str) -> str | None:
    """Return what `OWN_FILE` has to say for Podman to look for signatures beside these images.

    `repository` is as they are fetched: of a mirror, its own name counts.
    `files` are those of `registries.d`, by name. None if it does already. Raises ValueError, with a
    sentence, where another file says otherwise: two of them must not have one entry.
    """
    defaults, entries = _read(files)
    for scope in with_parents(repository):
        if (attached := entries.get(scope, ("", None))[1]) is not None:
            break
    else:
        attached = defaults
    if attached:
        return None
    if repository in entries:
        raise ValueError(f"{entries[repository][0]} has an entry for {repository} without it")
    own = files.get(OWN_FILE) or _HEAD
    text = f"{own.rstrip()}\n  {json.dumps(repository)}:\n    {_ATTACHED}: true\n"
    if _read({OWN_FILE: text})[1].get(repository, ("", None))[1] is not True:
        raise ValueError(f"{OWN_FILE} does not end with its docker: entries")
    return text


def _read(files: Mapping[str, str]) -> tuple[bool, dict[str, tuple[str, bool | None]]]:
    """Return what counts where nothing is said, and each entry with its file and what it says."""
    defaults, entries = False, dict[str, tuple[str, bool | None]]()
    for name, text in files.items():
        found = _mapping(name, text)
        if (said := _attached(found.get("default-docker"))) is not None:
            defaults = said
        docker = found.get("docker")
        for scope, entry in docker.items() if isinstance(docker, dict) else ():
            entries[str(scope)] = name, _attached(entry)
    return defaults, entries


def _mapping(name: str, text: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  # only for the few who look

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(text, Loader=loader) or {}  # noqa: S506  # a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    return found if isinstance(found, dict) else {}


def _attached(entry: object) -> bool | None:
    said = entry.get(_ATTACHED) if isinstance(entry, dict) else None
    return said if isinstance(said, bool) else None
