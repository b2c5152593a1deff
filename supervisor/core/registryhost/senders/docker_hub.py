"""Docker Hub: https://docs.docker.com/docker-hub/repos/manage/webhooks.

Nothing is signed. What `callback_url` says is never asked: anybody could name any address there.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form, Unreadable
from supervisor.core.registryhost.host import RegistryHost, Said
from supervisor.model.webhook import Delivery

_NAME = "docker.io"


class _Push(msgspec.Struct):
    tag: str | None = None


class _Repository(msgspec.Struct):
    repo_name: str | None = None


class _Message(msgspec.Struct):
    push_data: _Push | None = None
    repository: _Repository | None = None


def _read(delivery: Delivery) -> Iterator[Said]:
    message = msgspec.json.decode(delivery.body, type=_Message)
    name = message.repository.repo_name if message.repository else None
    if not name or message.push_data is None:
        raise Unreadable("cannot read it: a push names its repository and its tag")
    return iter((Said(_NAME, name, message.push_data.tag or ""),))


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    repository = {"repo_name": said.path, "repo_url": f"https://hub.docker.com/r/{said.path}"}
    return {}, {"push_data": {"tag": said.tag}, "repository": repository}


HOST = RegistryHost(
    name="docker-hub",
    title="Docker Hub",
    hosts=(_NAME,),
    signature=None,
    checked_by="the token at the end of the path",
    read=_read,
    sample=_sample,
    form=Form(
        where="Enter this at Docker Hub, in the repository's Webhooks",
        fields={"Name": "podvisor", "Webhook URL": "{url}"},
    ),
)
