"""What a status says, in words: for the command line and the page alike.

All of it takes the plain JSON of `model.status.Status` and of what is in it: decoding that would
cost a short command more than all the rest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from supervisor.kit.texts import count, format_duration, lasting, local_time, relative, short_id


def hold_in_words(
    app: str, revision: str, *, instead_of: str, images: str = "", by: str = ""
) -> str:
    """Say where a person holds an app, and how that ends; `images` and `by` as of `Hold`."""
    whose = f" by {by}" if by else ""
    return (
        f"held at {images or short_id(revision)}{whose}: until podvisor resume {app}, or until"
        f" something newer than {short_id(instead_of)} is pushed"
    )


def own_problems(status: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the problems that do not stand with an app."""
    told = {
        f"app {app['name']}: {finding['message']}"
        for app in status.get("apps", ())
        for finding in app.get("findings", ())
    }
    return [one for one in status.get("problems", ()) if one["message"] not in told]


def event_name(event: dict[str, Any]) -> str:
    """Name what an entry of the event log tells of: its kind, or of a step which."""
    kind: str = event["kind"]
    return event.get("step") or kind if kind == "step" else kind


def need_in_words(one: dict[str, Any]) -> str:
    """As `str()` of a Need."""
    return ": ".join(filter(None, (one["text"], one.get("detail"))))


def go_on_command(unit: str, container: str, *, frozen: bool) -> str:
    """Return what to type to have a paused unit go on, or to find out which container it is."""
    if frozen:
        return f"systemctl --user thaw {unit}"
    return f"podman unpause {container}" if container else "podman ps --filter status=paused"


def next_of(incident: dict[str, Any]) -> tuple[str, str]:
    """Return what to do about an incident, in words, and what to type; empty where it may be over.

    `incident` is the plain JSON of a `model.incident.Incident`.
    """
    if incident.get("meanwhile"):
        return "", ""
    return incident.get("hint", ""), incident.get("command", "")


def as_it_stands(incident: dict[str, Any], text: str = "") -> str:
    """Say what is wrong, or was and may be over; `text` says more of it than it does itself."""
    text = text or incident["text"]
    meanwhile = incident.get("meanwhile")
    return f"it was: {text}; {meanwhile}" if meanwhile else text


def without_log(text: str, log: Sequence[str]) -> str:
    """Return a text without the lines of a log that stand in it, after a colon."""
    before, lines, after = text.partition(": " + "\n".join(log))
    is_whole = bool(log and lines) and after[:1] in ("", ";")
    return before + after if is_whole else text


def apps_in_words(apps: Sequence[dict[str, Any]]) -> str:
    """Say how many apps there are, and in which states."""
    states = Counter(app["state"] for app in apps)
    if [*states] == ["ready"]:
        return f"{count(len(apps), 'app')} ready"
    parts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    return f"{count(len(apps), 'app')}: {parts}"


def trial_in_words(app: dict[str, Any]) -> str:
    """Say what its gate waits for; empty if for nothing."""
    return f"on trial: {app['gate']}" if app.get("gate") else ""


def orders_in_words(app: dict[str, Any], now: float) -> Iterator[tuple[str, str]]:
    """Yield what people ordered of it, each with the command that takes it back."""
    name = app["name"]
    resume = f"podvisor resume {name}"
    if held := app.get("held"):
        text = hold_in_words(
            name,
            held["revision"],
            instead_of=held["instead_of"],
            images=held.get("images", ""),
            by=held.get("by", ""),
        )
        yield text, resume
    for scale in app.get("scales", ()):
        asked = count(scale["replicas"], "replica")
        since = relative(scale["at"], now=now)
        why = f", {scale['reason']}" if scale.get("reason") else ""
        says = f"its file says {scale['instead_of']}"
        text = f"{scale['unit']} was scaled to {asked} {since}{_by(scale)}{why}; {says}"
        yield text, f"podvisor scale {name}"
    if order := app.get("suspension"):
        text = suspension_in_words(order, now)
        steps = len(app.get("held_back", ()))
        yield f"{text}: {count(steps, 'step')} held back" if steps else text, resume


def suspension_in_words(order: dict[str, Any], now: float) -> str:
    """Say since when it counts, by whom, until when and why."""
    until = order.get("until", 0.0)
    end = f"ends {relative(until, now=now)}" if until else "until podvisor resume"
    why = f", {order['reason']}" if order.get("reason") else ""
    return f"suspended {relative(order['at'], now=now)}{_by(order)} ({end}){why}"


def _by(order: dict[str, Any]) -> str:
    return f" by {order['by']}" if order.get("by") else ""


def health_in_words(unit: dict[str, Any], now: float, *, is_kept: bool = False) -> str:
    """The verdict of what checks it, and since when; what the last check said, if it failed.

    With `is_kept` without what is true at this moment alone; so below. How many checks failed in a
    row is not said: each may be one more, and nobody looks at each.
    """
    word = unit.get("health", "")
    if not word:
        return ""
    since = 0.0 if is_kept else unit.get("health_since", 0.0)
    parts = [lasting(since, now=now)] if since else []
    if unit.get("health_interval"):
        parts.append(f"checked every {format_duration(unit['health_interval'])}")
    text = f"{word} ({', '.join(parts)})" if parts else word
    if unit.get("health_output"):
        text += f": {unit['health_output']}"
    return text


def trouble_in_words(unit: dict[str, Any], now: float, *, is_kept: bool = False) -> str:
    """Say why a unit does not run, how often it was brought back, and when it is tried again."""
    return ", ".join(troubles(unit, now, is_kept=is_kept))


def troubles(unit: dict[str, Any], now: float, *, is_kept: bool = False) -> list[str]:
    """As `trouble_in_words`, each by itself."""
    parts = ["nothing starts it"] if unit.get("unstarted") else []
    if unit.get("unmet"):
        from supervisor.core.health.endings import unmet_in_words  # noqa: PLC0415  # seldom

        parts.append(f"not started: {unmet_in_words(unit['unmet'])}")
    if unit.get("failed_at") and not unit.get("wanted") and not is_kept:
        parts.append(f"failed {relative(unit['failed_at'], now=now)}")
    if unit.get("failures"):
        parts.append(f"brought back {count(unit['failures'], 'time')}")
    if unit.get("next_try_at", 0.0) > now and not is_kept:
        parts.append(f"next try {relative(unit['next_try_at'], now=now)}")
    return parts


def unknown_in_words(one: dict[str, Any], now: float) -> str:
    """Of how many images it is not known whether there is a newer version, and why."""
    number = one["images"]
    newer = "there is a newer one" if number == 1 else "there are newer ones"
    images = f"of {count(number, 'image')} of {one['registry']} it is unknown whether {newer}"
    since = one.get("since", 0.0)
    when = f", last answered {relative(since, now=now)}" if since else ""
    return f"{images}{when}: {one['problem']} (podvisor images)"


def certificate_in_words(one: dict[str, Any], now: float, *, is_kept: bool = False) -> str:
    """What is wrong with a certificate (`model.certificate_status`), or what it waits for."""
    ends = (
        local_time(one.get("expires", 0.0))
        if is_kept
        else relative(one.get("expires", 0.0), now=now)
    )
    words = []
    if one.get("is_standin"):
        words.append("only a self-signed stand-in is there")
    elif one["state"] == "expired":
        words.append(f"it expired {ends}")
    if not one.get("is_asked_for", True):
        words.append("no app asks for it any more; it is removed when nothing uses it")
    words += [one[key] for key in ("error", "waits_for") if one.get(key)]
    if one.get("error") and one.get("expires", 0.0) > now and not one.get("is_standin"):
        words.append(f"it expires {ends}")
    if one.get("had_since") and not is_kept:
        words.append(f"begun {relative(one['had_since'], now=now)}")
    return "; ".join(words)
