"""`podvisor restore`: back to an older release of an app, with what its volumes held then."""

import sys
import time

import click
import msgspec

from supervisor.cli import codes
from supervisor.cli.daemon.client import ask
from supervisor.cli.fast.follow import follow
from supervisor.cli.local.offers import offer
from supervisor.cli.show.screen import is_terminal, say
from supervisor.core.plan.volumes import snapshot_meant
from supervisor.kit.texts import relative, rough_sizes, short_id
from supervisor.model.status import History
from supervisor.model.volumes import AppVolumes, VolumeSnapshot


@click.command(
    short_help="Bring an app and its volumes back to an older release.",
    epilog=codes.epilog(
        codes.NOT_WELL,
        codes.NOT_RUNNING,
        c0="it runs well, with what it had then",
        examples=("podvisor restore web 3f2a91c0",),
    ),
)
@click.argument("app", shell_complete=offer("app"))
@click.argument("release", shell_complete=offer("snapshot"))
@click.option("--yes", "-y", is_flag=True, help="Do not ask: what was written since goes.")
@click.option("--reason", default="", metavar="TEXT", help="Why; goes into the event log.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines: events, then the reply.")
def command(app: str, release: str, yes: bool, reason: str, as_json: bool) -> int:
    """Bring an app back to a release, and its volumes to what they held when it was left.

    That was exported if the app says Snapshot=volumes; `podvisor history APP` shows of which
    releases. RELEASE is one of them, its revision, or a snapshot's id; the beginning will do. The
    app is held there, as by `podvisor rollback`.

    What was written to the volumes since then is gone from them. What they hold now is exported
    first, as a snapshot of the release that runs: restoring that one undoes this.
    """
    history = msgspec.json.decode(ask("/v1/history", query={"app": app}), type=History)
    known = AppVolumes(snapshots=history.volumes[::-1])
    snapshot = snapshot_meant(release, known, history.rollouts, app=app)
    if not yes:
        _show(app, snapshot, now=time.time(), running=history.running)
        if not is_terminal(sys.stdin):
            raise click.UsageError("nobody is here to be asked: say --yes")
        click.confirm("Put them back?", abort=True, err=True)
    body = {"apps": [app], "revision": snapshot.id, "reason": reason}
    return follow("/v1/restore", body, apps=[app], as_json=as_json)


def _show(app: str, snapshot: VolumeSnapshot, *, now: float, running: str) -> None:
    """Say what is put back, and what goes."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(snapshot.at))
    ago = relative(snapshot.at, now=now)
    say(
        (app, "strong"),
        f" goes back to release {short_id(snapshot.release)}, and these volumes to what they",
    )
    say(f"held when it was left, {when} ({ago}): {rough_sizes(snapshot.volumes)}.")
    say(("What was written to them since then goes.", "bad"))
    undo = f" `podvisor restore {app} {running}` undoes it." if running else ""
    say(f"What they hold now is exported first.{undo}")
