"""`podvisor metrics`: what Prometheus should know, in its text format."""

from pathlib import Path

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import NotRunning, ask
from supervisor.cli.show import screen


@click.command(
    short_help="Write metrics for Prometheus.",
    epilog=codes.epilog(codes.NOT_RUNNING, examples=("podvisor metrics",)),
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there, whole or not at all, for node_exporter's textfile collector.",
)
def command(output: Path | None) -> int:
    """Write how all stands, and what the daemon has done, in Prometheus' text format.

    Without a daemon it says just that: podvisor_up is 0.
    """
    import msgspec

    from supervisor.api.metrics import exposition
    from supervisor.kit.files import told, write_whole
    from supervisor.model.counters import Metrics

    try:
        metrics = msgspec.json.decode(ask("/v1/metrics"), type=Metrics)
    except NotRunning:
        metrics = None
    text = exposition(metrics)
    if output:
        with told(f"write {output}"):
            write_whole(output, text, mode=0o644)
    else:
        for line in text.decode().splitlines():
            click.echo(screen.clean(line))
    return codes.OK if metrics else codes.NOT_RUNNING
