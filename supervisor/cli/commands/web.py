"""`podvisor web`: the page's own process; systemd starts it when somebody looks."""

import errno
import os
import socket
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show import screen

if TYPE_CHECKING:
    from supervisor.web.access import Access


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
@click.option("--actions", is_flag=True, help="Take orders of who says who it is.")
@click.option(
    "--token",
    metavar="PLACE",
    help="Where the token is that people log in with: file:PATH or credential:NAME.",
)
@click.option("--require-login", is_flag=True, help="Show nothing to who says not who it is.")
@click.option(
    "--user-header",
    default="",
    metavar="NAME",
    help="The header in which a reverse proxy says who it let in.",
)
def command(
    *,
    listen: str | None,
    hosts: tuple[str, ...],
    idle: float,
    actions: bool,
    token: str | None,
    require_login: bool,
    user_header: str,
) -> int:
    r"""Serve the page that shows how everything stands, and metrics.

    With `listen` in [web] of the settings, `podvisor setup` has systemd start this when somebody
    looks. To see it once: podvisor web --listen 127.0.0.1:9079

    It takes orders only where `actions` is true in [web]. A token for it is made so:

    \b
    (umask 077; head -c 24 /dev/urandom | base64 >~/.config/podvisor/page-token)
    """
    import asyncio
    from pathlib import Path

    from supervisor.cli.local.page_token import read_token
    from supervisor.core.config import web_rules
    from supervisor.model.setting_types import SecretRef
    from supervisor.web.access import Access
    from supervisor.web.memory import new_memory
    from supervisor.web.process import handed_over, is_for_all, serve
    from supervisor.web.sessions import Sessions

    listeners, memory = handed_over()
    for_all = any(map(is_for_all, listeners)) or web_rules.is_for_all(listen or "")
    known = read_token(SecretRef(token)) if token else None
    access = Access(
        token=known,
        sessions=Sessions(known.owner, memory or new_memory()) if known else Sessions(),
        user_header=user_header,
        actions=actions,
        is_closed=for_all or require_login,
    )
    _check(access, for_all=for_all)
    if not listeners:
        listeners = [_bound(listen)]
        screen.say("podvisor's page is at ", (f"http://{listen}/", "strong"))
    daemon, orders = Path(places.questions_socket()), Path(places.page_orders_socket())
    asyncio.run(
        serve(
            listeners,
            daemon,
            names=hosts,
            idle=idle,
            access=access,
            orders=orders if actions else None,
        )
    )
    return codes.OK


def _check(access: "Access", *, for_all: bool) -> None:
    """Raise Refused where somebody could order, or look from elsewhere, who says not who it is."""
    is_asked = access.token or access.user_header
    hint = "--token file:PATH, or --user-header NAME behind a reverse proxy"
    if access.actions and not is_asked:
        raise Refused("cannot take orders: there is no way to know whose they are", hint=hint)
    if for_all and (access.user_header or not access.token):
        raise Refused(
            "cannot be there for everybody who reaches this machine: nobody is asked who it is",
            hint="--token file:PATH, without --user-header",
        )
    if access.is_closed and not is_asked:
        raise Refused("nobody could look: there is no way to know who it is", hint=hint)


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
        if error.errno == errno.EADDRINUSE:
            from supervisor.cli.local import page_socket

            if page_socket.is_there(address, port):
                there = f"http://{listen}/ (podvisor-web.socket)"
                raise Refused(
                    f"cannot listen on {listen}: the page is there already, at {there}",
                    hint="look at it there, or name another port",
                ) from error
        why = os.strerror(error.errno) if error.errno else str(error)
        raise Refused(f"cannot listen on {listen}: {why}") from error
