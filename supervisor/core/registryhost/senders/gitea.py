"""The registries of Gitea and Forgejo: https://forgejo.org/docs/latest/user/webhooks.

Event `package`, for packages of all kinds; the version of a container is its tag, or the digest of
a manifest that has none.
"""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form
from supervisor.core.githost.payloads import unwrapped
from supervisor.core.githost.signatures import HexHmac
from supervisor.core.registryhost.host import RegistryHost, Said
from supervisor.core.registryhost.names import host_of
from supervisor.kit.texts import one_line
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery


class _Owner(msgspec.Struct):
    login: str | None = None


class _Package(msgspec.Struct):
    owner: _Owner | None = None
    type: str | None = None
    name: str | None = None
    version: str | None = None
    html_url: str | None = None


class _Message(msgspec.Struct):
    action: str | None = None
    package: _Package | None = None


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    names = ("x-forgejo-event", "x-gitea-event", "x-github-event")
    event = next((one for name in names if (one := delivery.headers.get(name))), "")
    if event != "package":
        return ImageNews(ignored=f"it is no package but “{one_line(event)}”")
    message = msgspec.json.decode(unwrapped(delivery), type=_Message)
    package = message.package or _Package()
    if message.action != "created":
        return ImageNews(ignored=f"nothing was pushed: “{one_line(message.action or '')}”")
    if package.type != "container":
        return ImageNews(ignored=f"it is no container but “{one_line(package.type or '')}”")
    owner = (package.owner and package.owner.login) or ""
    path = f"{owner}/{package.name or ''}"
    return iter((Said(host_of(package.html_url or ""), path, package.version or ""),))


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    owner, _, name = said.path.partition("/")
    package = {
        "owner": {"login": owner},
        "type": "container",
        "name": name,
        "version": said.tag,
        "html_url": f"https://{said.host}/{owner}/-/packages/container/{name}/{said.tag}",
    }
    body = {"action": "created", "package": package}
    return {"x-gitea-event": "package", "x-forgejo-event": "package"}, body


def _host(*line: str) -> RegistryHost:
    title = line[0].title()
    own = [(f"x-{one}-signature", "") for one in line]
    return RegistryHost(
        name=line[0],
        title=f"{title}'s registry",
        hosts=("codeberg.org",) if line[0] == "forgejo" else (),
        signature=HexHmac(*own, ("x-hub-signature-256", "sha256=")),
        checked_by=f"X-{title}-Signature",
        read=_read,
        sample=_sample,
        form=Form(
            where=f"Enter this at {title}, in the owner's (or repository's) Settings → Webhooks",
            fields={
                "Target URL": "{url}",
                "HTTP method": "POST",
                "POST content type": "application/json",
                "Secret": "{secret}",
                "Trigger on": "Custom events: Package",
            },
            notes=("A repository's webhook tells of packages linked to it; an owner's, of all.",),
        ),
    )


GITEA = _host("gitea")
FORGEJO = _host("forgejo", "gitea")
