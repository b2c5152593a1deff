"""`podvisor secret`: keys, encrypted files, and how the apps' secrets stand."""

import json

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import ask
from supervisor.cli.fast.answer import answer
from supervisor.cli.local.offers import offer
from supervisor.cli.local.secret_files import edit, encrypt, init
from supervisor.cli.show import screen
from supervisor.cli.show.groups import HintingGroup

_STYLES = {"current": "good", "made by hand": "good", "to be made": "warn", "left over": "dim"}


@click.group(
    cls=HintingGroup,
    short_help="Encrypt secrets for this host, and see how they stand.",
    commands={"init": init, "encrypt": encrypt, "edit": edit},
    epilog=codes.epilog(
        c0="it was done; each command of its own says more", examples=("podvisor secret list",)
    ),
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep secrets encrypted in the repository.

    `podvisor secret encrypt NAME` writes NAME.age and NAME.secret, which belong into an app's
    folder. podvisor makes a Podman secret of them before it starts what uses it.
    """
    if ctx.invoked_subcommand in ("list", "rotate") and ctx.find_root().params.get("config"):
        from supervisor.cli.app import must_be_the_daemons

        must_be_the_daemons(ctx.obj)


@command.command(
    "list",
    short_help="Show all secrets: whose they are, and whether they are there.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        c3="a secret is missing, taken, or could not be made yet",
        examples=("podvisor secret list",),
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/secret.py: SecretList).")
@click.pass_obj
def list_secrets(config: str, as_json: bool) -> int:
    """Show the secrets that apps describe or use, and those that are left of others.

    No value is shown. Without a daemon the list is made here.
    """
    from supervisor.model.secret import SecretList

    found = answer("secrets", config, SecretList)
    if as_json:
        screen.write_json(found, indent=2)
    elif found.secrets:
        screen.table(
            [
                [
                    one.name,
                    (one.state, _STYLES.get(one.state, "bad")),
                    one.app,
                    one.source,
                    (" ".join(one.units), "dim"),
                ]
                for one in found.secrets
            ],
            header=("SECRET", "STATE", "APP", "SOURCE", "USED BY"),
        )
    else:
        screen.say("No app describes or uses a secret.")
    well = {"current", "made by hand", "left over"}
    return codes.OK if all(one.state in well for one in found.secrets) else codes.NOT_WELL


@command.command(
    short_help="Give a generated secret another value.",
    epilog=codes.epilog(
        *(codes.NOT_WELL, codes.NOT_RUNNING),
        c0="it has another value, and what uses it was restarted",
        c1="no app describes it, or it is not a generated one: what to do is said",
        examples=("podvisor secret rotate db-password",),
    ),
)
@click.argument("name", shell_complete=offer("secret"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: SyncReply).")
def rotate(name: str, *, as_json: bool) -> int:
    """Give a secret that was made by Generate= another value, and restart what uses it.

    A secret of another kind is changed where it comes from; this says how.
    """
    from supervisor.cli.fast.status_report import is_well
    from supervisor.cli.show.status_view import show

    answer = ask("/v1/secrets/rotate", body={"name": name})
    reply = json.loads(answer)
    if as_json:
        screen.write_json(answer)
    else:
        screen.say(("✓ ", "good"), f"{name} has another value.")
        show({"running": True, **reply})
    return codes.OK if is_well(reply) else codes.NOT_WELL
