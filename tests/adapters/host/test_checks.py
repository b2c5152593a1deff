import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.adapters.host.checks import Machine
from supervisor.adapters.host.commands import answer
from supervisor.model.incident import IncidentCode


class Fake:
    """A machine where all is well, and commands that answer what they are told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime = root / "run/user/1000"
        self.answers: dict[str, str] = {}
        self.asked: list[str] = []
        self.file("sys/fs/cgroup/cgroup.controllers")
        self.file("usr/lib/systemd/user-generators/podman-user-generator")
        self.file("var/lib/systemd/linger/pi")
        self.file("run/user/1000/systemd/private")
        self.file("run/user/1000/podman/podman.sock")
        for kind in ("subuid", "subgid"):
            self.file(f"etc/{kind}", "other:1:2\npi:100000:65536\n")
        for tool in ("podman", "newuidmap", "newgidmap"):
            self.file(f"bin/{tool}").chmod(0o755)

    def file(self, path: str, text: str = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def ask(self, *command: str) -> str:
        self.asked.append(" ".join(command))
        return self.answers.get(" ".join(command), "")

    def machine(self, user_id: int = 1000) -> Machine:
        return Machine(
            root=self.root,
            user_id=user_id,
            user="pi",
            runtime=self.runtime,
            path=str(self.root / "bin"),
            ask=self.ask,
        )


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    # The path of a Unix socket may not be long.
    fake = Fake(tmp_path)
    folder = Path.cwd()
    os.chdir(fake.runtime)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind("bus")
        bus.listen()
        os.chdir(folder)
        yield fake


def test_a_machine_where_all_is_well_runs_no_command(fake: Fake) -> None:
    assert fake.machine().prerequisites() == []
    assert fake.asked == []


SUBJECTS = {
    "rootless",
    "control-groups",
    "podman",
    "subordinate-ids",
    "lingering",
    "user-manager",
    "podman-socket",
}
"""Notifications are filtered by these: they stay."""


def lacks(path: str) -> Callable[[Fake], None]:
    return lambda fake: (fake.root / path).unlink()


@pytest.mark.parametrize(
    ("spoil", "message", "hint"),
    [
        (lacks("sys/fs/cgroup/cgroup.controllers"), "control groups version 2", "kernel's command"),
        (lacks("bin/podman"), "podman is not installed", "sudo apt install podman"),
        (
            lacks("usr/lib/systemd/user-generators/podman-user-generator"),
            "generator (podman-user-generator) is not installed",
            "5.0 or newer",
        ),
        (lacks("bin/newgidmap"), "newgidmap is not installed", "sudo apt install uidmap"),
        (lacks("etc/subuid"), "pi has no subordinate ids in /etc/subuid", "--add-subuids"),
        (
            lambda fake: fake.file("etc/subgid", "pip:1:2\n#pi\n"),
            "pi has no subordinate ids in /etc/subgid",
            "sudo usermod",
        ),
        (lacks("var/lib/systemd/linger/pi"), "pi does not linger", "loginctl enable-linger pi"),
        (
            lacks("run/user/1000/systemd/private"),
            "the systemd of pi does not run",
            "sudo systemctl start user@1000.service",
        ),
        (lacks("run/user/1000/bus"), "the session bus of pi", "dbus-user-session"),
        (
            lacks("run/user/1000/podman/podman.sock"),
            "Podman's API cannot be reached",
            "systemctl --user enable --now podman.socket",
        ),
    ],
)
def test_says_what_is_missing_and_what_mends_it(
    fake: Fake, spoil: Callable[[Fake], object], message: str, hint: str
) -> None:
    spoil(fake)
    (found,) = fake.machine().prerequisites()
    assert message in found.message
    assert hint in found.hint
    assert found.fatal is ("linger" not in message)
    assert found.code is IncidentCode.HOST_UNFIT
    assert found.subject in SUBJECTS


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ("", "100000-165535"),
        ("ann:100000:65536\n", "165536-231071"),
        ("ann:100000:65536\nbob:231072:65536\nnonsense\neve:x:y\n", "296608-362143"),
        ("root:1:999\n", "100000-165535"),
    ],
)
def test_suggests_subordinate_ids_that_nobody_has(fake: Fake, taken: str, free: str) -> None:
    fake.file("etc/subuid", taken)
    fake.file("etc/subgid", "")
    (found,) = fake.machine().prerequisites()
    assert f"--add-subuids {free} --add-subgids {free} pi" in found.hint


def test_a_user_without_a_session(fake: Fake) -> None:
    fake.runtime = fake.root / "run/user/1001"
    found = fake.machine().user_manager()
    assert found is not None
    assert "pi has no session" in found.message


def test_root_is_sent_away(fake: Fake) -> None:
    found = fake.machine(user_id=0).rootless()
    assert found is not None
    assert "this is root" in found.message


def test_subordinate_ids_may_be_given_by_number_or_by_a_directory(fake: Fake) -> None:
    fake.file("etc/subuid", "1000:100000:65536\n")
    (fake.root / "etc/subgid").unlink()
    fake.answers["getsubids -g pi"] = "0: pi 100000 65536\n"
    assert fake.machine().prerequisites() == []


@pytest.mark.parametrize(
    ("said", "version", "fine"),
    [
        ("podman version 5.4.2\n", "5.4.2", True),
        ("podman version 6.0.0-rc1\n", "6.0.0-rc1", True),
        ("podman version 4.9.3\n", "4.9.3", False),
        ("", "", False),
    ],
)
def test_the_version_of_podman(fake: Fake, said: str, version: str, *, fine: bool) -> None:
    fake.answers["podman --version"] = said
    found_version, found = fake.machine().podman_version()
    assert (found_version, found is None) == (version, fine)


def test_the_version_of_podman_without_a_session(fake: Fake) -> None:
    shutil.rmtree(fake.runtime)
    fake.answers["env --unset=XDG_RUNTIME_DIR podman --version"] = "podman version 5.4.2\n"
    assert fake.machine().podman_version() == ("5.4.2", None)


def test_a_network_that_nobody_waits_for(fake: Fake) -> None:
    assert fake.machine().network_online() is None
    assert fake.asked == []
    fake.file("usr/lib/systemd/user/podman-user-wait-network-online.service")
    found = fake.machine().network_online()
    assert found is not None
    assert not found.fatal
    assert "waits 90 s" in found.message
    fake.answers["systemctl is-active network-online.target"] = "active\n"
    assert fake.machine().network_online() is None


def test_the_version_of_systemd(fake: Fake) -> None:
    assert fake.machine().systemd_version() == 0
    fake.answers["systemctl --version"] = "systemd 257 (257.9-1~deb13u1)\n+PAM +AUDIT\n"
    assert fake.machine().systemd_version() == 257


def test_commands_that_are_not_there_say_nothing() -> None:
    assert answer("podvisor-does-not-exist") == ""
    assert answer("echo", "well") == "well\n"


def test_this_machine_can_be_looked_at() -> None:
    assert isinstance(Machine().prerequisites(), list)
