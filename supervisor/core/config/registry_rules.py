"""What must hold for the webhooks of one registry as a whole, beyond the rules of their fields."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from supervisor.core.config.problem import Problem, name_problems
from supervisor.core.config.toml_lines import Path
from supervisor.core.registryhost.senders.registry import senders

_PLACE: Path = ("webhooks", "registries")


def registry_problems(webhooks: Mapping[str, Any], wrong: Collection[Path]) -> Iterator[Problem]:
    """Check all of `[webhooks.registries]`; `wrong` holds what was complained of already."""
    tables = webhooks.get("registries")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(table, dict):
            continue
        key = (*_PLACE, name)
        yield from name_problems(key, "a registry")
        yield from _whole_problems(key, table, wrong)
        if not webhooks.get("listen"):
            message = f"nobody hears the webhooks of registry “{name}”"
            hint = 'say where to listen, below [webhooks]: listen = "127.0.0.1:9078"'
            yield Problem(key, message, hint, fatal=False)


def _whole_problems(
    key: Path, table: Mapping[str, Any], wrong: Collection[Path]
) -> Iterator[Problem]:
    name, sender = key[-1], table.get("sender")
    if not sender:
        hint = f"sender = one of {', '.join(senders())}"
        yield Problem(key, f"registry “{name}” does not say whose webhooks it takes", hint)
    if not table.get("secret"):
        hint = f'secret = "file:~/.config/podvisor/webhook-{name}"'
        yield Problem(key, f"registry “{name}” takes webhooks, but says no “secret”", hint)
    host = senders().get(sender) if isinstance(sender, str) else None
    if (
        host
        and not host.tells_host
        and not table.get("registry")
        and (*key, "registry") not in wrong
    ):
        hint = 'registry = "HOST:PORT", as its images are pulled'
        yield Problem(key, f"{host.title} does not say of which registry it is", hint)
