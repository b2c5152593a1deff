"""What must hold for a notifier as a whole, beyond the rules of its fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.core.config.problem import Problem
from supervisor.core.config.toml_lines import Path


def notify_problems(key: Path, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Check one `[notify.NAME]`."""
    name = key[-1]
    if not given.get("url"):
        hint = f'say where its URL is: url = "file:~/.config/podvisor/notify-{name}"'
        yield Problem(key, f"notifier “{name}” says no “url”", hint)
    if given.get("events") == []:
        hint = 'such as events = ["problem", "recovered"], or leave it out'
        yield Problem((*key, "events"), f"notifier “{name}” tells of nothing", hint)
