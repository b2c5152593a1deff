"""The docs say what is so: links lead somewhere, commands and settings exist, tables are whole."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from supervisor.cli import codes
from supervisor.cli.app import COMMANDS, group
from supervisor.core.config.reader import read_settings
from supervisor.model import plan
from supervisor.model.events import EventKind, OwnCode
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.status import AppState

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs/reference"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
OWN_PATH = re.compile(r"^(?:contrib|docs|supervisor|tests)/[\w./-]*\w/?$")
TOOLS = ("contrib/bench", "contrib/host", "contrib/test", "contrib/try")


def per_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))(
        test
    )


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as the usual web front ends make them."""
    titles = (
        re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", text) for text in HEADING.findall(prose(page))
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path, *names: str) -> Iterator[list[str]]:
    """Command lines that a page shows, in code within the text and in blocks."""
    lines = CODE.findall(prose(page))
    for language, block in FENCE.findall(page.read_text()):
        if language in {"", "sh", "yaml"}:
            lines += block.replace("\\\n", " ").splitlines()
    for line in lines:
        text = re.sub(r"^\s*(?:- run: )?", "", line).partition(" #")[0]
        for part in re.split(r"&&|\|\|?|;", text):
            try:
                words = shlex.split(part)
            except ValueError:
                continue  # not a command line
            if words and words[0] in names:
                yield words


@per_page
def test_links_lead_somewhere(page):
    dead = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@per_page
def test_paths_that_it_names_exist(page):
    named = {code for code in CODE.findall(prose(page)) if OWN_PATH.match(code)}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@per_page
def test_commands_that_it_names_exist(page):
    context = click.Context(group, info_name="podvisor")
    for words in commands(page, "podvisor"):
        arguments = words[1:]
        if arguments[:1] == ["--config"]:
            arguments = arguments[2:]
        if not arguments or arguments[0] in {"--version", "-h", "--help"}:
            continue
        name = arguments[0]
        if not re.fullmatch(r"[a-z]+", name):
            continue  # a placeholder, such as COMMAND
        assert name in COMMANDS, words
        command = group.get_command(context, name)
        below = getattr(command, "commands", {})
        if below and re.fullmatch(r"[a-z]+", "".join(arguments[1:2])):
            assert arguments[1] in below, words
            command = below[arguments[1]]
        known = {option for one in command.params for option in one.opts} | {"-h", "--help"}
        used = {word.partition("=")[0] for word in arguments[1:] if word.startswith("-")}
        assert used <= known, words


@cache
def help_of(tool: str, *subcommand: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / tool, *subcommand, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (tool, *subcommand)
    return done.stdout


@per_page
def test_tools_that_it_names_exist(page):
    for words in commands(page, *TOOLS):
        before = words[1 : words.index("--")] if "--" in words else words[1:]
        subcommand = [before[0]] if words[0] == "contrib/host" and before else []
        known = re.findall(r"-[\w-]+", help_of(words[0], *subcommand))
        for option in (word for word in before if word.startswith("-")):
            assert option in known, words


@per_page
def test_settings_that_it_shows_are_accepted(page):
    for language, block in FENCE.findall(page.read_text()):
        if language == "toml":
            assert [str(finding) for finding in read_settings(block).findings] == []


@pytest.mark.parametrize(
    "tool",
    [
        "contrib/settings-reference",
        "contrib/api-client",
        "contrib/api-reference",
        "contrib/metrics-reference",
        "contrib/doctor-reference",
    ],
)
def test_generated_pages_are_up_to_date(tool):
    done = subprocess.run(
        [sys.executable, ROOT / tool, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def first_column(page: str, title: str) -> list[str]:
    """What the rows of the table below a heading are about."""
    text = (REFERENCE / page).read_text()
    section = re.split(rf"^## {title}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_every_kind_of_event_is_explained():
    assert first_column("events.md", "Kinds") == [kind.value for kind in EventKind]


def test_every_code_that_is_not_a_kind_is_explained():
    assert first_column("events.md", "Codes") == [code.value for code in OwnCode]


def test_every_code_of_an_incident_is_explained_and_all_that_it_says():
    assert first_column("incidents.md", "Codes") == [code.value for code in IncidentCode]
    assert {*first_column("incidents.md", "Fields")} == {*Incident.__struct_fields__}


def test_every_kind_of_step_is_explained():
    tags = [one.__struct_config__.tag for one in plan.Step.__args__]
    silent = {"try", "open-manifest", "seal-manifest"}
    told = [tag for tag in tags if tag not in silent]
    assert first_column("events.md", "Steps") == [*told, "remove-image"]


def test_every_state_of_an_app_is_explained():
    assert first_column("states.md", "Apps") == [state.value for state in AppState]


def test_every_exit_code_is_explained_with_the_commands_whose_help_names_it():
    text = (REFERENCE / "exit-codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .* \| ([^|]+) \|$", text, re.MULTILINE)
    assert [int(code) for code, _ in rows] == list(codes.MEANINGS)
    helped = dict(with_codes())
    for code, told in rows:
        if told != "all":
            named = {command_of(words) for words in CODE.findall(told)}
            assert named == {name for name, found in helped.items() if code in found}, code


def with_codes() -> Iterator[tuple[str, list[str]]]:
    """Commands, those of groups too, and the exit codes that their help names."""
    context = click.Context(group, info_name="podvisor")
    for name in COMMANDS:
        command = group.get_command(context, name)
        below = getattr(command, "commands", {})
        for path, one in {name: command, **{f"{name} {key}": below[key] for key in below}}.items():
            yield path, re.findall(r"^  (\d+)  ", one.epilog, re.MULTILINE)


def command_of(words: str) -> str:
    """The command alone, of a line that shows how it is called."""
    name, *more = [word for word in words.split() if not word.startswith("-")]
    command = group.get_command(click.Context(group, info_name="podvisor"), name)
    return f"{name} {more[0]}" if more and more[0] in getattr(command, "commands", {}) else name
