"""`podvisor trust`: have Podman verify who signed the images of apps."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import Refused
from supervisor.cli.fast.answer import answer
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen

if TYPE_CHECKING:
    from supervisor.model.image_status import AskedSignature


@click.command(
    short_help="Have Podman ask for the signatures that apps want.",
    epilog=codes.epilog(
        codes.CHANGES,
        codes.NOT_WELL,
        c0="Podman asks for all of them, and the apps are well",
        c2="there is something to write, and nobody said that it be written",
        examples=("podvisor trust web",),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option("--yes", is_flag=True, help="Write it without asking.")
@click.pass_obj
def command(config: str, *, apps: tuple[str, ...], yes: bool) -> int:
    """Show what Podman's policy has to say for the images of these apps (all, if none is named).

    An app asks by `VerifyImage=` who has to have signed its image. Podman verifies that, where
    ~/.config/containers/policy.json and registries.d say so: this shows their diff, asks, and
    writes them. All else in them stays as it is. Compare the key's fingerprint with what its owner
    says: whoever can push to the source can name another key, but nobody but you can write it here.
    """
    from supervisor.cli.local.trust import changes, unmet, write_all
    from supervisor.cli.show.diff_lines import show_diff
    from supervisor.model.image_status import SignatureList

    asked = answer("signatures", config, SignatureList).images
    mine = [one for one in asked if not apps or one.app in apps]
    for app in set(apps) - {one.app for one in asked}:
        hint = "VerifyImage= in [X-Podvisor] of its unit asks for one; podvisor status lists apps"
        raise Refused(f"no app named “{app}” asks for a signature", hint=hint)
    if not mine:
        screen.say("No app asks for a signature (VerifyImage=).")
        return codes.OK
    _show_keys(mine)
    found = changes(mine, Path.home())
    if not found:
        screen.say(("✓ ", "good"), "Podman asks for these signatures already.")
        return codes.OK
    for one in found:
        show_diff(one.lines(), colours=screen.has_colours())
    if not yes and not _is_confirmed():
        screen.say("Nothing is written.")
        return codes.CHANGES
    write_all(found, images=mine, home=Path.home())
    for one in found:
        screen.say(("✓ ", "good"), f"wrote {one.path}")
    for left in unmet(mine, Path.home()):
        raise Refused(
            f"Podman does not ask for the signature of {left.image} all the same",
            hint="does the policy have a narrower entry, for its tag or digest?",
        )
    return _bring_on(sorted({one.app for one in mine}))


def _show_keys(asked: Sequence["AskedSignature"]) -> None:
    """Say who has to have signed what, in full: a person is to compare it."""
    said = dict.fromkeys(
        (one.app, one.repository, one.key.path, one.key.fingerprint, one.fetched_as)
        for one in asked
    )
    for app, repository, path, fingerprint, names in said:
        screen.say((app, "strong"), f": {repository} is to be signed with {path}")
        screen.say(f"  sha256:{fingerprint}")
        for name in names:
            if name != repository:
                screen.say(f"  fetched as {name}, too: where its signatures have to be")
    screen.say()


def _is_confirmed() -> bool:
    if not screen.is_terminal(sys.stdin):
        screen.say("podvisor trust --yes writes it.", stream=sys.stderr)
        return False
    return click.confirm("Write this?", default=False)


def _bring_on(apps: Sequence[str]) -> int:
    """Have the daemon try again what waited for it, if one runs."""
    from supervisor.cli.daemon.client import NotRunning
    from supervisor.cli.fast.follow import follow

    try:
        return follow("/v1/sync", {"apps": apps}, apps=apps, as_json=False)
    except NotRunning:
        return codes.OK
