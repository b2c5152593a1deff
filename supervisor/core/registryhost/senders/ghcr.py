"""GitHub's registry: https://docs.github.com/webhooks/webhook-events-and-payloads#package.

A webhook of a repository or an organization sends `package`, a GitHub App `registry_package`, which
are alike; one for each manifest, of which those of single platforms have no tag. Of several tags
that a manifest is given at once, one is named.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form, Unreadable
from supervisor.core.githost.payloads import unwrapped
from supervisor.core.githost.signatures import HexHmac
from supervisor.core.registryhost.host import RegistryHost, Said, is_image_config
from supervisor.core.registryhost.names import split_reference
from supervisor.kit.texts import one_line
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_KINDS = {"container", "docker"}


class _Named(msgspec.Struct):
    name: str | None = None


class _Config(msgspec.Struct):
    media_type: str | None = None


class _Manifest(msgspec.Struct):
    config: _Config | None = None


class _Container(msgspec.Struct):
    tag: _Named | None = None
    manifest: _Manifest | None = None


class _Version(msgspec.Struct):
    package_url: str | None = None
    container_metadata: _Container | None = None


class _Package(msgspec.Struct):
    package_type: str | None = None
    ecosystem: str | None = None
    package_version: _Version | None = None


class _Message(msgspec.Struct):
    action: str | None = None
    package: _Package | None = None
    registry_package: _Package | None = None


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    event = delivery.headers.get("x-github-event", "")
    if event == "ping":
        return ImageNews(is_ping=True)
    if event not in {"package", "registry_package"}:
        return ImageNews(ignored=f"it is no package but “{one_line(event)}”")
    message = msgspec.json.decode(unwrapped(delivery), type=_Message)
    if message.action not in {"published", "updated"}:
        return ImageNews(ignored=f"nothing was pushed: “{one_line(message.action or '')}”")
    package = message.package or message.registry_package
    version = package.package_version if package else None
    if package is None or version is None or not version.package_url:
        raise Unreadable("cannot read it: a package names its version and its URL")
    if not _KINDS & {(one or "").lower() for one in (package.package_type, package.ecosystem)}:
        kind = package.package_type or package.ecosystem or ""
        return ImageNews(ignored=f"it is no container but “{one_line(kind)}”")
    container = version.container_metadata or _Container()
    config = container.manifest.config if container.manifest else None
    if config and not is_image_config(config.media_type or ""):
        return ImageNews(ignored=f"it is no image but “{one_line(config.media_type or '')}”")
    host, path, tag = split_reference(version.package_url)
    named = (container.tag and container.tag.name) or tag
    return iter((Said(host, path, named, is_one_of_several=True),))


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    version = {
        "container_metadata": {"tag": {"name": said.tag, "digest": f"sha256:{'0' * 64}"}},
        "package_url": f"{said.host}/{said.path}:{said.tag}",
    }
    package = {"package_type": "CONTAINER", "package_version": version}
    return {"x-github-event": "package"}, {"action": "published", "package": package}


HOST = RegistryHost(
    name="ghcr",
    title="GitHub's registry",
    hosts=("ghcr.io",),
    signature=HexHmac(("x-hub-signature-256", "sha256=")),
    checked_by="X-Hub-Signature-256",
    read=_read,
    sample=_sample,
    form=Form(
        where="Enter this at GitHub, in the repository's (or organization's) Settings → Webhooks",
        fields={
            "Payload URL": "{url}",
            "Content type": "application/json",
            "Secret": "{secret}",
            "Events": "Let me select individual events: Packages",
            "SSL verification": "enabled",
        },
        notes=("The package must be linked to the repository that has the webhook.",),
    ),
)
