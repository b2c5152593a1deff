"""What `contrib/bench idle --docs` writes: the page, its picture, and the claim of the README."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from idle import (
    CHECKED,
    EVERYTHING,
    RESTING,
    Result,
    alone,
    doubts,
    limits,
    mean,
    own,
)

from supervisor.kit.texts import format_duration

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explanation/idle.md"
README = ROOT / "README.md"
PICTURE = PAGE.with_suffix(".svg")
RESULT = PAGE.with_suffix(".json")
BEGIN, END = "<!-- figures: written by contrib/bench idle --docs -->", "<!-- end of figures -->"


def write_docs(result: Result) -> None:
    """Put the figures into the page, and the picture and the result beside it."""
    body = "\n".join(page(result))
    put(PAGE, f"\n\n{body}\n\n")
    put(README, claim(result))
    PICTURE.write_text(result["picture"])
    RESULT.write_text(json.dumps(result | {"picture": PICTURE.name}, indent=1) + "\n")


def put(path: Path, text: str) -> None:
    """Replace what stands between the marks of a page."""
    head, begin, rest = path.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        sys.exit(f"bench: cannot write the figures: {path} has no place for them")
    path.write_text(f"{head}{begin}{text}{end}{tail}")


def claim(result: Result) -> str:
    """The figures in a sentence."""
    one = own(result, CHECKED[0].user)
    written = f"{one['written']} bytes" if one["written"] else "nothing"
    return (
        " Measured, with all that it starts: at rest, with ten containers and their health checks, "
        "it takes "
        f"{number(mean(one, 'cpu_ms'))} ms of CPU and {number(mean(one, 'wakeups'))} wake-ups a "
        f"minute, {alone(result):.0f} MB of memory, and writes "
        f"{written} to disk."
    )


def page(result: Result) -> Iterator[str]:
    """The lines of the page between the marks."""
    reports = {user: fleet["report"] for user, fleet in result["fleets"].items()}
    report = reports[CHECKED[0].user]
    settle, window = (format_duration(result[f"{key}_seconds"]) for key in ("settle", "window"))
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield (
        f"By `{result['command']}`, on {result['date']}: {settle} to settle, then a window of "
        f"{window} for all of a column side by side. {report['cpus']} processors "
        f"({report['machine']}), Linux {report['kernel']}; Debian {result['suite']}, {versions}. "
        "All that was measured, with its standard errors, is in [idle.json](idle.json).\n"
    )
    if found := doubts(result):
        yield "How far not to trust it:\n"
        yield from (f"- {doubt}" for doubt in found)
        yield ""
    yield "![CPU, wake-ups and memory of podvisor and others, on logarithmic scales](idle.svg)\n"
    for title, cell in TABLES.items():
        yield f"### {title}\n"
        yield from matrix(reports, cell)
        yield ""
    yield "### What podvisor makes others do\n"
    yield (
        "Ten containers with health checks, one of which logs ten lines a second. Of two equal "
        "users on one host one has podvisor, then the other.\n"
    )
    yield "| | CPU with, ms/min | without | more | wake-ups/min with | without |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for label, one in result["caused"].items():
        yield (
            f"| {label} | {one['with_ms']:.2f} | {one['without_ms']:.2f} "
            f"| {one['more_ms']:+.2f} ± {one['error_ms']:.2f} "
            f"| {one['with_wakeups']:.1f} | {one['without_wakeups']:.1f} |"
        )
    if {one.user for one in EVERYTHING} <= reports.keys():
        yield from everything(result)
    yield "\n### What was promised\n"
    yield "| | measured | at most | |"
    yield "| --- | --- | --- | --- |"
    for limit in limits(result):
        verdict = "kept" if limit.kept else "**not kept**"
        yield f"| {limit.what} | {limit.measured} | {limit.limit} | {verdict} |"


def everything(result: Result) -> Iterator[str]:
    """A table of the one who has everything, beside the one who has nothing of it."""
    plain, full = (own(result, one.user) for one in EVERYTHING)
    yield "\n### With everything enabled\n"
    yield (
        "Ten containers with health checks, of two users side by side. One has all that can be "
        "enabled: the page, which takes orders of who has a token; a notifier; webhooks of a Git "
        "host and of a registry; images that are followed, by their digest and by a policy; a "
        "certificate. Nobody looks, and nothing happens.\n"
    )
    yield "| podvisor | without | with everything |"
    yield "| --- | --- | --- |"
    for title, cell in (TABLES | {"Written, bytes": lambda one: number(one["written"])}).items():
        yield f"| {title} | {cell(plain)} | {cell(full)} |"


def matrix(reports: dict[str, Result], cell: Callable[[Result], str]) -> Iterator[str]:
    """A table: a row for each that was measured, a column for each fleet."""
    columns = [fleet for fleet in (*RESTING, *CHECKED) if fleet.user in reports]
    yield f"| | {' | '.join(fleet.short for fleet in columns)} |"
    yield f"| --- |{' --- |' * len(columns)}"
    found = {
        (one["label"], fleet.user): one
        for fleet in columns
        for one in reports[fleet.user]["targets"]
    }
    rows = sorted(reports[CHECKED[0].user]["targets"], key=lambda one: mean(one, "cpu_ms"))
    for label in (one["label"] for one in rows):
        ones = (found.get((label, fleet.user)) for fleet in columns)
        cells = " | ".join(cell(one) if one else "-" for one in ones)
        yield f"| {f'**{label}**' if label == 'podvisor' else label} | {cells} |"


def wakeups(one: Result) -> str:
    return f"{'' if one['switches_complete'] else '≥ '}{number(mean(one, 'wakeups'))}"


def memory(one: Result) -> str:
    return "?" if one["memory"] is None else f"{one['memory'] / 1e6:.1f}"


def number(value: float) -> str:
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


TABLES: dict[str, Callable[[Result], str]] = {
    "CPU, milliseconds a minute": lambda one: number(mean(one, "cpu_ms")),
    "Wake-ups a minute": wakeups,
    "Memory (PSS), MB": memory,
}
