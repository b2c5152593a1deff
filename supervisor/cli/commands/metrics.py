"""`podvisor metrics`: what Prometheus should know, in its text format."""

from pathlib import Path

import click

from supervisor import __version__
from supervisor.cli import codes
from supervisor.cli.daemon.client import NotRunning, ask
from supervisor.cli.show import screen


@click.command(
    short_help="Write metrics for Prometheus.",
    epilog=codes.epilog(
        codes.NOT_RUNNING, examples=("podvisor metrics", "podvisor metrics --json")
    ),
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there, whole or not at all, for node_exporter's textfile collector.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write what they are made of as JSON (model/counters.py: Metrics).",
)
def command(output: Path | None, *, as_json: bool) -> int:
    """Write how all stands, and what the daemon has done, in Prometheus' text format.

    Without a daemon it says just that: podvisor_up is 0, or "running" false.
    """
    import msgspec

    from supervisor.api.metrics import exposition
    from supervisor.kit.files import told, write_whole
    from supervisor.model.counters import Metrics
    from supervisor.model.status import Status

    try:
        metrics = msgspec.json.decode(ask("/v1/metrics"), type=Metrics)
    except NotRunning:
        metrics = None
    if as_json:
        nothing = Metrics(status=Status(running=False, version=__version__, apps=()))
        text = msgspec.json.encode(metrics or nothing) + b"\n"
    else:
        text = exposition(metrics)
    if output:
        with told(f"write {output}"):
            write_whole(output, text, mode=0o644)
    elif as_json:
        screen.write_json(text)
    else:
        for line in text.decode().splitlines():
            click.echo(screen.clean(line))
    return codes.OK if metrics else codes.NOT_RUNNING
