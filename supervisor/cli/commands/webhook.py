"""`podvisor webhook`: what to enter at the Git host, and whether it works."""

import json
import os
from functools import partial
from pathlib import Path

import click
import msgspec

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused, ask
from supervisor.cli.show import screen
from supervisor.cli.show.screen import say

_ACCEPTED = 202


@click.command(
    short_help="Set up webhooks at the Git host, and try them.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        c0="it is shown; the test delivery was accepted, and the source read",
        c1="it could not be done, or the delivery was refused",
    ),
)
@click.argument("what", type=click.Choice(["show", "test"]), metavar="show|test")
@click.argument("source")
@click.option("--reveal", is_flag=True, help="show: write the secret itself, too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object.")
@click.pass_obj
def command(config: str, what: str, source: str, reveal: bool, as_json: bool) -> int:
    """Show what to enter at the Git host for a source's webhooks, or test them.

    `show` reads the settings alone. `test` has the daemon send itself a signed push of the source's
    kind, through its own listener, and says what came of it.
    """
    if what == "show":
        return _show(config, source, reveal=reveal, as_json=as_json)
    return _test(source, as_json=as_json)


def _show(config: str, source: str, *, reveal: bool, as_json: bool) -> int:
    from supervisor.cli.show.webhook_forms import form_for
    from supervisor.wiring.environment import load_settings

    reading = load_settings(Path(config))
    settings = reading.settings
    if settings is None:
        raise Refused("; ".join(str(finding) for finding in reading.findings))
    if source not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise Refused(f"no source named “{screen.clean(source)}”", hint=f"there are: {known}")
    if not settings.sources[source].webhook:
        hint = f'webhook = "github" or another, below [sources.{source}] in {places.shown(config)}'
        raise Refused(f"source {source} takes no webhooks", hint=hint)
    form = form_for(source, settings)
    if reveal and settings.sources[source].webhook_secret:
        from supervisor.cli.daemon.loop import in_loop
        from supervisor.wiring.environment import Paths
        from supervisor.wiring.offline import webhook_secret

        paths = Paths.from_environment(Path(config))
        secret = in_loop(partial(webhook_secret, settings, source, paths))
        fields = {**form.fields, "Secret": secret.decode("utf-8", "backslashreplace")}
        form = msgspec.structs.replace(form, fields=fields)
    if as_json:
        screen.write_json(form, indent=2)
        return codes.OK
    say(form.where, ":")
    say()
    screen.table([[(name, "dim"), value] for name, value in form.fields.items()], indent="  ")
    for text in form.text:
        say()
        for line in text.splitlines():
            print(screen.clean(line))
    for note in (*form.notes, *_secret_note(settings.sources[source].webhook_secret)):
        say()
        first, *rest = note.splitlines()
        say(("! ", "warn"), first)
        for line in rest:
            say("  ", line)
    return codes.OK


def _secret_note(reference: str) -> list[str]:
    """Say how to make a secret that is not there yet, where that can be seen from here."""
    kind, _, place = reference.partition(":")
    path = os.path.expanduser(place)  # noqa: PTH111
    if kind != "file" or Path(path).exists():
        return []
    shown = places.shown(path)
    make = f"(umask 077; head -c 32 /dev/urandom | base64 >{shown})"
    return [f"There is no {shown} yet. This makes it, with a new secret:\n{make}"]


def _test(source: str, *, as_json: bool) -> int:
    content = ask("/v1/webhook-test", body={"source": source})
    came = json.loads(content)
    well = came.get("read", False)
    if as_json:
        screen.write_json(came, indent=2)
        return codes.OK if well else codes.ERROR
    mark = ("✓ ", "good") if came["status"] == _ACCEPTED else ("✗ ", "bad")
    say(mark, f"POST http://{came['address']}{came['path']}: {came['status']}, {came['answer']}")
    if came.get("error"):
        say(("✗ ", "bad"), f"reading source {source}: {came['error']}")
    elif well:
        from supervisor.cli.show.status_view import short

        say(("✓ ", "good"), f"source {source} was read: {short(came.get('revision', ''))}")
    else:
        say("  ", ("podvisor status shows how webhooks stand", "dim"))
    return codes.OK if well else codes.ERROR
