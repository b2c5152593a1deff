"""`podvisor web`: the page's own process; systemd starts it when somebody looks."""

import socket

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show import screen


@click.command(
    short_help="Serve the page.",
    epilog=codes.epilog(
        c0="nobody looks any more, or it was asked to end",
        examples=("podvisor web --listen 127.0.0.1:9079",),
    ),
)
@click.option("--listen", metavar="ADDRESS:PORT", help="Where, if systemd hands no socket over.")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="By which it is reached, too.")
@click.option(
    "--idle",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="End when nobody has asked for so long; 0 is never.",
)
def command(listen: str | None, hosts: tuple[str, ...], idle: float) -> int:
    """Serve the page that shows how everything stands, and metrics.

    With `listen` in [web] of the settings, `podvisor setup` has systemd start this when somebody
    looks. To see it once: podvisor web --listen 127.0.0.1:9079
    """
    import asyncio
    from pathlib import Path

    from supervisor.web.process import handed_over, serve

    listeners = handed_over()
    if not listeners:
        listeners = [_bound(listen)]
        screen.say("podvisor's page is at ", (f"http://{listen}/", "strong"))
    daemon = Path(places.questions_socket())
    asyncio.run(serve(listeners, daemon, names=hosts, idle=idle))
    return codes.OK


def _bound(listen: str | None) -> socket.socket:
    """Listen where a person says so. Raises Refused."""
    from supervisor.core.config.formats import FORMATS
    from supervisor.core.githost.client_address import parse_listen

    if not listen:
        raise Refused(
            "systemd hands no socket over",
            hint="podvisor web --listen 127.0.0.1:9079, to see it once",
        )
    for problem in FORMATS["page"](("web", "listen"), listen):
        raise Refused(problem.message, hint=problem.hint)
    address, port = parse_listen(listen)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family)
    except OSError as error:
        raise Refused(f"cannot listen on {listen}: {error.strerror}") from error
