"""Harbor 2, in its own format and as CloudEvents: https://goharbor.io/docs, Configure Webhooks.

A tag that is given to an artifact that is there already is not told of.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form
from supervisor.core.registryhost.cloudevents import read_event
from supervisor.core.registryhost.host import RegistryHost, Said
from supervisor.core.registryhost.names import split_reference
from supervisor.core.registryhost.proofs import AuthorizationHeader
from supervisor.kit.texts import one_line
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_PUSHED = "PUSH_ARTIFACT"
_CLOUD_PUSHED = "harbor.artifact.pushed"
_RETAGGED = """\
Harbor tells nobody when a tag is given to an artifact that is there already: podvisor finds that
when it asks anyway."""


class _Resource(msgspec.Struct):
    tag: str | None = None
    """The digest, if it has none."""
    resource_url: str | None = None


class _Data(msgspec.Struct):
    resources: list[_Resource] | None = None


class _Message(msgspec.Struct):
    event_data: _Data | None = None


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    kind, content = read_event(delivery)
    if kind == _CLOUD_PUSHED:
        data = msgspec.json.decode(content, type=_Data)
    elif kind == _PUSHED:
        data = msgspec.json.decode(delivery.body, type=_Message).event_data or _Data()
    else:
        return ImageNews(ignored=f"it is no push but “{one_line(kind)}”")
    return map(_said, data.resources or ())


def _said(resource: _Resource) -> Said:
    host, path, tag = split_reference(resource.resource_url or "")
    return Said(host, path, resource.tag or tag)


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    resource = {
        "digest": f"sha256:{'0' * 64}",
        "tag": said.tag,
        "resource_url": f"{said.host}/{said.path}:{said.tag}",
    }
    data = {"resources": [resource], "repository": {"repo_full_name": said.path}}
    return {}, {"type": _PUSHED, "event_data": data}


HOST = RegistryHost(
    name="harbor",
    title="Harbor",
    signature=AuthorizationHeader(),
    checked_by="Authorization, with the secret",
    read=_read,
    sample=_sample,
    form=Form(
        where="Enter this at Harbor, in the project's Webhooks → New Webhook",
        fields={
            "Notify Type": "http",
            "Payload Format": "Default, or CloudEvents",
            "Event Type": "Artifact pushed",
            "Endpoint URL": "{url}",
            "Auth Header": "{secret}",
        },
        notes=(_RETAGGED,),
    ),
)
