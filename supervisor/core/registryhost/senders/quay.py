"""Quay, quay.io and its own: https://docs.quay.io/guides/notifications.html.

Nothing is signed. After three failures Quay sends no more, and tells nobody.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from supervisor.core.githost.host import Form
from supervisor.core.registryhost.host import RegistryHost, Said
from supervisor.core.registryhost.names import split_reference
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_SWITCHED_OFF = """\
Quay stops after three deliveries that failed, and tells nobody: podvisor status shows when it was
heard last. It takes no URL with localhost or 127.0.0.1."""


class _Message(msgspec.Struct):
    docker_url: str | None = None
    updated_tags: list[str] | dict[str, Any] | None = None
    """Older ones say which image each stands for, too."""


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    message = msgspec.json.decode(delivery.body, type=_Message)
    if not message.updated_tags:
        return ImageNews(ignored="it is no push of a tag")
    host, path, _ = split_reference(message.docker_url or "")
    return (Said(host, path, tag) for tag in message.updated_tags)


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    namespace, _, name = said.path.partition("/")
    body = {"repository": said.path, "namespace": namespace, "name": name}
    return {}, {**body, "docker_url": f"{said.host}/{said.path}", "updated_tags": [said.tag]}


HOST = RegistryHost(
    name="quay",
    title="Quay",
    hosts=("quay.io",),
    signature=None,
    checked_by="the token at the end of the path",
    read=_read,
    sample=_sample,
    form=Form(
        where="Enter this at Quay, in the repository's Settings → Events and notifications",
        fields={
            "When this event occurs": "Push to Repository",
            "Then issue a notification": "Webhook POST",
            "Webhook URL": "{url}",
        },
        notes=(_SWITCHED_OFF,),
    ),
)
