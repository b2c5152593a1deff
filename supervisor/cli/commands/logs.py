"""`podvisor logs`: what an app's programs wrote, and between it what podvisor did."""

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, Refused, ask, stream
from supervisor.cli.local.journal import Line, unit_lines
from supervisor.cli.local.offers import offer
from supervisor.cli.local.times import moment
from supervisor.cli.show import screen
from supervisor.cli.show.log_lines import show_event

_USUAL_LINES = 50
_LONGEST = 4_096
"""Characters of a line that are shown."""


class _Meant(NamedTuple):
    """What is asked for."""

    units: tuple[str, ...]
    query: dict[str, str]
    """Which events: of an app, or of a unit."""
    kept: tuple[str, ...] = ()
    """Those of the units of which Podman has lines that the journal has not."""
    notes: tuple[str, ...] = ()
    """Of which units nothing is to be had, and why."""


_One = tuple[float, Line | dict[str, Any]]
"""A line or an event, with its moment."""


@click.command(
    short_help="Show what an app's programs wrote.",
    epilog=codes.epilog(
        codes.INTERRUPTED,
        c0="shown, also where no daemon runs",
        examples=("podvisor logs web -f", "podvisor logs web.service --since 2h"),
    ),
)
@click.argument("name", metavar="APP|UNIT", shell_complete=offer("app or unit"))
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option(
    "-n",
    "--lines",
    metavar="N",
    type=click.IntRange(min=0),
    help="The newest so many, lines and events together; 0 is all."
    f"  [default: {_USUAL_LINES}, or all with --since]",
)
@click.option("--since", type=moment, metavar="WHEN", help="As 2h or 7d ago, or an ISO date.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    name: str, *, follow: bool, lines: int | None, since: float | None, as_json: bool
) -> int:
    """Show the lines of an app's units, or of one unit, and what podvisor did between them.

    The lines are those of the journal of this user, or with LogDriver=k8s-file those that Podman
    keeps while the container runs, as they were printed: secrets in them are not masked. With
    --json each line is {"time", "unit", "by", "line"} or {"event": …} (Event).
    """
    newest = (0 if since else _USUAL_LINES) if lines is None else lines
    meant = _meant(name)
    show = _write_json if as_json else _Shown(meant.units)
    past = _past(meant, newest=newest, since=since or 0.0)
    for one in past:
        show(one)
    if not meant.units:
        said = f"No unit of {name} has run yet: podvisor status {name} says why."
        screen.say((said, "dim"), stream=sys.stderr)
    for note in meant.notes:
        screen.say((note, "dim"), stream=sys.stderr)
    if follow:
        for one in _to_come(meant, after=past[-1][0] if past else time.time()):
            show(one)
    elif not past:
        screen.progress(("No lines.", "dim"))
    return codes.OK


def _meant(name: str) -> _Meant:
    """Find the units that are meant. Raises Stalled if there are none."""
    status = json.loads(_status())
    apps = status["apps"]
    for app in apps:
        if app["name"] == name:
            return _meant_of(app.get("units", ()), {"app": name})
    owner, _, word = name.rpartition("/")
    units = {
        unit["name"]: unit
        for app in apps
        for unit in app.get("units", ())
        if owner in ("", app["name"])
    }
    for unit in (word, f"{word}.service"):
        if unit in units:
            return _meant_of([units[unit]], {"unit": unit})
    from supervisor.core.files.names import unknown_app_or_unit

    known = {*(app["name"] for app in apps), *units}
    raise unknown_app_or_unit(name, known, is_early=status.get("starting", False))


def _meant_of(units: Sequence[dict[str, Any]], query: dict[str, str]) -> _Meant:
    kept, notes = [], []
    for unit in units:
        if driver := unit.get("log_driver", ""):
            from supervisor.core.status.container_lines import has_lines
            from supervisor.core.status.unkept_log import unkept_log

            is_kept = has_lines(driver, unit.get("active", ""))
            kept += [unit["name"]] if is_kept else []
            note = unkept_log(driver, unit.get("log_file", ""), is_there=is_kept)
            notes += [f"{unit['name']}: {note}"] if note else []
    return _Meant(tuple(unit["name"] for unit in units), query, tuple(kept), tuple(notes))


def _status() -> bytes:
    try:
        return ask("/v1/status", timeout_seconds=10)
    except NotRunning:
        from supervisor.cli.daemon.last_status import status_from_ledger

        return status_from_ledger(places.ledger_file())


def _past(meant: _Meant, *, newest: int, since: float) -> list[_One]:
    """Return what there is, in its order: lines, and the events since the first of them."""
    read = unit_lines(meant.units, newest=newest, since=since) if meant.units else ()
    lines: list[_One] = [(line.time, line) for line in read]
    if meant.kept:
        from supervisor.cli.local.container_log import container_lines

        kept = container_lines(meant.kept, newest=newest, since=since)
        lines = sorted(chain(lines, ((one.time, one) for one in kept)), key=itemgetter(0))
    begin = since or (lines[0][0] if lines and newest else 0.0)
    events: list[_One] = [
        (one["time"], one) for one in _events({**meant.query, "since": begin, "limit": newest})
    ]
    return sorted(chain(lines, events), key=itemgetter(0))[-newest:]


def _events(query: dict[str, Any]) -> Iterable[dict[str, Any]]:
    try:
        yield from stream("/v1/events", query=query)
    except NotRunning:
        import msgspec

        from supervisor.cli.daemon.offline import events_from_ledger
        from supervisor.model.events import EventQuery

        for event in events_from_ledger(places.ledger_file(), EventQuery(**query)):
            yield msgspec.to_builtins(event)


def _to_come(meant: _Meant, *, after: float) -> Iterator[_One]:
    """Yield lines and events as they come. Raises what reading the lines does."""
    came: queue.SimpleQueue[_One | Exception] = queue.SimpleQueue()

    def read(some: Callable[[], Iterator[_One]]) -> None:
        try:
            for one in some():
                came.put(one)
        except Exception as error:  # noqa: BLE001  # whoever reads the queue raises it
            came.put(error)

    def lines() -> Iterator[_One]:
        if not meant.units:
            return  # the events go on
        for line in unit_lines(meant.units, since=after, follow=True):
            if line.time > after:
                yield line.time, line

    def events() -> Iterator[_One]:
        query = {**meant.query, "since": after, "follow": 1}
        try:
            for event in stream("/v1/events", query=query):
                if event["time"] > after:
                    yield event["time"], event
        except (NotRunning, Refused):
            return  # the daemon ends, or none runs: the lines go on

    def kept(unit: str) -> Iterator[_One]:
        from supervisor.cli.local.container_log import followed

        return ((line.time, line) for line in followed(unit, since=after) if line.time > after)

    for some in (lines, events, *(partial(kept, unit) for unit in meant.kept)):
        threading.Thread(target=read, args=(some,), daemon=True).start()
    while True:
        one = came.get()
        if isinstance(one, Exception):
            raise one
        yield one


class _Shown:
    """Writes one after the other, for people."""

    def __init__(self, units: Sequence[str]) -> None:
        self._width = max((len(_short(unit)) for unit in units), default=0)

    def __call__(self, one: _One) -> None:
        moment, what = one
        if isinstance(what, dict):
            show_event(what, with_time=True)
            return
        text = what.text if len(what.text) <= _LONGEST else f"{what.text[:_LONGEST]}…"
        style = "dim" if what.by == "systemd" else ""
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
        unit = _short(what.unit).ljust(self._width)
        screen.say((f"{clock}  ", "dim"), (unit, "strong"), "  ", (text, style))


def _short(unit: str) -> str:
    return unit.removesuffix(".service")


def _write_json(one: _One) -> None:
    moment, what = one
    if isinstance(what, dict):
        screen.write_json({"event": what})
    else:
        said = {"time": moment, "unit": what.unit, "by": what.by, "line": what.text}
        screen.write_json(said)
