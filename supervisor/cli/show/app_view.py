"""Draws what a person should know of one app: what is wrong, what it waits for, its units.

It takes the plain JSON of `model.status.AppStatus` and `model.incident.Incident`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any

from supervisor.cli.show import screen
from supervisor.cli.show.once import Once
from supervisor.cli.show.screen import Cell, say
from supervisor.core.status.in_words import (
    as_it_stands,
    health_in_words,
    need_in_words,
    next_of,
    orders_in_words,
    trial_in_words,
    troubles,
    without_log,
)
from supervisor.kit.texts import count, joined, lasting, quoted, relative, short_id, with_why

_STYLES = {
    "ready": "good",
    "changing": "warn",
    "inactive": "warn",
    "kept": "warn",
    "held": "warn",
    "suspended": "warn",
    "reverted": "bad",
    "failing": "bad",
    "refused": "bad",
    "unknown": "dim",
    "active": "good",
    "reloading": "good",
    "failed": "bad",
    "healthy": "good",
    "starting": "warn",
    "unhealthy": "bad",
}
_LONGEST_LINE = 200
"""Characters of a line of a log that are shown."""
_UPDATE, _CERTIFICATE = "update-failed", "certificate-failing"
_NO_IMAGE = "image-unavailable"
_TROUBLES = ("failures", "next_try_at", "unstarted", "unmet", "paused")


def state(word: str) -> Cell:
    """Return the state of an app, or of a unit, in its style."""
    return (word, _STYLES.get(word, ""))


def wrong(app: dict[str, Any], incidents: list[dict[str, Any]], now: float) -> None:
    """Say of an app in one line what is wrong, and below it the next step."""
    first, name = incidents[0], app["name"]
    text = as_it_stands(first, _text(app, first, now))
    others = count(len(incidents) - 1, "thing")
    rest = f"; {others} more" if len(incidents) > 1 else ""
    say()
    say(
        *(_mark(first), (f"{name}: ", "strong"), text),
        *((rest, "dim"), (age(incidents, now), "dim")),
    )
    for line in first.get("log", ()):
        say("    ", (cut(line), "dim"))
    hint, command = next_of(first)
    for line in filter(None, (hint, f"podvisor status {name}" if rest else command)):
        say("  ", (line, "dim"))
    for order, _ in orders_in_words(app, now):
        say("  ", ("… ", "warn"), order)


def _mark(incident: dict[str, Any]) -> Cell:
    return ("… ", "warn") if incident.get("meanwhile") else ("✗ ", "bad")


def _text(app: dict[str, Any], incident: dict[str, Any], now: float) -> str:
    """Say what is wrong, with what is true at this moment, and why, if that is not said."""
    text = ", ".join([incident["text"], *_more(app, incident, now)])
    return with_why(text, _reason(app, incident))


def age(incidents: Iterable[dict[str, Any]], now: float) -> str:
    """Say for how long, by the oldest of them: ` (for 3min)`; empty if that is not known."""
    moments = [one["opened_at"] for one in incidents if one.get("opened_at")]
    return f" ({lasting(min(moments), now=now)})" if moments else ""


def _more(app: dict[str, Any], incident: dict[str, Any], now: float) -> Iterator[str]:
    """Yield what is true at this moment, and so not in the text of an incident."""
    for unit in app.get("units", ()):
        if unit["name"] == incident.get("subject"):
            yield from (one for one in troubles(unit, now) if one not in incident["text"])
    if incident["code"] == _NO_IMAGE and (again := _next_pull(app, now)):
        yield again


def _next_pull(app: dict[str, Any], now: float) -> str:
    """Say when an image is tried again; empty if none is."""
    moment: float = app.get("next_pull_at", 0.0)
    return f"next try {relative(moment, now=now)}" if moment > now else ""


def cut(line: str) -> str:
    """Return a line of a log, as much as is shown of it."""
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _reason(app: dict[str, Any], incident: dict[str, Any]) -> str:
    """Return why a unit failed, as its gate or what it waits for has it; empty if it is said.

    A log is its own reason: it stands below, and only what is known besides is added.
    """
    unit, log = incident.get("subject", ""), "\n".join(incident.get("log", ()))
    needs = (need_in_words(one) for one in app.get("waiting", ()) if one["subject"] == unit)
    for text in (app.get("gate", ""), *needs):
        if not unit or not text.startswith(unit):
            continue
        how, _, why = text.removeprefix(unit).partition(": ")
        if not how:  # of a need: `web.service: failed: Error …`
            _, _, why = why.partition(": ")
        if log:
            _, _, why = why.partition(f"{log}; ")
        if why := joined(why):
            parts = why.split(": ")
            ends = (": ".join(parts[at:]) for at in range(len(parts)))
            said, hint = joined(incident["text"]), incident.get("hint")
            is_said = any(said.endswith(f": {end}") or end == hint for end in ends)
            return "" if why in said or is_said else why
    return ""


def _commits(app: dict[str, Any]) -> None:
    """Say what the commit says of itself that an app is at, and another that is asked for."""
    for which in ("", "wanted_"):
        subject, author = app.get(f"{which}subject", ""), app.get(f"{which}author", "")
        if subject or author:
            said = [quoted(subject)] if subject else []
            said += [f"(author {quoted(author)})"] if author else []
            say("  ", (short_id(app[f"{which}revision"]), "strong"), " ", " ".join(said))


def details(
    app: dict[str, Any],
    now: float,
    *,
    incidents: Sequence[dict[str, Any]] = (),
    all_units: bool,
) -> None:
    """What a person should know of an app: what is wrong, its findings, waits and units.

    Without `all_units`, of its units only those in trouble.
    """
    units = app.get("units", ())
    shown = [unit for unit in units if all_units or is_troubled(unit)]
    findings, waiting = app.get("findings", ()), [*map(need_in_words, app.get("waiting", ()))]
    is_told = any(map(app.get("gate", "").startswith, _subjects(incidents)))
    trial = "" if is_told else trial_in_words(app)
    orders = [*filter(None, [trial]), *(text for text, _ in orders_in_words(app, now))]
    updates = app.get("updates", ())
    certificates = app.get("certificates", ())
    held_back = app.get("held_back", ())
    told_of = (incidents, shown, findings, waiting, orders, updates, certificates, held_back)
    if not any(told_of):
        return
    say()
    if all_units:
        _commits(app)
    else:
        say((app["name"], "strong"), ": ", state(app["state"]))
    rows = {unit["name"]: unit["active"] for unit in shown}
    once = Once([unit["name"] for unit in units], rows=rows)
    told = [one["text"] for one in incidents]
    in_full = [screen.placed(one) for one in findings]
    for one in incidents:
        # Of what a finding says in full, an incident has the beginning only.
        full = next((text for text in in_full if text.startswith(f"{one['text']}: ")), "")
        told.append(full)
        text = full or _text(app, one, now)
        _incident(one, text, now)
        once.news(one["text"])
        once.news(text)
    for finding in findings:
        said = without_log(screen.placed(finding), finding.get("log", ()))
        if said not in told:
            screen.finding(finding)
        once.news(finding["message"])
    codes = {one["code"] for one in incidents}
    if updates and _UPDATE not in codes:
        _updates(app["name"], updates, now)
    if certificates and _CERTIFICATE not in codes:
        from supervisor.cli.show.certificate_view import trouble

        for one in certificates:
            trouble(one, now=now, indent="  ")
    # With all units, what they wrote last stands below.
    logs = [one["log"] for one in units if one.get("log")] if all_units else []
    for text in (*orders, *waiting):
        if news := once.news(reduce(without_log, logs, text)):
            say("  ", ("… ", "warn"), news)
    for text in held_back:
        say("    ", (text, "dim"))
    if _NO_IMAGE not in codes and (again := _next_pull(app, now)):
        say("    ", (again, "dim"))
    _units([_unit(unit, now, once) for unit in shown], in_full=all_units)


def _subjects(incidents: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (one["subject"] for one in incidents if one.get("subject"))


def _incident(one: dict[str, Any], text: str, now: float) -> None:
    """Say what is wrong, for how long, and what to do."""
    say("  ", _mark(one), as_it_stands(one, text), (age([one], now), "dim"))
    for hint in filter(None, next_of(one)):
        say("    ", (hint, "dim"))


def _updates(app: str, updates: list[dict[str, Any]], now: float) -> None:
    """Newer versions of images that are not run: they wait, or failed here."""
    from supervisor.core.images.words import update_in_words

    for one in updates:
        mark = ("✗ ", "bad") if one.get("failed") else ("… ", "warn")
        say("  ", mark, update_in_words(one["image"], one, now=now))
        if one.get("failed"):
            say("    ", ("push a better one, or have it tried again", "dim"))
            say("    ", (f"podvisor retry {app}", "dim"))


def is_troubled(unit: dict[str, Any]) -> bool:
    """Whether a person should look at a unit."""
    is_bad = unit["active"] == "failed" or unit.get("health") == "unhealthy"
    return is_bad or any(map(unit.get, _TROUBLES))


def _units(rows: list[list[Cell]], *, in_full: bool) -> None:
    """Write rows of `_unit`; in full, with images and ports, where there are any."""
    header = ("UNIT", "STATE", "IMAGE", "PORTS", "")
    told = [at for at, title in enumerate(header) if title not in {"IMAGE", "PORTS"}]
    if in_full and any(row[2] or row[3] for row in rows):
        told = [at for at in range(len(header)) if any(row[at] for row in rows)]
        titles = [header[at] for at in told]
        shown = [[row[at] for at in told] for row in rows]
        screen.table(shown, header=titles, indent="  ", cut=("IMAGE",), drop=("PORTS", "IMAGE"))
    else:
        screen.table([[row[at] for at in told] for row in rows], indent="  ")


def _unit(unit: dict[str, Any], now: float, once: Once) -> list[Cell]:
    health = once.without_cause(unit["name"], health_in_words(unit, now))
    parts = (one for one in troubles(unit, now) if not once.has_said(unit["name"], one))
    more = ", ".join(filter(None, (health, *parts)))
    ports = [*map(_port, unit.get("publishes", ())), *unit.get("listens", ())]
    return [
        unit["name"],
        _unit_state(unit),
        ", ".join(unit.get("images", ())),
        ", ".join(ports),
        (more, _STYLES.get(unit.get("health", ""), "")) if more else "",
    ]


def _port(one: dict[str, Any]) -> str:
    """Write a port of the host as people do: `127.0.0.1:8080`, `8000-8010/udp`."""
    address = f"[{one['address']}]" if ":" in one["address"] else one["address"]
    last = f"-{one['last']}" if one["last"] != one["first"] else ""
    protocol = f"/{one['protocol']}" if one["protocol"] != "tcp" else ""
    return f"{address}{':' if address else ''}{one['first']}{last}{protocol}"


def _unit_state(unit: dict[str, Any]) -> Cell:
    if not unit["active"]:
        return ("unknown", "dim")
    if unit.get("paused"):
        return (f"{unit['active']} ({'frozen' if unit.get('frozen') else 'paused'})", "bad")
    style = _STYLES.get(unit["active"], "warn" if unit.get("wanted") else "dim")
    # How it ended before says nothing of one that runs.
    ended = "" if unit.get("up") else unit.get("ended") or unit.get("result")
    more = ended or unit.get("sub")
    said = more and more != unit["active"]
    return (f"{unit['active']} ({more})" if said else unit["active"], style)
