"""What shells offer at Tab, in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from supervisor.cli.app import COMMANDS, group
from supervisor.cli.local import completion
from supervisor.core.status.event_codes import event_codes

ROOT = Path(__file__).parents[2]
STATUS = {
    "running": True,
    "version": "1",
    "sources": [{"name": "home", "location": "https://example.org/home.git"}],
    "apps": [
        {
            "name": "web",
            "source": "home",
            "state": "ready",
            "units": [{"name": "web.service", "active": "active", "sub": "running"}],
        },
        {
            "name": "work",
            "source": "home",
            "state": "failing",
            "units": [{"name": "work@1.service", "active": "failed", "sub": "failed"}],
        },
        {"name": "bad\x1b[31m\nname", "source": "home", "state": "ready"},
    ],
}
HISTORY = {
    "app": "web",
    "rollouts": [{"revision": "3f2a91c0ffee", "release": "r1", "subject": "use 1.2"}],
    "volumes": [{"release": "abcdef0123", "volumes": {"db": 1}}],
}
IMAGES = {"running": True, "images": [{"app": "web", "image": "docker.io/library/nginx:1.27"}]}


@pytest.fixture
def program(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`podvisor` on the PATH, as a shell runs it."""
    file = home / "bin/podvisor"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -m supervisor "$@"\n')
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{file.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return file


@pytest.fixture
def answers(daemon: Any) -> Any:
    daemon.answer("/v1/status", STATUS)
    daemon.answer("/v1/history", HISTORY)
    daemon.answer("/v1/images", IMAGES)
    daemon.answer("/v1/certificates", {"certificates": [{"name": "site", "state": "valid"}]})
    daemon.answer("/v1/secrets", {"secrets": [{"name": "db-password", "state": "ready"}]})
    return daemon


IN_BASH = """
source contrib/completions/podvisor
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; last="${@: -1}"
[[ $last == *@* ]] && last="@${last##*@}"  # as bash itself parts words
_podvisor_completion podvisor "$last"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered_in_bash(*words: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", IN_BASH, "bash", "podvisor", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


def offered(*words: str) -> list[str]:
    made = ShellComplete(group, {}, "podvisor", "_PODVISOR_COMPLETE")
    return [one.value for one in made.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["sta"], ["status"]),
        (["status", "w"], ["web", "work"]),
        (["sync", "web", "w"], ["work"]),
        (["logs", "web."], ["web.service"]),
        (["why", "wo"], ["work", "work@1.service"]),
        (["rollback", "web", ""], ["3f2a91c0"]),
        (["restore", "web", ""], ["abcdef01"]),
        (["pin", "web", ""], ["nginx"]),
        (["update", "ng"], ["nginx"]),
        (["scale", ""], ["work="]),
        (["webhook", "show", ""], ["home"]),
        (["certs", "show", ""], ["site"]),
        (["secret", "rotate", ""], ["db-password"]),
        (["events", "--code", "app"], ["applied", "applied-failed"]),
        (["events", "--code", "step"], [code for code in event_codes() if "step-" in code]),
        (["events", "--unit", "work"], ["work@1.service"]),
        (["plan", "--pr"], ["--prune-all"]),
    ],
    ids=" ".join,
)
def test_what_is_offered(words: list[str], names: list[str]) -> None:
    assert offered(*words) == names


def test_names_that_a_terminal_would_obey_are_not_offered(answers: Any) -> None:
    assert offered("status", "bad") == []
    assert answers.asked


@pytest.mark.usefixtures("program", "answers")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["sta"], ["status"]),
        (["status", "w"], ["web", "work"]),
        (["sync", "web", ""], ["work"]),
        (["why", "work"], ["work", "work@1.service"]),
        (["why", "work@"], ["@1.service"]),
        (["why", "work@1.s"], ["@1.service"]),
        (["plan", "--pr"], ["--prune-all"]),
    ],
    ids=" ".join,
)
def test_bash_offers_commands_and_names(words: list[str], names: list[str]) -> None:
    assert offered_in_bash(*words) == names


@pytest.mark.usefixtures("program")
def test_without_a_daemon_nothing_is_offered_and_nothing_said() -> None:
    assert offered_in_bash("status", "") == []


@pytest.mark.usefixtures("program", "answers")
@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish here")
def test_fish_offers_names_with_what_they_are() -> None:
    line = "source contrib/completions/podvisor.fish; complete -C 'podvisor status w'"
    done = subprocess.run(
        ["fish", "-c", line], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["web\tready", "work\tfailing"]


IN_ZSH = """
autoload -Uz compinit
fpath=($PWD/contrib/completions $fpath)
compinit -u -d $HOME/.zcompdump
_describe() { print -l -- "${(@P)3}" }
words=(podvisor status w) CURRENT=3
_podvisor
"""


@pytest.mark.usefixtures("program", "answers")
@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh here")
def test_zsh_offers_names_with_what_they_are() -> None:
    done = subprocess.run(
        ["zsh", "-f", "-c", IN_ZSH], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["web:ready", "work:failing"]


def all_parameters() -> list[tuple[str, click.Parameter]]:
    root = click.Context(group, info_name="podvisor")
    found = []
    for name in COMMANDS:
        command = group.get_command(root, name)
        assert command
        below = getattr(command, "commands", {})
        for label, one in [(name, command), *((f"{name} {sub}", it) for sub, it in below.items())]:
            found += [(label, parameter) for parameter in one.params]
    return found


def test_wherever_an_app_is_named_it_is_offered() -> None:
    bare = [
        label
        for label, parameter in all_parameters()
        if parameter.name in {"app", "apps", "name", "target", "image"}
        and isinstance(parameter, click.Argument)
        and parameter._custom_shell_complete is None
    ]
    assert bare == ["secret encrypt"], "its name is a new one"


def test_every_kind_that_a_command_takes_is_known() -> None:
    kinds = {
        parameter._custom_shell_complete.__closure__[0].cell_contents
        for _, parameter in all_parameters()
        if parameter._custom_shell_complete is not None
        and parameter._custom_shell_complete.__closure__
    }
    assert kinds <= completion._KINDS.keys()


@pytest.mark.parametrize(
    ("typed", "word", "expected"),
    [
        ([], "st", ["status"]),
        (["secret"], "", ["edit", "encrypt", "init", "list", "rotate"]),
        (["status"], "", []),
    ],
)
def test_help_offers_commands(typed: list[str], word: str, expected: list[str]) -> None:
    complete = ShellComplete(group, {}, "podvisor", "_PODVISOR_COMPLETE")
    offers = complete.get_completions(["help", *typed], word)
    assert sorted(one.value for one in offers) == expected
