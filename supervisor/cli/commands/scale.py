"""`podvisor scale`: another number of replicas."""

import click

from supervisor.cli import codes
from supervisor.cli.fast.follow import follow
from supervisor.cli.local.offers import offer
from supervisor.model.unit_name import MOST_REPLICAS


@click.command(
    short_help="Have another number of replicas.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="there are as many, all well",
        examples=("podvisor scale web=5", "podvisor scale shop/worker=0"),
    ),
)
@click.argument("target", metavar="APP[/UNIT][=NUMBER]", shell_complete=offer("replicas"))
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(target: str, reason: str, as_json: bool) -> int:
    """Have as many replicas of a unit as NUMBER says, in place of `Replicas=` in its file.

    That holds until a release comes whose file says another number; without NUMBER, what the file
    says counts again. 0 stops them all, on purpose. An app of which one unit has replicas needs no
    UNIT: `podvisor scale web=5`, `podvisor scale shop/worker=0`.
    """
    name, equals, number = target.partition("=")
    app, slash, unit = name.partition("/")
    if slash and not unit:
        way = "write it, as in shop/worker=0, or leave out the /"
        raise click.UsageError(f"{target} names no UNIT behind the /: {way}")
    if not app or (equals and not _is_number(number)):
        what = f"NUMBER is one from 0 to {MOST_REPLICAS}, as in web=3"
        raise click.UsageError(f"{target} says nothing: {what}")
    body: dict[str, object] = {"app": app, "unit": unit, "reason": reason}
    if equals:
        body["replicas"] = int(number)
    return follow("/v1/scale", body, apps=[app], as_json=as_json)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:9]) <= MOST_REPLICAS
