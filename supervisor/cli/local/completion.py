"""What the shell offers while a command is typed: names, as the daemon knows them.

Commands name the kind that they take by `cli.local.offers`. Whoever presses Tab waits for it, and
can do nothing about an error: what cannot be had at once is not offered.
"""

import json
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import ask
from supervisor.cli.show import screen
from supervisor.kit.texts import short_id

_PATIENCE_SECONDS = 2.0
_Names = Iterable[tuple[str, str]]
"""Each with what it is, which zsh and fish show beside it."""


def offered(
    kind: str, ctx: click.Context, param: click.Parameter, word: str
) -> list[CompletionItem]:
    """Return the names of a kind that begin with the word, but for those that stand there."""
    typed = ctx.params.get(param.name or "") or () if param.nargs == -1 else ()
    try:
        found = dict(_KINDS[kind](ctx.params))
    except Exception:  # noqa: BLE001  # see above
        return []
    return [
        CompletionItem(name, help=screen.clean(what) or None)
        for name, what in found.items()
        if name.startswith(word) and name not in typed and name.isprintable()
    ]


def _asked(question: str, **query: object) -> dict[str, Any]:
    target = f"/v1/{question}"
    reply: dict[str, Any] = json.loads(ask(target, query=query, timeout_seconds=_PATIENCE_SECONDS))
    return reply


def _known_apps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _asked("status")["apps"]
    return found


def _apps(_: dict[str, Any]) -> _Names:
    """Offer apps."""
    return ((app["name"], app["state"]) for app in _known_apps())


def _units(_: dict[str, Any]) -> _Names:
    """Offer units of apps."""
    return _units_of(_known_apps())


def _units_of(apps: list[dict[str, Any]]) -> _Names:
    return ((unit["name"], unit["active"]) for app in apps for unit in app.get("units", ()))


def _apps_and_units(_: dict[str, Any]) -> _Names:
    """Offer apps, then their units."""
    known = _known_apps()
    yield from ((app["name"], app["state"]) for app in known)
    yield from _units_of(known)


def _replicas(_: dict[str, Any]) -> _Names:
    """Offer apps that have replicas: `web=`."""
    for app in _known_apps():
        units = (unit["name"] for unit in app.get("units", ()))
        templates = {unit.split("@")[0] for unit in units if "@" in unit}
        for one in sorted(templates):
            unit = f"/{one}" if len(templates) > 1 else ""
            yield f"{app['name']}{unit}=", app["state"]


def _revisions(typed: dict[str, Any]) -> _Names:
    """Offer revisions of the app that was typed, the newest first."""
    for one in _asked("history", app=typed["app"])["rollouts"]:
        yield short_id(one["revision"]), one.get("subject", "") or one.get("outcome", "")


def _snapshots(typed: dict[str, Any]) -> _Names:
    """Offer releases of the app whose volumes were exported, the newest first."""
    for one in _asked("history", app=typed["app"])["volumes"]:
        yield short_id(one["release"]), ", ".join(one["volumes"])


def _images_of(typed: dict[str, Any]) -> _Names:
    """Offer images, of the app that was typed."""
    return _images(typed.get("app", ""))


def _apps_and_images(_: dict[str, Any]) -> _Names:
    """Offer apps, then images."""
    yield from ((app["name"], app["state"]) for app in _known_apps())
    yield from _images("")


def _images(app: str) -> _Names:
    from supervisor.core.images.words import short_name

    for one in _asked("images", app=app)["images"]:
        yield short_name(one["image"]), one["image"]


def _webhook_targets(_: dict[str, Any]) -> _Names:
    """Offer what takes webhooks: sources and registries."""
    status = _asked("status")
    yield from ((one["name"], one["location"]) for one in status.get("sources", ()))
    yield from ((one["name"], "registry") for one in status.get("registry_webhooks", ()))


def _certificates(_: dict[str, Any]) -> _Names:
    """Offer certificates."""
    return ((one["name"], one["state"]) for one in _asked("certificates")["certificates"])


def _secrets(_: dict[str, Any]) -> _Names:
    """Offer secrets."""
    return ((one["name"], one.get("state", "")) for one in _asked("secrets")["secrets"])


def _notifiers(_: dict[str, Any]) -> _Names:
    """Offer notifiers of the settings."""
    with open(places.config_file(), "rb") as file:  # noqa: PTH123 - see places
        return dict.fromkeys(tomllib.load(file).get("notify", {}), "").items()


def _event_codes(_: dict[str, Any]) -> _Names:
    """Offer codes of events."""
    from supervisor.core.status.event_codes import event_codes

    return ((code, "") for code in event_codes())


_KINDS: dict[str, Callable[[dict[str, Any]], _Names]] = {
    "app": _apps,
    "unit": _units,
    "app or unit": _apps_and_units,
    "app or image": _apps_and_images,
    "replicas": _replicas,
    "revision": _revisions,
    "snapshot": _snapshots,
    "image": _images_of,
    "webhook target": _webhook_targets,
    "certificate": _certificates,
    "secret": _secrets,
    "notifier": _notifiers,
    "event code": _event_codes,
}
