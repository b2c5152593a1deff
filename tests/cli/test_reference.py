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
from supervisor.cli.app import COMMANDS, group, run

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


MAN_PAGES = sorted((ROOT / "contrib/man").glob("*.1"))


def test_each_command_has_a_man_page() -> None:
    names = {f"podvisor-{name.replace(' ', '-')}.1" for name, _ in every_command()}
    assert {path.name for path in MAN_PAGES} == {"podvisor.1", *names}


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("man"), reason="there is no man here")
def test_man_pages_are_formatted_without_a_warning() -> None:
    done = subprocess.run(
        ["man", "-l", "--warnings=w", "-E", "UTF-8", *MAN_PAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name, command in every_command():
        assert f"podvisor-{name.replace(' ', '-')}(1)" in done.stdout
        for example in examples(command):
            assert example in done.stdout  # as it is typed: no dash or quote is another sign
    parts = ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO")
    for part in parts:
        assert len(re.findall(rf"^{part}$", done.stdout, re.MULTILINE)) == len(MAN_PAGES)


@pytest.mark.parametrize("words", [name.split() for name, _ in every_command()], ids=" ".join)
def test_help_says_what_dash_h_does(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "-h"]) == 0
    told = capsys.readouterr().out
    assert run(["help", *words]) == 0
    assert capsys.readouterr().out == told


def test_help_of_what_there_is_not_says_what_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["help", "statsu"]) == 64
    assert "did you mean “status”?" in capsys.readouterr().err
    assert run(["help", "status", "web"]) == 64
    assert "podvisor status has no commands of its own" in capsys.readouterr().err
    assert run(["help"]) == 0
    assert "Commands:" in capsys.readouterr().out
