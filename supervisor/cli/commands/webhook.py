"""`podvisor webhook`: what to enter at the Git host or the registry, and whether it works."""

import json
import os
from functools import partial
from pathlib import Path

import click
import msgspec

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused, ask
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen
from supervisor.cli.show.screen import say
from supervisor.core.files.unitfile import Refused as Unreadable
from supervisor.core.githost.host import Form
from supervisor.kit.texts import meant, short_id
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import Settings

_ACCEPTED = 202


@click.command(
    short_help="Set up webhooks at the Git host or the registry, and try them.",
    epilog=codes.epilog(
        codes.NOT_RUNNING,
        c0="it is shown; the test delivery was accepted, and (of a source) the source read",
        c1="it could not be done, or the delivery was refused",
        examples=("podvisor webhook show home", "podvisor webhook test home"),
    ),
)
@click.argument("what", type=click.Choice(["show", "test"]), metavar="show|test")
@click.argument("target", metavar="SOURCE|REGISTRY|IMAGE", shell_complete=offer("webhook target"))
@click.option("--reveal", is_flag=True, help="show: write the secret itself, too.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(config: str, what: str, target: str, reveal: bool, as_json: bool) -> int:
    """Show what to enter at the Git host for a source's webhooks, or test them.

    For a registry of the settings, too; and for an image, whichever registry it is of.

    `show` reads the settings alone. `test` has the daemon send itself a signed push of the source's
    or registry's kind, through its own listener, and says what came of it.
    """
    if what == "show":
        return _show(config, target, reveal=reveal, as_json=as_json)
    return _test(target, as_json=as_json)


def _show(config: str, target: str, *, reveal: bool, as_json: bool) -> int:
    from supervisor.wiring.environment import load_settings

    reading = load_settings(Path(config))
    settings = reading.settings
    if settings is None:
        raise Refused("; ".join(str(finding) for finding in reading.findings))
    takes = target in settings.sources and bool(settings.sources[target].webhook)
    if takes:
        forms = [_source_form(config, settings, target, reveal=reveal)]
    elif target in settings.webhooks.registries:
        forms = [_registry_form(config, settings, target, reveal=reveal)]
    elif target in settings.sources:
        hint = f'webhook = "github" or another, below [sources.{target}] in {places.shown(config)}'
        raise Refused(f"source {target} takes no webhooks", hint=hint)
    else:
        return _show_image(config, settings, target, reveal=reveal, as_json=as_json)
    _write(forms, as_json=as_json)
    return codes.OK


def _show_image(config: str, settings: Settings, image: str, *, reveal: bool, as_json: bool) -> int:
    from supervisor.cli.show.registry_forms import heard_of, missing_for, registry_of

    known = [*settings.sources, *settings.webhooks.registries]
    if not set(image) & {".", ":", "/"}:
        every = ", ".join(known) or "none"
        hint = meant(image, known, f"there are: {every}; or name an image: docker.io/me/web")
        raise Refused(f"no source or registry named “{screen.clean(image)}”", hint=hint)
    try:
        host = registry_of(image)
    except Unreadable as error:
        raise Refused(str(error), hint=error.hint) from None
    if names := heard_of(host, settings):
        forms = [_registry_form(config, settings, name, reveal=reveal) for name in names]
        _write(forms, as_json=as_json)
        return codes.OK
    missing = missing_for(image, host, settings)
    if as_json:
        screen.write_json(missing, indent=2)
        return codes.OK
    say(missing.where, ":")
    say()
    for line in missing.text:
        print(screen.clean(line))
    _notes([*missing.notes, *_secret_note(SecretRef(f"file:{missing.secret}"))])
    return codes.OK


def _source_form(config: str, settings: Settings, name: str, *, reveal: bool) -> Form:
    from supervisor.cli.show.webhook_forms import form_for

    form, place = form_for(name, settings), settings.sources[name].webhook_secret
    if reveal and place:
        secret = _read_secret(config, place).decode("utf-8", "backslashreplace")
        form = msgspec.structs.replace(form, fields={**form.fields, "Secret": secret})
    return _with_secret_note(form, place)


def _registry_form(config: str, settings: Settings, name: str, *, reveal: bool) -> Form:
    from supervisor.cli.show.registry_forms import form_for

    place = settings.webhooks.registries[name].secret
    secret = _read_secret(config, place) if reveal else None
    return _with_secret_note(form_for(name, settings, secret=secret), place)


def _read_secret(config: str, place: SecretRef) -> bytes:
    from supervisor.cli.daemon.loop import in_loop
    from supervisor.wiring.environment import Paths
    from supervisor.wiring.offline import webhook_secret

    return in_loop(partial(webhook_secret, place, Paths.from_environment(Path(config))))


def _write(forms: list[Form], *, as_json: bool) -> None:
    if as_json:
        screen.write_json(forms[0] if len(forms) == 1 else forms, indent=2)
        return
    for number, form in enumerate(forms):
        if number:
            say()
        say(form.where, ":")
        say()
        screen.table([[(name, "dim"), value] for name, value in form.fields.items()], indent="  ")
        for text in form.text:
            say()
            for line in text.splitlines():
                print(screen.clean(line))
        _notes(form.notes)


def _notes(notes: list[str] | tuple[str, ...]) -> None:
    for note in notes:
        say()
        first, *rest = note.splitlines()
        say(("! ", "warn"), first)
        for line in rest:
            say("  ", line)


def _with_secret_note(form: Form, place: SecretRef) -> Form:
    return msgspec.structs.replace(form, notes=(*form.notes, *_secret_note(place)))


def _secret_note(reference: SecretRef) -> list[str]:
    """Say how to make a secret that is not there yet, where that can be seen from here."""
    path = os.path.expanduser(reference.place)  # noqa: PTH111
    if reference.kind != "file" or Path(path).exists():
        return []
    shown = places.shown(path)
    make = f"(umask 077; head -c 32 /dev/urandom | base64 >{shown})"
    return [f"There is no {shown} yet. This makes it, with a new secret:\n{make}"]


def _test(target: str, *, as_json: bool) -> int:
    content = ask("/v1/webhook-test", body={"target": target})
    came = json.loads(content)
    is_accepted = came["status"] == _ACCEPTED
    well = is_accepted if came.get("is_registry") else came.get("read", False)
    if as_json:
        screen.write_json(came, indent=2)
        return codes.OK if well else codes.ERROR
    mark = ("✓ ", "good") if is_accepted else ("✗ ", "bad")
    say(mark, f"POST http://{came['address']}{came['path']}: {came['status']}, {came['answer']}")
    if came.get("error"):
        say(("✗ ", "bad"), f"reading source {target}: {came['error']}")
    elif came.get("is_registry") and well:
        say("  ", ("the image is nobody's: what counts is that it was heard", "dim"))
    elif well:
        say(("✓ ", "good"), f"source {target} was read: {short_id(came.get('revision', ''))}")
    else:
        say("  ", ("podvisor status shows how webhooks stand", "dim"))
    return codes.OK if well else codes.ERROR
