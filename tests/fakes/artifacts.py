"""Artifacts as `flux push artifact` and `oras push` make them, and their signatures by cosign."""

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
FLUX_CONFIG = "application/vnd.cncf.flux.config.v1+json"
FLUX_CONTENT = "application/vnd.cncf.flux.content.v1.tar+gzip"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
ORAS_FILE = "application/vnd.oci.image.layer.v1.tar"
ORAS_FOLDER = "application/vnd.oci.image.layer.v1.tar+gzip"
TITLE = "org.opencontainers.image.title"
UNPACK = "io.deis.oras.content.unpack"


class Pushed(NamedTuple):
    """What is pushed: a manifest, and what it names."""

    manifest: bytes
    blobs: list[bytes]

    @property
    def digest(self) -> str:
        return digest(self.manifest)


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def member(name: str, content: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar; `more` sets what else there is of it."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def packed(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A compressed tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(file.getvalue(), 1, mtime=0)


def tarred(files: Mapping[str, str], *, below: str = "") -> bytes:
    """A compressed tar of files, with their folders, as both programs write it."""
    folders = {path[:at] for path in files for at, one in enumerate(path) if one == "/"}
    begin = f"{below}/" if below else ""
    return packed(
        [
            *(member(f"{begin}{one}", type=tarfile.DIRTYPE) for one in sorted(folders)),
            *(member(f"{begin}{path}", text.encode()) for path, text in sorted(files.items())),
        ]
    )


def layer(content: bytes, kind: str, **annotations: str) -> dict[str, Any]:
    """A descriptor; annotations by `title`, `unpack` or their own names."""
    names = {"title": TITLE, "unpack": UNPACK}
    said = {names.get(name, name): value for name, value in annotations.items()}
    found: dict[str, Any] = {"mediaType": kind, "digest": digest(content), "size": len(content)}
    return found | ({"annotations": said} if said else {})


def artifact(
    layers: Iterable[tuple[bytes, dict[str, Any]]],
    *,
    config: bytes = b"{}",
    config_type: str = EMPTY_CONFIG,
    **more: object,
) -> Pushed:
    """An artifact of these layers, each with its descriptor."""
    found = list(layers)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layer(config, config_type),
        "layers": [one for _, one in found],
        **more,
    }
    return Pushed(json.dumps(manifest).encode(), [config, *(content for content, _ in found)])


def flux(files: Mapping[str, str], *, revision: str = "main@sha1:1f3870be") -> Pushed:
    """As `flux push artifact --path . --revision …` has it."""
    return flux_of(tarred(files), revision=revision)


def flux_of(content: bytes, *, revision: str = "") -> Pushed:
    """As Flux has it, with a layer of one's own."""
    said = {"org.opencontainers.image.revision": revision} if revision else {}
    return artifact(
        [(content, layer(content, FLUX_CONTENT))],
        config=b'{"created":"2026-01-01T00:00:00Z"}',
        config_type=FLUX_CONFIG,
        annotations={"org.opencontainers.image.created": "2026-01-01T00:00:00Z", **said},
    )


def oras(
    files: Mapping[str, str], folders: Mapping[str, Mapping[str, str]] | None = None
) -> Pushed:
    """As `oras push REF FILE… FOLDER…` has it."""
    layers = [
        (text.encode(), layer(text.encode(), ORAS_FILE, title=path)) for path, text in files.items()
    ]
    for name, held in (folders or {}).items():
        content = tarred(held, below=name)
        layers.append((content, layer(content, ORAS_FOLDER, title=name, unpack="true")))
    return artifact(layers, artifactType="application/vnd.unknown.artifact.v1")


# Signatures


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def signature_tag(of: str) -> str:
    return f"{of.replace(':', '-')}.sig"


def signature(
    of: str,
    repository: str,
    *keys: ec.EllipticCurvePrivateKey,
    kind: str = "cosign container image signature",
) -> Pushed:
    """As `cosign sign --key … REPOSITORY@DIGEST` pushes it, under `signature_tag`."""
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": of},
        "type": kind,
    }
    payload = json.dumps({"critical": critical, "optional": None}).encode()
    layers = []
    for key in keys:
        made = base64.b64encode(key.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
        annotations = {"dev.cosignproject.cosign/signature": made}
        kind = "application/vnd.dev.cosign.simplesigning.v1+json"
        layers.append((payload, layer(payload, kind, **annotations)))
    return artifact(layers, config_type="application/vnd.oci.image.config.v1+json")


BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


def bundle(
    of: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    predicate: str = SIGN,
    kind: str = "application/vnd.in-toto+json",
) -> Pushed:
    """As `cosign sign --key …` pushes it from version 3 on, as a referrer."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": of.removeprefix("sha256:")}}],
        "predicateType": predicate,
        "predicate": {},
    }
    payload = json.dumps(statement).encode()
    text = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    made = key.sign(text, ec.ECDSA(hashes.SHA256()))
    content = json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": kind,
                "signatures": [{"sig": base64.b64encode(made).decode()}],
            },
        }
    ).encode()
    subject = {"mediaType": MANIFEST, "digest": of, "size": 1}
    return artifact([(content, layer(content, BUNDLE))], artifactType=BUNDLE, subject=subject)


def referrers(*found: Pushed) -> bytes:
    """The index of what refers to something."""
    listed = [
        layer(one.manifest, MANIFEST, **{"dev.sigstore.bundle.predicateType": SIGN})
        | {"artifactType": BUNDLE}
        for one in found
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}
    return json.dumps(index).encode()
