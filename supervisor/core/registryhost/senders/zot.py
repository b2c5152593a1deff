"""zot's events extension, which sends CloudEvents: https://zotregistry.dev, Event Support.

The prefix of the types is a setting of zot's; which registry it is, no event says for sure.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form
from supervisor.core.registryhost.cloudevents import read_event
from supervisor.core.registryhost.host import RegistryHost, Said, is_image_config
from supervisor.core.registryhost.proofs import AuthorizationHeader
from supervisor.kit.texts import one_line
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_UPDATED = "image.updated"
_SNIPPET = """\
"extensions": {{
  "events": {{
    "enable": true,
    "sinks": [
      {{
        "type": "http",
        "address": "{url}",
        "timeout": "2s",
        "credentials": {{ "username": "podvisor", "password": "{secret}" }}
      }}
    ]
  }}
}}"""


class _Config(msgspec.Struct, rename="camel"):
    media_type: str | None = None


class _Manifest(msgspec.Struct):
    config: _Config | None = None


class _Data(msgspec.Struct):
    name: str | None = None
    reference: str | None = None
    manifest: str | None = None
    """The manifest's own JSON."""


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    kind, content = read_event(delivery)
    if kind.rpartition(_UPDATED)[1:] != (_UPDATED, ""):
        return ImageNews(ignored=f"no image was pushed: “{one_line(kind)}”")
    data = msgspec.json.decode(content, type=_Data)
    config = _config(data.manifest or "")
    if not is_image_config(config):
        return ImageNews(ignored=f"it is no image but “{one_line(config)}”")
    return iter((Said("", data.name or "", data.reference or ""),))


def _config(manifest: str) -> str:
    """Return the media type of the config that a manifest names; empty if that cannot be told."""
    try:
        config = msgspec.json.decode(manifest, type=_Manifest).config
    except msgspec.DecodeError:
        return ""
    return (config and config.media_type) or ""


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    headers = {"ce-specversion": "1.0", "ce-type": "zotregistry.image.updated", "ce-id": "1"}
    body = {"name": said.path, "reference": said.tag, "digest": f"sha256:{'0' * 64}"}
    return {**headers, "ce-source": "zotregistry.dev"}, body


HOST = RegistryHost(
    name="zot",
    title="zot",
    signature=AuthorizationHeader(),
    checked_by="Authorization: Basic, with the secret as the password",
    read=_read,
    sample=_sample,
    tells_host=False,
    form=Form(
        where="Add this to zot's config.json",
        fields={"URL": "{url}", "Secret": "{secret}"},
        text=(_SNIPPET,),
    ),
)
