"""`podvisor history`: the releases of an app that were tried on this machine."""

import json
import time
from typing import Any

import click

from supervisor.cli import codes
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import NotRunning, ask
from supervisor.cli.local.offers import offer
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.core.health.release import authors, images_in_words, marks
from supervisor.kit.texts import relative, rough_sizes, short_id
from supervisor.model.image import Pin

_STYLES = {"good": "good", "failed": "bad", "trial": "warn", "overtaken": "dim"}
_LONGEST_NAME = 24


@click.command(
    short_help="Show the revisions of an app that ran here.",
    epilog=codes.epilog(c0="shown, also where no daemon runs", examples=("podvisor history web",)),
)
@click.argument("app", shell_complete=offer("app"))
@click.option("--json", "as_json", is_flag=True, help="Write JSON (model/status.py: History).")
def command(app: str, as_json: bool) -> int:
    """Show which revisions of an app were tried here, when, and what came of them.

    Each has a release, which is another one when it runs with other images; these are shown with
    their tags and the beginning of their digests or ids, and with the author of a new commit, as
    that says itself. `podvisor rollback APP REVISION` goes back to one, by its revision or its
    release. Below are the volumes that were exported when a release was left; `podvisor restore APP
    RELEASE` puts them back, too.

    One on `trial` has not passed its gate yet; the first release of an app cannot be taken back, so
    its trial goes on until it is well. One that was `overtaken` had not passed its gate when
    something newer came. Without a daemon it is read from the ledger.
    """
    try:
        body = ask("/v1/history", query={"app": app})
    except NotRunning:
        from supervisor.cli.daemon.offline import history_from_ledger

        body = history_from_ledger(places.ledger_file(), app)
    if as_json:
        screen.write_json(body)
    else:
        _show(json.loads(body), now=time.time())
    return codes.OK


def _images(rollout: dict[str, Any]) -> str:
    """Say which images a release runs with."""
    pins = [Pin(**pin) for pin in rollout.get("pins", ())]
    return images_in_words(rollout.get("images", {}), pins)


def _show(history: dict[str, Any], *, now: float) -> None:
    rows: list[list[Cell]] = []
    reasons: list[tuple[str, str, str]] = []
    rollouts = history["rollouts"]
    told = zip(rollouts, authors(rollouts), marks(history), strict=True)
    for age, (one, author, words) in enumerate(told):
        outcome = one.get("outcome", "trial")
        if outcome == "trial" and (age or one.get("ended_at")):
            outcome = "overtaken"
        if by := one.get("by"):
            reasons.append((short_id(one["release"]), f"was ordered by {by}", "dim"))
        if why := one.get("reason"):
            reasons.append((short_id(one["release"]), why, _STYLES.get(outcome, "")))
        rows.append(
            [
                (short_id(one["revision"]), "strong"),
                (short_id(one["release"]), "dim"),
                (outcome, _STYLES.get(outcome, "")),
                relative(one["began_at"], now=now),
                (", ".join(words), "good"),
                ": ".join(filter(None, (author[:_LONGEST_NAME], one.get("subject", "")))),
                (_images(one), "dim"),
            ]
        )
    volumes = history.get("volumes", ())
    if rows:
        header = ("REVISION", "RELEASE", "OUTCOME", "TRIED", "NOW", "COMMIT", "IMAGES")
        screen.table(rows, header=header, cut=("COMMIT",))
        if reasons:
            say()
        for release, why, style in reasons:
            say((f"{release} ", "dim"), (why, style))
        if volumes:
            say()
        for each in volumes:
            held = rough_sizes(each["volumes"])
            ago = relative(each["at"], now=now)
            say((f"{short_id(each['release'])} ", "dim"), f"volumes of {ago}: {held}; {each['id']}")
    else:
        say("No revision was tried yet.")
