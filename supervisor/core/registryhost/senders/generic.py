"""Whoever else can send a signed request: a pipeline, the script that pushed."""

from collections.abc import Iterator, Mapping

import msgspec

from supervisor.core.githost.host import Form, Unreadable
from supervisor.core.githost.signatures import HexHmac
from supervisor.core.registryhost.host import RegistryHost, Said
from supervisor.core.registryhost.names import split_reference
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_CURL = """\
body='{{"image": "{registry}/me/web:latest"}}'
hex=$(printf %s "$body" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d' ' -f1)
curl -fsS -H "X-Signature: sha256=$hex" -d "$body" {url}"""


class _Message(msgspec.Struct):
    image: str | None = None
    images: list[str] | None = None


def _read(delivery: Delivery) -> Iterator[Said] | ImageNews:
    if delivery.headers.get("x-event") == "ping":
        return ImageNews(is_ping=True)
    message = msgspec.json.decode(delivery.body, type=_Message)
    named = [*(message.images or ()), *([message.image] if message.image else ())]
    if not named:
        raise Unreadable('cannot read it: it must be JSON with an "image", HOST/NAME:TAG')
    return map(_said, named)


def _said(image: str) -> Said:
    host, path, tag = split_reference(image)
    return Said(host, path, tag or "latest")


def _sample(said: Said) -> tuple[Mapping[str, str], object]:
    return {}, {"image": f"{said.host}/{said.path}:{said.tag}"}


HOST = RegistryHost(
    name="generic",
    title="anything that can sign",
    signature=HexHmac(("x-signature", "sha256=")),
    checked_by="X-Signature: sha256= and the hex HMAC-SHA256 of the body",
    read=_read,
    sample=_sample,
    form=Form(
        where="Send this when an image was pushed",
        fields={"URL": "{url}", "Method": "POST", "Secret": "{secret}"},
        text=(_CURL,),
    ),
)
