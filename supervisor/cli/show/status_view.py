"""Draws a status: sources, apps, and what needs attention.

It takes the plain JSON of `model.status.Status` (see `client` for why), from `status` and `sync`.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from supervisor.cli.show import app_view, screen, webhook_view
from supervisor.cli.show.screen import Cell, say
from supervisor.core.status.in_words import (
    apps_in_words,
    own_problems,
    suspension_in_words,
    unknown_in_words,
    without_log,
)
from supervisor.kit.texts import count, lasting, relative, short_id


def show_apps(apps: list[dict[str, Any]]) -> None:
    """Write how these apps stand, and nothing else."""
    now = time.time()
    _apps(apps, now)
    for one in _without_common(apps, now):
        app_view.details(one, now, all_units=False)


def show(status: dict[str, Any], *, named: Collection[str] = (), now: float | None = None) -> None:
    """Write it all; of apps that are `named`, these with all their units, and little else."""
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
        screen.finding(problem, indent="", note=_age(problem, status, now))
    if problems:
        say()
    _sources(status.get("sources", ()), now, in_full=not named)
    if status.get("apps"):
        _apps(status["apps"], now)
    else:
        say(_no_apps(status))
    wrong = _by_app(status.get("incidents", ()))
    apps = status.get("apps", ()) if named else _without_common(status.get("apps", ()), now)
    for one in () if named else apps:
        if incidents := wrong.get(one["name"]):
            app_view.wrong(one, incidents, now)
    for one in apps:
        if named:
            incidents = wrong.get(one["name"], [])
            app_view.details(one, now, incidents=incidents, all_units=True)
        elif one["name"] not in wrong:
            app_view.details(one, now, all_units=False)
    for one in () if named else status.get("watches", ()):
        say()
        _watch(one)
    if status.get("webhooks") and not named:
        webhook_view.listener(status["webhooks"])
    for one in () if named else status.get("registry_webhooks", ()):
        webhook_view.registry(one, now)
    for one in () if named else status.get("unknown_images", ()):
        say(("! ", "warn"), unknown_in_words(one, now))
    if len(named) != 1 and status["running"] and status.get("apps"):
        say()
        say(_summary(status, problems))


def _without_common(apps: Sequence[dict[str, Any]], now: float) -> Sequence[dict[str, Any]]:
    """Say once that all apps are suspended, by one order; returns them without that."""
    common = [one for one in apps if (o := one.get("suspension")) and not o.get("app")]
    if common == common[:1]:
        return apps
    say()
    say(("… ", "warn"), f"all apps are {suspension_in_words(common[0]['suspension'], now)}")
    return [{**one, "suspension": None} if one in common else one for one in apps]


def _by_app(incidents: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in incidents:
        if one.get("app"):
            found.setdefault(one["app"], []).append(one)
    return found


def _age(problem: dict[str, Any], status: dict[str, Any], now: float) -> str:
    """Say for how long podvisor has had a problem of its own, where that is known."""
    text = without_log(screen.placed(problem), problem.get("log", ()))
    same = (one for one in status.get("incidents", ()) if not one.get("app"))
    return app_view.age([one for one in same if one["text"] == text], now)


def _sources(sources: list[dict[str, Any]], now: float, *, in_full: bool) -> None:
    """Write them; not `in_full` only what keeps them from being read."""
    rows: list[list[Cell]] = []
    for source in sources if in_full else ():
        place = source["location"] + (f" ({source['ref']})" if source.get("ref") else "")
        subject = f"{short_id(source.get('revision', ''))} {source.get('subject', '')}".strip()
        rows.append(
            [(source["name"], "strong"), place, _read(source, now), subject or ("-", "dim")]
        )
    if rows:
        header = ("SOURCE", "FROM", "READ", "REVISION")
        screen.table(rows, header=header, cut=("FROM", "REVISION"), drop=("READ", "FROM"))
        say()
    for source in sources:
        if in_full and source.get("webhook"):
            webhook_view.source(source["name"], source["webhook"], now)
        if in_full and source.get("proposal"):
            _proposal(source["name"], source["proposal"])
        if source.get("error"):
            began = source.get("error_since")
            since = f" ({lasting(began, now=now)})" if began else ""
            say(("✗ ", "bad"), f"{source['name']}: {source['error']}", (since, "dim"))
        for finding in source.get("findings", ()):
            whose = f"{source['name']}: " if len(sources) > 1 else ""
            screen.finding(finding, indent="", whose=whose)
    parts = ("error", "findings", *(("webhook", "proposal") if in_full else ()))
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
        text = short_id(revision) or "-"
        if wanted and wanted != revision:
            text += f" → {short_id(wanted)}"
        rows.append(
            [
                (app["name"], "strong"),
                app_view.state(app["state"]),
                _running(app),
                text,
                relative(app.get("applied_at", 0.0), now=now),
            ]
        )
    if rows:
        header = ("APP", "STATE", "RUNNING", "REVISION", "APPLIED")
        drop = ("APPLIED", "RUNNING", "REVISION")
        screen.table(rows, header=header, fold=("APP",), drop=drop)


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


def _summary(status: dict[str, Any], problems: list[dict[str, Any]]) -> str:
    apps, sources = status["apps"], status.get("sources", ())
    more = []
    if unread := sum(bool(source.get("error")) for source in sources):
        more.append(f"{count(unread, 'source')} cannot be read")
    if unknown := sum(one["images"] for one in status.get("unknown_images", ())):
        more.append(f"{count(unknown, 'image')} unknown")
    if ailing := sum(len(app.get("certificates", ())) for app in apps):
        more.append(f"{count(ailing, 'certificate')} not well")
    if found := sum(bool(problem.get("fatal", True)) for problem in problems):
        more.append(f"{count(found, 'problem')} above")
    if status.get("starting"):
        more.append("the daemon is starting, and has not looked at all of them yet")
    return "; ".join([apps_in_words(apps), *more]) + "."
