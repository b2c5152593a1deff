"""Registries' payloads: which images a body names, and one to test with.

To be read only after the delivery has proved itself; even then it only names what to ask about.
"""

from collections.abc import Mapping

import msgspec

from supervisor.core.githost.host import Unreadable
from supervisor.core.registryhost.host import RegistryHost, Said, news_of
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery


def read(host: RegistryHost, delivery: Delivery, *, registry: str) -> ImageNews:
    """Return what a delivery says; `registry` is the settings' own word for its host, if any.

    Raises Unreadable.
    """
    try:
        said = host.read(delivery)
        return said if isinstance(said, ImageNews) else news_of(said, registry=registry)
    except ValueError as error:
        # msgspec tells where something is amiss, never what stands there.
        raise Unreadable(f"cannot read it: {error}") from None
    except RecursionError:
        raise Unreadable("cannot read it: it is nested too deeply") from None


def sample(host: RegistryHost, *, registry: str) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body of a push of an image that is nobody's."""
    where = registry or next(iter(host.hosts), "registry.example.org")
    headers, body = host.sample(Said(where, "podvisor/test", "latest"))
    return {"content-type": "application/json", **headers}, msgspec.json.encode(body)
