"""`podvisor trust`: have Podman verify who signed the images of apps."""

import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from supervisor.cli import codes
from supervisor.cli.daemon.client import NotRunning, Refused
from supervisor.cli.fast.answer import answer
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen

if TYPE_CHECKING:
    from supervisor.cli.local.trust import Change
    from supervisor.model.image_status import AskedSignature


@click.command(
    short_help="Have Podman ask for the signatures that apps want.",
    epilog=codes.epilog(
        codes.CHANGES,
        codes.NOT_WELL,
        c0="Podman asks for all of them, and the apps are well",
        c2="there is something to write, and nobody said that it be written",
        examples=("podvisor trust web", "podvisor trust web --json"),
    ),
)
@click.argument("apps", nargs=-1, metavar="[APP]...", shell_complete=offer("app"))
@click.option("--yes", is_flag=True, help="Write it without asking.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write JSON (model/trust.py: TrustReport), and ask nothing: --yes has it written.",
)
@click.pass_obj
def command(config: str, *, apps: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Show what Podman's policy has to say for the images of these apps (all, if none is named).

    An app asks by `VerifyImage=` who has to have signed its image. Podman verifies that, where
    ~/.config/containers/policy.json and registries.d say so: this shows their diff, asks, and
    writes them. All else in them stays as it is. Compare the key's fingerprint with what its owner
    says: whoever can push to the source can name another key, but nobody but you can write it here.
    """
    from supervisor.cli.local.trust import changes
    from supervisor.cli.show.diff_lines import show_diff
    from supervisor.model.image_status import SignatureList

    asked = answer("signatures", config, SignatureList).images
    mine = [one for one in asked if not apps or one.app in apps]
    for app in set(apps) - {one.app for one in asked}:
        hint = "VerifyImage= in [X-Podvisor] of its unit asks for one; podvisor status lists apps"
        raise Refused(f"no app named “{app}” asks for a signature", hint=hint)
    if as_json:
        return _in_json(mine, changes(mine, Path.home()), write=yes)
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
    if not yes and not _is_confirmed(apps):
        screen.say("Nothing is written.")
        return codes.CHANGES
    _write(found, mine)
    for one in found:
        screen.say(("✓ ", "good"), f"wrote {one.path}")
    return _bring_on(mine)


def _write(found: "Sequence[Change]", images: Sequence["AskedSignature"]) -> None:
    """Write it, and see that it does what it is for. Raises Refused."""
    from supervisor.cli.local.trust import unmet, write_all

    write_all(found, images=images, home=Path.home())
    for left in unmet(images, Path.home()):
        raise Refused(
            f"Podman does not ask for the signature of {left.image} all the same",
            hint="does the policy have a narrower entry, for its tag or digest?",
        )


def _in_json(images: Sequence["AskedSignature"], found: "Sequence[Change]", *, write: bool) -> int:
    import msgspec

    from supervisor.cli.fast.follow import told
    from supervisor.cli.fast.status_report import is_well
    from supervisor.model.status import SyncReply
    from supervisor.model.trust import FileChange, TrustReport

    reply: dict[str, Any] | None = None
    is_written = write and bool(found)
    if is_written:
        _write(found, images)
        apps = sorted({one.app for one in images})
        with suppress(NotRunning):
            reply = told("/v1/sync", {"apps": apps}, apps=apps, as_json=False, quiet=True)
    report = TrustReport(
        images=tuple(images),
        changes=tuple(FileChange(path=str(one.path), diff="\n".join(one.lines())) for one in found),
        written=is_written,
        reply=msgspec.convert(reply, SyncReply) if reply else None,
    )
    screen.write_json(report, indent=2)
    if found and not is_written:
        return codes.CHANGES
    return codes.OK if reply is None or is_well(reply) else codes.NOT_WELL


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


def _is_confirmed(apps: Sequence[str]) -> bool:
    if not screen.is_terminal(sys.stdin):
        command = shlex.join(["podvisor", "trust", *apps, "--yes"])
        screen.say(f"{command} writes it.", stream=sys.stderr)
        return False
    return click.confirm("Write this?", default=False)


def _bring_on(images: Sequence["AskedSignature"]) -> int:
    """Have the daemon try again what waited for it, if one runs."""
    from supervisor.cli.fast.follow import follow

    apps = sorted({one.app for one in images})
    try:
        return follow("/v1/sync", {"apps": apps}, apps=apps, as_json=False)
    except NotRunning:
        return codes.OK
