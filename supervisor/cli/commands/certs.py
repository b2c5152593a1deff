"""`podvisor certs`: how certificates stand, having another one, and podvisor's own authority."""

import json
import time
from typing import Any

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, Refused, ask
from supervisor.cli.fast.follow import told
from supervisor.cli.local.offers import offer
from supervisor.cli.show import certificate_view, rehearsal_view, screen
from supervisor.cli.show.groups import HintingGroup

_NOT_WELL = "one is missing, has expired, cannot be renewed, or is not served"


def _ordered(example: str) -> str:
    return codes.epilog(
        *(codes.NOT_WELL, codes.NOT_RUNNING),
        examples=(example,),
        c0="there is another one, and it is in use",
        c1="no app asks for it, or it could not be done: the reason is said",
        c3="there is no other one yet, or it is not in use: the reason is said",
    )


@click.group(
    cls=HintingGroup,
    invoke_without_command=True,
    short_help="Show certificates, and have others issued.",
    epilog=codes.epilog(
        codes.NOT_WELL, codes.NOT_RUNNING, c3=_NOT_WELL, examples=("podvisor certs",)
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/certificate_status.py).")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int | None:
    """Show the certificates that apps ask for: when they expire, and when they are renewed.

    Without a daemon it says what the ledger knows.
    """
    if ctx.invoked_subcommand != "root" and ctx.find_root().params.get("config"):
        from supervisor.cli.app import must_be_the_daemons

        must_be_the_daemons(ctx.obj)
    if ctx.invoked_subcommand:
        return None
    body = _listed()
    found = json.loads(body)
    if as_json:
        screen.write_json(body)
    else:
        _say_if_absent(found)
        certificate_view.show(found["certificates"], now=time.time())
    return _code(found)


@command.command(
    short_help="Show all that is known of one certificate.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c1="no app asks for it",
        c3="it is missing, has expired, cannot be renewed, or is not served",
        examples=("podvisor certs show site",),
    ),
)
@click.argument("name", shell_complete=offer("certificate"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/certificate_status.py).")
def show(name: str, as_json: bool) -> int:
    """Show one certificate: its names, serial number, files, who uses it, and what failed."""
    found = json.loads(_listed())
    known = [one["name"] for one in found["certificates"]]
    found["certificates"] = [one for one in found["certificates"] if one["name"] == name]
    if not found["certificates"]:
        from supervisor.core.certificates.unknown import unknown

        said = unknown(name, known)
        raise Refused(said.message, hint=said.hint)
    if as_json:
        screen.write_json(found["certificates"][0])
    else:
        _say_if_absent(found)
        certificate_view.show_one(found["certificates"][0], now=time.time())
    return _code(found)


@command.command(
    short_help="Have another one issued, whether it is due or not.",
    epilog=_ordered("podvisor certs renew site --now"),
)
@click.argument("name", shell_complete=offer("certificate"))
@click.option("--now", is_flag=True, help="Also before the next try after a failure is due.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def renew(name: str, now: bool, as_json: bool) -> int:
    """Have another certificate issued, and installed for those who use it.

    What failed before is tried again when its time comes, or at once with --now; never more often
    than the issuer's limits allow.
    """
    return _order("renew", {"name": name, "now": now}, as_json=as_json)


@command.command(
    short_help="Have a certificate declared void, and another one issued.",
    epilog=_ordered("podvisor certs revoke site"),
)
@click.argument("name", shell_complete=offer("certificate"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def revoke(name: str, as_json: bool) -> int:
    """Have the issuer declare the current certificate void: its key is not to be trusted.

    Another one is ordered at once, with a new key, whatever ReuseKey= says.
    """
    return _order("revoke", {"name": name}, as_json=as_json)


@command.command(
    "import",
    short_help="Take over what certbot, lego or Caddy left.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        c0="all is taken over that can be, or was before",
        c1="PATH cannot be read, or there is nothing in it that can be taken over",
        c3="something in PATH is of no use: the reason is said; the rest is taken over",
        examples=("podvisor certs import /etc/letsencrypt --dry-run",),
    ),
)
@click.argument("path", type=click.Path(readable=False))
@click.option("--name", "names", metavar="NAME", multiple=True, help="Only this certificate.")
@click.option(
    "--account", metavar="TEXT", default="", help="Only the account with this URL, or address."
)
@click.option("--replace", is_flag=True, help="Also in the place of what is there and valid.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/client_folders.py).")
@click.pass_obj
def import_(
    config: str,
    path: str,
    *,
    names: tuple[str, ...],
    account: str,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Take over accounts and certificates, with their keys, so that nothing is ordered anew.

    PATH is the folder of certbot (/etc/letsencrypt), of lego or of Caddy, or a copy of it; what it
    holds of one certificate; or a folder with a key and its certificate in PEM. It is only read.

    A certificate is used where a .certificate file asks for its names, by its issuer, with its type
    of key, now or later; where none does, such a file is printed. It needs no daemon.
    """
    import os
    from functools import partial
    from pathlib import Path

    import msgspec

    from supervisor.cli.daemon.loop import in_loop
    from supervisor.cli.show import import_view
    from supervisor.model.certificate_status import CertificateList
    from supervisor.wiring.importing import read_folder

    place = Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - a link is named
    reading = partial(
        read_folder, Path(config), place, names=names, account=account, at=time.time()
    )
    taking = in_loop(reading)
    taking.replaces, taking.is_dry_run = replace, dry_run
    found = msgspec.json.decode(_listed(), type=CertificateList)
    report = in_loop(partial(taking.take, str(place), found.certificates))
    if found.running and not dry_run:
        reply = told("/v1/certificates/import", {}, apps=(), as_json=False, quiet=as_json)
        found = msgspec.convert(reply, CertificateList)
    report = taking.told(report, found.certificates, running=found.running)
    if as_json:
        screen.write_json(msgspec.json.encode(report))
    else:
        import_view.show(report)
    if not (report.accounts or report.certificates):
        return codes.ERROR
    return codes.NOT_WELL if any(one.is_fault for one in report.notes) else codes.OK


@command.command(
    short_help="Try what an order would come to, without any effect.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="nothing is wrong",
        c1="no app asks for it, it is being ordered just now, or there is no such issuer",
        c3="something is wrong: what, and what to do, is said",
        examples=("podvisor certs test site",),
    ),
)
@click.argument("name", shell_complete=offer("certificate"))
@click.option("--issuer", default="", help="Try the order at this issuer of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/rehearsal.py).")
def test(name: str, issuer: str, as_json: bool) -> int:
    """Look at all that a certificate needs, and try an order where it costs nothing.

    DNS, CAA, the port or the zone, who answers for each name, the issuer, the folder, its secrets,
    those who use it, the servers of Check=. An order is made at letsencrypt-staging for
    letsencrypt, and at what `staging` of the settings names for others; what that issues is thrown
    away. Nothing is installed or kept, and nothing counts against the issuer's limits.
    """
    screen.progress("Trying it; this may take minutes …")
    body = ask("/v1/certificates/test", body={"name": name, "issuer": issuer})
    report = json.loads(body)
    if as_json:
        screen.write_json(report)
    else:
        rehearsal_view.show(report)
    wrong = any(one.get("state") == "wrong" for one in report["checks"])
    return codes.NOT_WELL if wrong else codes.OK


@command.command(
    short_help="Print the certificate of podvisor's own authority.",
    epilog=codes.epilog(
        c0="it is printed",
        c1="there is none yet, or it cannot be read",
        examples=("podvisor certs root >podvisor-root.pem",),
    ),
)
@click.pass_obj
def root(config: str) -> int:
    """Print the certificate that clients have to trust for Issuer=internal, in PEM.

    It needs no daemon. The key of the authority never leaves its folder.
    """
    from functools import partial
    from pathlib import Path

    from supervisor.cli.daemon.loop import in_loop
    from supervisor.wiring.authority import root_of

    click.echo(in_loop(partial(root_of, Path(config))), nl=False)
    return codes.OK


def _listed() -> bytes:
    try:
        return ask("/v1/certificates")
    except NotRunning:
        from supervisor.cli.daemon.offline import certificates_from_ledger

        return certificates_from_ledger(places.ledger_file())


def _say_if_absent(found: dict[str, Any]) -> None:
    if not found["running"]:
        from supervisor.cli.daemon.absent import way_out

        screen.say(("The daemon is not running", "warn"), f": {way_out()}.")
        screen.say("This is what it knew last:")
        screen.say()


def _code(found: dict[str, Any]) -> int:
    if not found["running"]:
        return codes.NOT_RUNNING
    return codes.OK if certificate_view.is_well(found["certificates"]) else codes.NOT_WELL


def _order(order: str, body: dict[str, object], *, as_json: bool) -> int:
    reply = told(f"/v1/certificates/{order}", body, apps=(), as_json=as_json)
    if not as_json:
        if reply.get("untried"):
            screen.say(("Nothing was tried: ", "warn"), f"{reply['untried']}.")
            screen.say()
        certificate_view.show(reply["certificates"], now=time.time())
    # What was asked for, and is not in use, is not well either.
    is_in_use = not reply.get("untried") and all(
        one["state"] == "valid" for one in reply["certificates"]
    )
    is_well = is_in_use and certificate_view.is_well(reply["certificates"])
    return codes.OK if is_well else codes.NOT_WELL
