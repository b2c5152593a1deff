"""What `podvisor webhook show` tells: for each Git host its form, field by field."""

from supervisor.cli.daemon import places
from supervisor.core.githost.client_address import parse_listen
from supervisor.core.githost.host import Form
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.kit.texts import format_size
from supervisor.model.settings import Settings, WebhookSettings
from supervisor.model.webhook import PREFIX


def form_for(name: str, settings: Settings) -> Form:
    """Return what is to be entered for a source that takes webhooks."""
    source = settings.sources[name]
    host = HOSTS[source.webhook]
    place = source.webhook_secret
    own = {
        "url": public_url(settings.webhooks) + PREFIX + name,
        "secret": f"what is in {places.shown(place.place)}" if place.kind == "file" else place,
        "repository": source.webhook_repository,
        "audience": source.webhook_audience,
    }
    fields = {label: value.format(**own) for label, value in host.form.fields.items()}
    fields["Path"] = PREFIX + name
    fields["Checked by"] = host.checked_by
    fields["Largest body"] = format_size(settings.webhooks.body_size)
    return Form(
        where=host.form.where,
        fields=fields,
        text=tuple(text.format(**own) for text in host.form.text),
        notes=(*standing_notes(settings, "a Git host"), *host.form.notes),
    )


def public_url(settings: WebhookSettings) -> str:
    """Return how others reach the listener, without a path."""
    return settings.public_url.rstrip("/") or _own_url(settings.listen)


def standing_notes(settings: Settings, whose: str) -> list[str]:
    """Say what keeps `whose` webhooks from arriving, as far as the settings tell."""
    notes = []
    listen = settings.webhooks.listen
    if not listen:
        notes.append('Nothing listens yet: listen = "127.0.0.1:9078", below [webhooks].')
    elif parse_listen(listen)[0] in {"127.0.0.1", "::1"}:
        notes.append(
            f"Only this machine reaches {listen}: {whose} elsewhere needs a reverse proxy "
            f"before it: {places.docs('how-to/get-told-of-pushes.md')}"
        )
    if not settings.webhooks.public_url:
        notes.append("How others reach it is not known: public_url, below [webhooks], says so.")
    return notes


def _own_url(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    if host in {"", "0.0.0.0", "[::]"}:  # noqa: S104  # not to bind
        host = "THIS-HOST"
    return f"http://{host}:{port or '9078'}"
