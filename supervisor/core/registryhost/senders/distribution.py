"""Distribution, 2.8 and 3: https://distribution.github.io/distribution/about/notifications.

An envelope of events: `…events.v1+json` until 2.8, `…events.v2+json` since 3, which are alike. What
is not answered with success is sent again for ever, and keeps back whatever comes after.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form
from supervisor.core.registryhost.host import RegistryHost, Said, is_chart
from supervisor.core.registryhost.names import host_of
from supervisor.core.registryhost.proofs import AuthorizationHeader
from supervisor.model.webhook import Delivery

_MANIFESTS = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}
_EVENTS = "application/vnd.docker.distribution.events.v2+json"
_SNIPPET = """\
notifications:
  events:
    includereferences: true
  endpoints:
    - name: podvisor
      url: {url}
      headers:
        Authorization: ["Bearer {secret}"]
      timeout: 2s
      threshold: 5
      backoff: 10s
      ignore:
        actions: [pull]
        mediatypes:
          - application/octet-stream
          - application/vnd.docker.container.image.v1+json
          - application/vnd.docker.image.rootfs.diff.tar.gzip
          - application/vnd.oci.image.config.v1+json
          - application/vnd.oci.image.layer.v1.tar+gzip"""

_OTHER_NAME = """\
Its images have the name here by which they are pushed to it. If they are pulled by another one:
registry = "HOST:PORT", in the section of its webhooks."""


class _Descriptor(msgspec.Struct, rename="camel"):
    media_type: str | None = None


class _Target(msgspec.Struct, rename="camel"):
    media_type: str | None = None
    repository: str | None = None
    url: str | None = None
    tag: str | None = None
    references: list[_Descriptor] | None = None


class _Request(msgspec.Struct):
    host: str | None = None


class _Event(msgspec.Struct):
    action: str | None = None
    target: _Target | None = None
    request: _Request | None = None


class _Envelope(msgspec.Struct):
    events: list[_Event] | None = None


def _read(delivery: Delivery) -> Iterator[Said]:
    # Of all that a registry tells, what podvisor itself asks of it comes back as “pull”.
    for event in msgspec.json.decode(delivery.body, type=_Envelope).events or ():
        target = event.target
        if event.action != "push" or target is None or target.media_type not in _MANIFESTS:
            continue
        if any(is_chart(one.media_type or "") for one in target.references or ()):
            continue
        host = (event.request and event.request.host) or host_of(target.url or "")
        yield Said(host, target.repository or "", target.tag or "")


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    target = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{'0' * 64}",
        "repository": said.path,
        "tag": said.tag,
    }
    event = {"action": "push", "target": target, "request": {"host": said.host}}
    return {"content-type": _EVENTS}, {"events": [event]}


HOST = RegistryHost(
    name="distribution",
    title="Distribution (Docker's registry)",
    signature=AuthorizationHeader(),
    checked_by="Authorization, with the secret",
    read=_read,
    sample=_sample,
    form=Form(
        where="Add this to the registry's config.yml (Debian: /etc/docker/registry/config.yml)",
        fields={"URL": "{url}", "Secret": "{secret}"},
        text=(_SNIPPET, "sudo systemctl restart docker-registry"),
        notes=(_OTHER_NAME,),
    ),
)
