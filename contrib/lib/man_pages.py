"""The man pages, one of each command, from what the commands say of themselves.

`contrib/cli-reference` writes them down; a test has man format them.
"""

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator

import click

from contrib.lib import commands
from supervisor.cli import codes
from supervisor.cli.app import COMMANDS, group

HEAD = """\
.\\" Written by contrib/cli-reference from the commands themselves: change those.
.TH {title} 1 "" "podvisor" "Manual of podvisor"
.nh
.ad l
"""
ABOUT = """\
podvisor reads folders of Quadlet files and plain systemd units from Git repositories and folders,
has Podman's own generator judge them, installs them for the user's systemd, and keeps them running.
It reacts to change and sleeps between changes. What it deployed keeps running when it is stopped.

Begin with `podvisor init`, name a source in the file that it writes, and `podvisor setup`.
"""
FILES = (
    ("~/.config/podvisor/config.toml", "Settings; `podvisor init` writes them, each explained."),
    ("~/.config/containers/systemd/podvisor/", "What is deployed, a folder for each app."),
    ("~/.local/state/podvisor/ledger.db", "The event log, and what was applied."),
    ("$XDG_RUNTIME_DIR/podvisor/control.sock", "The control socket."),
)
ENVIRONMENT = (
    ("NO_COLOR", "If it is set, nothing is written in colours, which are for terminals only."),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR",
        "Where the files are, if not below ~/.config, ~/.local/state and /run/user.",
    ),
    ("VISUAL, EDITOR", "The editor of `podvisor secret edit`."),
)
ELSEWHERE = ("podman-systemd.unit (5)", "systemd.unit (5)", "journalctl (1)", "loginctl (1)")
_WIDTH = 78
_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def pages() -> dict[str, str]:
    """Return every page by the name of its file."""
    found = {"podvisor.1": "\n".join(_main()) + "\n"}
    known = [name for name, _, _ in commands.everything()]
    for name, command, context in commands.everything():
        lines = _page(name, command, context, known)
        found[f"{_page_name(name)}.1"] = "\n".join(lines) + "\n"
    return found


def _main() -> Iterator[str]:
    root = click.Context(group, info_name="podvisor")
    yield HEAD.format(title="PODVISOR").rstrip()
    yield ".SH NAME"
    yield "podvisor \\- " + roff("keeps rootless Podman containers as a Git repository says")
    yield from _synopsis("podvisor", commands.usage(group, root))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(ABOUT)
    yield ".SH OPTIONS"
    yield from _options(group, root)
    yield ".SH COMMANDS"
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command
        yield from _entry(_reference(name), command.short_help or "")
    yield ".SH EXIT STATUS"
    for code, meaning in codes.MEANINGS.items():
        yield from _entry(f".B {code}", meaning)
    for title, found in (("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)):
        yield f".SH {title}"
        for what, text in found:
            yield from _entry(f".I {roff(what)}", text)
    yield from _see_also([f".BR {roff(one)}" for one in ELSEWHERE])


def _page(
    name: str, command: click.Command, context: click.Context, known: list[str]
) -> Iterator[str]:
    page = _page_name(name)
    yield HEAD.format(title=page.upper().replace("-", "\\-")).rstrip()
    yield ".SH NAME"
    said = (command.short_help or "").rstrip(".")
    yield f"{roff(page)} \\- {roff(said[:1].lower() + said[1:])}"
    yield from _synopsis(f"podvisor {name}", commands.usage(command, context))
    yield ".SH DESCRIPTION"
    yield from _paragraphs(command.help or "")
    below = [one for one in known if one.startswith(f"{name} ")]
    if below:
        yield ".SH COMMANDS"
    for one in below:
        sub = getattr(command, "commands", {})[one.split()[1]]
        yield from _entry(_reference(one), sub.short_help or "")
    yield ".SH OPTIONS"
    yield from _options(command, context)
    yield ".SH EXIT STATUS"
    for code, meaning in commands.exit_codes(command):
        yield from _entry(f".B {code}", meaning)
    yield ".SH EXAMPLES"
    yield from _verbatim(commands.examples(command))
    text = command.help or ""
    parent, _, below_it = name.partition(" ")
    named = [one for one in known if re.search(rf"podvisor {re.escape(one)}\b", text)]
    beside = [one for one in known if below_it and one.startswith(f"{parent} ")]
    others = dict.fromkeys([*([parent] if below_it else []), *below, *beside, *named])
    yield from _see_also(
        [".BR podvisor (1)", *(_reference(one) for one in sorted(others) if one != name)]
    )


def _page_name(command: str) -> str:
    return f"podvisor-{command.replace(' ', '-')}"


def _reference(command: str) -> str:
    return f".BR {roff(_page_name(command))} (1)"


def _synopsis(typed: str, pieces: list[str]) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    yield f".B {roff(typed)}"
    if pieces:
        yield roff(" ".join(pieces))


def _paragraphs(text: str) -> Iterator[str]:
    """Write a command's help: paragraphs, and what click is told not to fill."""
    for at, one in enumerate(inspect.cleandoc(text).split("\n\n")):
        if at:
            yield ".PP"
        if one.startswith("\b\n"):
            yield from _verbatim(one.splitlines()[1:])
        else:
            yield _lively(one)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for flags, text in commands.option_records(command, context):
        yield from _entry(f".B {roff(flags)}", text)
    yield from _entry(".B \\-h, \\-\\-help", "Show how it is used.")


def _entry(title: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield title
    yield _lively(text)


def _see_also(references: list[str]) -> Iterator[str]:
    yield ".SH SEE ALSO"
    yield from (f"{one}," for one in references[:-1])
    yield references[-1]


def _lively(text: str) -> str:
    """Write prose, what stands between backticks in bold."""
    parts = " ".join(text.split()).split("`")
    lively = (f"\\fB{roff(one)}\\fR" if at % 2 else roff(one) for at, one in enumerate(parts))
    lines = textwrap.wrap("".join(lively), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_at_the_start, lines))


def roff(text: str) -> str:
    """Return a text as troff takes it literally, but for a point at the start of a line."""
    return "".join(_SPECIAL.get(one, one) for one in text)


def _at_the_start(line: str) -> str:
    return f"\\&{line}" if line.startswith(".") else line


def _verbatim(lines: Iterable[str]) -> Iterator[str]:
    yield ".EX"
    yield from (_at_the_start(roff(one)) for one in lines)
    yield ".EE"
