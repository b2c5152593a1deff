"""What `podvisor webhook show` tells of registries: their forms, and who can tell of an image."""

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from supervisor.cli.daemon import places
from supervisor.cli.show.webhook_forms import public_url, standing_notes
from supervisor.core.githost.host import Form
from supervisor.core.images.reference import DOCKER_HUB, parse_reference
from supervisor.core.registryhost.proofs import path_token
from supervisor.core.registryhost.senders.registry import senders
from supervisor.kit.texts import format_duration, format_size
from supervisor.model.registry_webhook import PREFIX
from supervisor.model.settings import RegistryWebhookSettings, Settings

_OWN_SENDERS = ("distribution", "harbor", "forgejo", "gitea", "quay", "zot", "generic")
"""Of registries that may be anywhere."""
_GITLAB = "registry.gitlab.com"
_FROM_CI = (
    "GitLab tells nobody of images: a job of its pipeline does, with one line of curl after the "
    "push; podvisor webhook show {name} prints it."
)
_UNREVEALED = "TOKEN"
_LISTEN = "127.0.0.1:9078"
"""Which a reverse proxy on this host reaches."""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings lack to hear of an image."""

    where: str
    text: tuple[str, ...]
    """To be added, as it stands."""
    secret: str
    """Where the secret is then to be."""
    notes: tuple[str, ...]


def form_for(name: str, settings: Settings, *, secret: bytes | None = None) -> Form:
    """Return what is to be entered for a registry; with the secret in it, if that is given."""
    registry = settings.webhooks.registries[name]
    host, place = senders()[registry.sender], registry.secret
    shown = f"what is in {places.shown(place.place)}" if place.kind == "file" else str(place)
    path, notes = PREFIX + name, []
    if host.signature is None:
        path += f"/{path_token(secret, name) if secret else _UNREVEALED}"
        if not secret:
            why = f"{host.title} can prove nothing but its path: whoever knows that can use it."
            notes.append(f"{why}\npodvisor webhook show {name} --reveal writes the {_UNREVEALED}.")
    own = {
        "url": public_url(settings.webhooks) + path,
        "secret": secret.decode("utf-8", "backslashreplace") if secret else shown,
        "registry": registry.registry or "registry.example.org",
    }
    fields = {label: value.format(**own) for label, value in host.form.fields.items()}
    return Form(
        where=host.form.where,
        fields={
            **fields,
            "Path": path,
            "Checked by": host.checked_by,
            "Largest body": format_size(settings.webhooks.body_size),
        },
        text=tuple(text.format(**own) for text in host.form.text),
        notes=(*standing_notes(settings, "a registry"), *notes, *host.form.notes),
    )


def registry_of(image: str) -> str:
    """Return the registry of an image as people name it, in small letters. Raises Refused."""
    return parse_reference(image).host.lower() or DOCKER_HUB


def heard_of(host: str, settings: Settings) -> list[str]:
    """Return the registries of the settings whose webhooks can tell of images of this host.

    Those that say so; if none does, those of which it is not known.
    """
    registries = settings.webhooks.registries
    sure = [name for name, one in registries.items() if host in _hosts(one)]
    if sure or any(host in one.hosts for one in senders().values()):
        return sure
    return [name for name, one in registries.items() if not _hosts(one)]


def missing_for(image: str, host: str, settings: Settings) -> Missing:
    """Return what is to be added to the settings to be told of an image."""
    sender = next((one.name for one in senders().values() if host in one.hosts), "")
    name = sender or "registry"
    if host == _GITLAB:
        name, sender = "gitlab", "generic"
    place = f"~/.config/podvisor/webhook-{name}"
    lines = [] if settings.webhooks.listen else ["[webhooks]", f'listen = "{_LISTEN}"', ""]
    lines += [f"[webhooks.registries.{name}]"]
    lines += [f'sender = "{sender or _OWN_SENDERS[0]}"' + ("" if sender else _or_else())]
    lines += [f'secret = "file:{place}"']
    lines += [] if sender else [f'registry = "{host}"']
    return Missing(
        where=f"Nobody tells of {image} yet. Add this to the settings, then podvisor reload",
        text=tuple(lines),
        secret=place,
        notes=(*standing_notes(_listening(settings), "a registry"), *_notes(name, host, settings)),
    )


def _listening(settings: Settings) -> Settings:
    """Return the settings as they are once they say where to listen."""
    webhooks = replace(settings.webhooks, listen=settings.webhooks.listen or _LISTEN)
    return replace(settings, webhooks=webhooks)


def _or_else() -> str:
    return f"  # or {', '.join(_OWN_SENDERS[1:])}"


def _notes(name: str, host: str, settings: Settings) -> Iterator[str]:
    if host == _GITLAB:
        yield _FROM_CI.format(name=name)
    yield f"Then podvisor webhook show {name} says what to enter there."
    interval = settings.images.interval
    asked = f"every {format_duration(interval)}" if interval else "when somebody says so"
    yield (
        f"Only who administers a repository can have it tell: others' images are asked for {asked}."
    )


def _hosts(registry: RegistryWebhookSettings) -> tuple[str, ...]:
    """Return where the images are of which it tells, in small letters, as far as that is known."""
    own = registry.registry.lower()
    return (own,) if own else senders()[registry.sender].hosts
