"""Draws what was taken over of another client's folder."""

from collections.abc import Iterator

from supervisor.cli.daemon import places
from supervisor.cli.show import screen
from supervisor.cli.show.screen import Cell, say
from supervisor.kit.texts import day
from supervisor.model.client_folders import (
    Client,
    ImportedAccount,
    ImportedCertificate,
    ImportReport,
    Note,
    Outcome,
)

_MARKS: dict[Outcome, Cell] = {
    Outcome.TAKEN: ("✓", "good"),
    Outcome.THERE: ("=", "dim"),
    Outcome.LEFT: ("-", "warn"),
}


def show(report: ImportReport) -> None:
    """Write a line for each, what a person should know, and the files that are to be written."""
    if not (report.accounts or report.certificates):
        say("Nothing in ", (places.shown(report.path), "strong"), " can be taken over.")
    rows = [_account(one, is_dry=report.is_dry_run) for one in report.accounts]
    rows += [_certificate(one, is_dry=report.is_dry_run) for one in report.certificates]
    screen.table(rows)
    hints = [one.hint for one in report.accounts] + [one.hint for one in report.certificates]
    for hint in dict.fromkeys(filter(None, hints)):
        say("  ", (hint, "dim"))
    _notes(report.notes)
    _files(report)
    _afterwards(report)


def _account(one: ImportedAccount, *, is_dry: bool) -> list[Cell]:
    owner = f"{one.client}, {one.key_type}"
    what = one.url or one.email or places.shown(one.path)
    at = f"at {one.issuer}" if one.issuer else ""
    return [_MARKS[one.outcome], "account", (what, "strong"), owner, at, _words(one, is_dry=is_dry)]


def _certificate(one: ImportedCertificate, *, is_dry: bool) -> list[Cell]:
    owner = f"{one.client}, {one.key_type}"
    names = " ".join(one.domains)
    until = f"until {day(one.expires)}"
    words = _words(one, is_dry=is_dry)
    if one.used_as and one.outcome is not Outcome.LEFT:
        words += f", as {one.used_as}"
    return [_MARKS[one.outcome], "certificate", (names, "strong"), owner, until, words]


def _words(one: ImportedAccount | ImportedCertificate, *, is_dry: bool) -> str:
    if one.outcome is Outcome.LEFT:
        return one.why
    taken = "to be taken over" if is_dry else "taken over"
    if one.outcome is Outcome.THERE:
        taken = "taken over before"
    return f"{taken}; {one.why}" if one.why else taken


def _notes(notes: tuple[Note, ...]) -> None:
    if notes:
        say()
    hints: list[str] = []
    for one in notes:
        mark: Cell = ("✗ ", "bad") if one.is_fault else ("! ", "warn")
        say(mark, (places.shown(one.path), "strong"), f": {one.text}")
        if one.hint and one.hint not in hints:
            hints.append(one.hint)
            say("  ", (one.hint, "dim"))


def _files(report: ImportReport) -> None:
    waiting = [one for one in report.certificates if one.file]
    if not waiting:
        return
    say()
    for line in _introduction(report, len(waiting)):
        say(line)
    for one in waiting:
        say()
        say((f"# {one.file}", "dim"))
        for line in one.text.splitlines():
            say(line)


def _afterwards(report: ImportReport) -> None:
    """Say what is left to do: two clients that renew one certificate are one too many."""
    taken = {one.client for one in report.certificates if one.outcome is Outcome.TAKEN}
    if Client.CERTBOT in taken and not report.is_dry_run:
        say()
        say("Once podvisor has them all, end certbot's own renewals:")
        say("  sudo systemctl disable --now certbot.timer")


def _introduction(report: ImportReport, number: int) -> Iterator[str]:
    if number == 1:
        yield "This file in an app's folder has podvisor use it, and renew it when it is due:"
    else:
        yield "These files in apps' folders have podvisor use them, and renew them when due:"
    if not report.running:
        yield "(The daemon is not running: it is not known whether some file asks for it already.)"
