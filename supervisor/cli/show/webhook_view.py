"""Draws how webhooks stand, as a part of the status."""

from typing import Any

from supervisor.cli.show.screen import say
from supervisor.kit.texts import format_duration, relative


def source(name: str, webhook: dict[str, Any], now: float) -> None:
    """Write how the webhooks of one source stand."""
    if webhook.get("problem"):
        say(("✗ ", "bad"), f"{name}: webhooks cannot be checked: {webhook['problem']}")
    if not webhook.get("heard_at"):
        state = "none heard yet"
    else:
        state = f"heard {relative(webhook['heard_at'], now=now)}"
    poll = f"polled every {format_duration(webhook['poll'])}" if webhook.get("poll") else ""
    if webhook.get("works") and poll:
        poll += " while they arrive"
    counts = [
        f"{webhook[word]} {word}"
        for word in ("accepted", "ignored", "refused")
        if webhook.get(word)
    ]
    parts = [state, ", ".join(counts), poll]
    say((f"{name}: webhooks of {webhook['scheme']}: {'; '.join(filter(None, parts))}", "dim"))
    if webhook.get("last_ignored"):
        say((f"  the last one was {webhook['last']}", "dim"))


def registry(one: dict[str, Any], now: float) -> None:
    """Write how the webhooks of one registry stand."""
    if one.get("problem"):
        say(("✗ ", "bad"), f"{one['name']}: webhooks cannot be checked: {one['problem']}")
    heard = one.get("heard_at")
    state = f"heard {relative(heard, now=now)}" if heard else "none heard yet"
    counts = [f"{one[word]} {word}" for word in ("accepted", "ignored", "refused") if one.get(word)]
    parts = [state, ", ".join(counts)]
    say((f"{one['name']}: webhooks of {one['sender']}: {'; '.join(filter(None, parts))}", "dim"))
    if one.get("last_ignored") and not one.get("accepted"):
        say((f"  the last one was {one['last']}", "dim"))


def listener(one: dict[str, Any]) -> None:
    """Write where webhooks are taken, and how many were refused."""
    refused = ", ".join(f"{number} for {why}" for why, number in one.get("refused", {}).items())
    if one.get("open"):
        more = f"; refused since the start: {refused}" if refused else ""
        say((f"webhooks: listening on {one['address']}{more}", "dim"))
    else:
        say(("! ", "warn"), f"webhooks: nobody listens on {one['address']}")
