import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from supervisor.cli import codes
from supervisor.cli.app import COMMANDS, group

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "contrib/cli-reference", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_page_on_exit_codes_names_them_all() -> None:
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == set(
        codes.MEANINGS
    )


def every_command() -> Iterator[tuple[str, click.Command]]:
    root = click.Context(group, info_name="podvisor")
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command
        yield name, command
        for sub, below in getattr(command, "commands", {}).items():
            yield f"{name} {sub}", below


def examples(command: click.Command) -> list[str]:
    _, _, rest = (command.epilog or "").partition("Examples:\n")
    return [line.strip() for line in rest.partition("\n\n")[0].splitlines()]


def test_each_command_has_examples_that_can_be_typed() -> None:
    root = click.Context(group, info_name="podvisor", help_option_names=["-h", "--help"])
    for name, command in every_command():
        assert examples(command), name
        for line in examples(command):
            words = shlex.split(re.split(" [<>]", line)[0])
            assert words[0] == "podvisor"
            if name != "secret":  # it does nothing of its own
                typed = name.split()
                assert words[1 : len(typed) + 1] == typed
                command.make_context(name, words[len(typed) + 1 :], parent=root)


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
def test_the_man_page_is_formatted_without_a_warning() -> None:
    done = subprocess.run(
        ["man", "-l", "--warnings=w", "-E", "UTF-8", "docs/reference/podvisor.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert f"podvisor {name}" in done.stdout
