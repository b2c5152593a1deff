"""Draws a status: sources, apps, and what needs attention.

It takes the plain JSON of `model.status.Status` (see `client` for why), from `status` and `sync`.
"""

import time
from collections import Counter
from collections.abc import Iterable
from functools import reduce
from typing import Any

from supervisor.cli.show import screen, webhook_view
from supervisor.cli.show.once import Once
from supervisor.cli.show.screen import Cell, say
from supervisor.core.status.in_words import (
    health_in_words,
    need_in_words,
    orders_in_words,
    own_problems,
    short,
    trouble_in_words,
    troubles,
    unknown_in_words,
    without_log,
)
from supervisor.kit.texts import count, relative

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
_TROUBLES = ("failures", "next_try_at", "unstarted", "unmet", "paused")


def show_apps(apps: list[dict[str, Any]]) -> None:
    """Write how these apps stand, and nothing else."""
    now = time.time()
    _apps(apps, now)
    for one in apps:
        _details(one, now, all_units=False)


def show(status: dict[str, Any], *, app: str = "", now: float | None = None) -> None:
    """Write it all; with `app`, that app with all its units."""
    now = time.time() if now is None else now
    if not status["running"]:
        from supervisor.cli.daemon.absent import way_out

        say(("The daemon is not running", "warn"), f": {way_out()}.")
        if not status.get("apps"):
            return
        say("This is what it applied last:")
        say()
    problems = own_problems(status)
    for problem in problems:
        screen.finding(problem, indent="")
    if problems:
        say()
    if not app:
        _sources(status.get("sources", ()), now)
    if status.get("apps"):
        _apps(status["apps"], now)
    else:
        say(_no_apps(status))
    wrong = _by_app(() if app else status.get("incidents", ()))
    for one in status.get("apps", ()):
        if incidents := wrong.get(one["name"]):
            _wrong(one, incidents, now)
    for one in status.get("apps", ()):
        if one["name"] not in wrong:
            _details(one, now, all_units=bool(app))
    for one in () if app else status.get("watches", ()):
        say()
        _watch(one)
    if status.get("webhooks") and not app:
        webhook_view.listener(status["webhooks"])
    for one in () if app else status.get("registry_webhooks", ()):
        webhook_view.registry(one, now)
    for one in () if app else status.get("unknown_images", ()):
        say(("! ", "warn"), unknown_in_words(one, now))
    if not app and status["running"] and status.get("apps"):
        say()
        say(_summary(status, problems))


def _by_app(incidents: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in incidents:
        if one.get("app"):
            found.setdefault(one["app"], []).append(one)
    return found


def _wrong(app: dict[str, Any], incidents: list[dict[str, Any]], now: float) -> None:
    """Say of an app in one line what is wrong, and below it the next step."""
    first, name = incidents[0], app["name"]
    units = (unit for unit in app.get("units", ()) if unit["name"] == first.get("subject"))
    more = [one for unit in units for one in troubles(unit, now)]
    text = ", ".join([first["text"], *(one for one in more if one not in first["text"])])
    if reason := _reason(app, first):
        text += f": {reason}"
    others = count(len(incidents) - 1, "thing")
    rest = f"; {others} more" if len(incidents) > 1 else ""
    say()
    moments = [one["opened_at"] for one in incidents if one.get("opened_at")]
    since = f" (since {relative(min(moments), now=now)})" if moments else ""
    say(("✗ ", "bad"), (f"{name}: ", "strong"), text, (rest, "dim"), (since, "dim"))
    for line in first.get("log", ()):
        say("    ", (cut(line), "dim"))
    command = f"podvisor status {name}" if rest else first.get("command", "")
    for hint in filter(None, (first.get("hint"), command)):
        say("  ", (hint, "dim"))
    for order in orders_in_words({**app, "gate": ""}, now):
        say("  ", ("… ", "warn"), order)


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
        if why := " ".join(why.split()):
            parts = why.split(": ")
            ends = (": ".join(parts[at:]) for at in range(len(parts)))
            said = incident["text"]
            return "" if why in said or any(said.endswith(f": {end}") for end in ends) else why
    return ""


def _sources(sources: list[dict[str, Any]], now: float) -> None:
    rows: list[list[Cell]] = []
    for source in sources:
        place = source["location"] + (f" ({source['ref']})" if source.get("ref") else "")
        subject = f"{short(source.get('revision', ''))} {source.get('subject', '')}".strip()
        rows.append(
            [(source["name"], "strong"), place, _read(source, now), subject or ("-", "dim")]
        )
    if rows:
        screen.table(rows, header=("SOURCE", "FROM", "READ", "REVISION"), cut=("FROM", "REVISION"))
        say()
    for source in sources:
        if source.get("webhook"):
            webhook_view.source(source["name"], source["webhook"], now)
        if source.get("proposal"):
            _proposal(source["name"], source["proposal"])
        if source.get("error"):
            began = source.get("error_since")
            since = f" ({relative(began, now=now)})" if began else ""
            say(("✗ ", "bad"), f"{source['name']}: {source['error']}", (since, "dim"))
        for finding in source.get("findings", ()):
            screen.finding(finding, indent="")
    parts = ("error", "findings", "webhook", "proposal")
    if any(source.get(part) for source in sources for part in parts):
        say()


def _proposal(name: str, one: dict[str, Any]) -> None:
    """Say what waits for a person, or what a person decided."""
    page = f": {one['url']}" if one.get("url") else ""
    if one.get("state", "open") == "open":
        say((f"{name}: {one['name']} waits to be merged{page}", "dim"))
    else:
        why = "was closed without a merge, and none is opened until there is something newer"
        say(("! ", "warn"), f"{name}: {one['name']} {why}{page}")


def _watch(one: dict[str, Any]) -> None:
    """What is watched, how, and what would be better if it is not well."""
    if one.get("hint"):
        say(("! ", "warn"), f"{one['what']}: {one['way']}, for {one['reason']}")
        say("  ", (one["hint"], "dim"))
    else:
        say((f"{one['what']}: {one['way']} ({one['cost']})", "dim"))


def _read(source: dict[str, Any], now: float) -> Cell:
    read = relative(source.get("read_at", 0.0), now=now)
    due = source.get("next_poll_at", 0.0)
    text = f"{read}, again {relative(due, now=now)}" if due > now else read
    return (text, "bad" if source.get("error") else "")


def _apps(apps: list[dict[str, Any]], now: float) -> None:
    rows: list[list[Cell]] = []
    for app in apps:
        revision, wanted = app.get("revision", ""), app.get("wanted_revision", "")
        text = short(revision) or "-"
        if wanted and wanted != revision:
            text += f" → {short(wanted)}"
        rows.append(
            [
                (app["name"], "strong"),
                _state(app["state"]),
                _running(app),
                text,
                relative(app.get("applied_at", 0.0), now=now),
            ]
        )
    if rows:
        screen.table(rows, header=("APP", "STATE", "RUNNING", "REVISION", "APPLIED"), fold=("APP",))


def _no_apps(status: dict[str, Any]) -> str:
    """Say why there is no app to show."""
    sources = status.get("sources", ())
    unread = [one["name"] for one in sources if not (one.get("read_at") or one.get("error"))]
    if unread:
        return f"No apps yet: {', '.join(unread)} is not read yet."
    if status.get("starting"):
        return "No apps yet: the daemon is starting, and has not looked at all of them."
    return "No apps yet."


def _running(app: dict[str, Any]) -> Cell:
    """How many of the units that are to run do, or did so well."""
    units = app.get("units", ())
    wanted = [unit for unit in units if unit.get("wanted") or unit.get("unstarted")]
    up = [unit for unit in wanted if unit.get("up") or unit.get("ended_well")]
    if not wanted:
        return ("-", "dim")
    return (f"{len(up)}/{len(wanted)}", "" if len(up) == len(wanted) else "warn")


def _state(word: str) -> Cell:
    return (word, _STYLES.get(word, ""))


def _details(app: dict[str, Any], now: float, *, all_units: bool) -> None:
    """What a person should know of an app: its findings, waits and units in trouble."""
    units = app.get("units", ())
    shown = [unit for unit in units if all_units or is_troubled(unit)]
    findings, waiting = app.get("findings", ()), [*map(need_in_words, app.get("waiting", ()))]
    orders = list(orders_in_words(app, now))
    updates = app.get("updates", ())
    certificates = app.get("certificates", ())
    if not (shown or findings or waiting or orders or updates or certificates):
        return
    say()
    if not all_units:
        say((app["name"], "strong"), ": ", _state(app["state"]))
    rows = {unit["name"]: unit["active"] for unit in shown}
    once = Once([unit["name"] for unit in units], rows=rows)
    for finding in findings:
        screen.finding(finding)
        once.news(finding["message"])
    if updates:
        _updates(app["name"], updates, now)
    if certificates:
        from supervisor.cli.show.certificate_view import trouble

        for one in certificates:
            trouble(one, now=now, indent="  ")
    # With all units, what they wrote last stands below.
    logs = [one["log"] for one in units if one.get("log")] if all_units else []
    for text in (*orders, *waiting):
        if news := once.news(reduce(without_log, logs, text)):
            say("  ", ("… ", "warn"), news)
    for text in app.get("held_back", ()):
        say("    ", (text, "dim"))
    if app.get("next_pull_at", 0.0) > now:
        say("    ", (f"next try {relative(app['next_pull_at'], now=now)}", "dim"))
    _units([_unit(unit, now, once) for unit in shown], in_full=all_units)


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
        screen.table(
            [[row[at] for at in told] for row in rows], header=titles, indent="  ", cut=("IMAGE",)
        )
    else:
        screen.table([[row[at] for at in told] for row in rows], indent="  ")


def _unit(unit: dict[str, Any], now: float, once: Once) -> list[Cell]:
    health = once.without_cause(unit["name"], health_in_words(unit, now))
    more = ", ".join(filter(None, (health, trouble_in_words(unit, now))))
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
        return (f"{unit['active']} (paused)", "bad")
    style = _STYLES.get(unit["active"], "warn" if unit.get("wanted") else "dim")
    more = unit.get("ended") or unit.get("result") or unit.get("sub")
    said = more and more != unit["active"]
    return (f"{unit['active']} ({more})" if said else unit["active"], style)


def _summary(status: dict[str, Any], problems: list[dict[str, Any]]) -> str:
    apps, sources = status["apps"], status.get("sources", ())
    states = Counter(app["state"] for app in apps)
    more = []
    if unread := sum(bool(source.get("error")) for source in sources):
        more.append(f"{count(unread, 'source')} cannot be read")
    if unknown := sum(one["images"] for one in status.get("unknown_images", ())):
        more.append(f"{count(unknown, 'image')} unknown")
    if ailing := sum(len(app.get("certificates", ())) for app in apps):
        more.append(f"{count(ailing, 'certificate')} not well")
    if found := sum(bool(problem.get("fatal", True)) for problem in problems):
        more.append(f"{count(found, 'problem')} above")
    if set(states) > {"ready"} or "ready" not in states:
        parts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
        summary = f"{count(len(apps), 'app')}: {parts}"
    elif more:
        summary = f"{count(len(apps), 'app')} ready"
    else:
        summary = f"{count(len(apps), 'app')}, all ready"
    return "; ".join([summary, *more]) + "."
