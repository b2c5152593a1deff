"""The tutorial and the README, typed in as they stand: what they say happens."""

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from conftest import User

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TUTORIAL = ROOT / "docs/tutorial.md"
HOW_TO_TAKE_OVER = ROOT / "docs/how-to/take-over-quadlets.md"
IMAGE = "docker.io/library/busybox:1.37"
LOOKS = ("curl ", "podvisor status", "podvisor events")
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Title and number of each block, its language, and what it says; the installation apart."""
    for title, text in SECTION.findall(page.read_text()):
        for number, (language, block) in enumerate(BLOCK.findall(text), 1):
            if title != "Install":
                yield f"{title} {number}", language, block


def test_the_first_app_of_the_readme(user: User) -> None:
    user.podman("tag", "localhost/podvisor-test:1", IMAGE)
    for title, language, block in blocks(README):
        if not title.startswith("Two minutes"):
            continue
        if language == "toml":
            user.write(".config/podvisor/config.toml", block)
            continue
        installs = ("pipx ", "sudo apt install pipx ")
        lines = [line for line in block.splitlines() if not line.startswith(installs)]
        done = user.run("bash", "-ec", "\n".join(lines), check=False)
        assert not done.returncode or lines[-1].startswith("curl "), done.stdout + done.stderr
    ask = ["curl", "--silent", "http://127.0.0.1:8082"]
    user.wait_for(lambda: user.run(*ask, check=False).stdout == "hello\n", what="hello")


def test_quadlets_that_are_there_already_are_taken_over(user: User) -> None:
    image = "localhost/podvisor-test:1"
    container = f"[Container]\nImage={image}\nVolume=web-data.volume:/data\nExec=sleep infinity\n"
    user.write(".config/containers/systemd/web.container", container)
    user.write(".config/containers/systemd/web-data.volume", "[Volume]\n")
    user.write(".config/podvisor/config.toml", '[sources.home]\nfolder = "~/apps"\n')
    user.write("apps/other/other.volume", "[Volume]\n")
    user.systemctl("daemon-reload")
    user.systemctl("start", "web.service")
    user.podman("exec", "systemd-web", "sh", "-c", "echo kept >/data/a")
    user.start_daemon()
    text = HOW_TO_TAKE_OVER.read_text()
    for language, block in re.findall(
        r"^ +```(sh|ini)\n(.*?)^ +```$", text, re.MULTILINE | re.DOTALL
    ):
        lines = textwrap.dedent(block)
        if language == "ini":
            user.write("apps/web/web-data.volume", lines)
            text = user.read("apps/web/web.container") + "[Install]\nWantedBy=default.target\n"
            user.write("apps/web/web.container", text)
            continue
        done = user.run("bash", "-ec", lines, check=False)
        # It settles for a while: how it stands is asked below.
        assert not done.returncode or "podvisor sync" in lines, done.stdout + done.stderr
    user.wait_for(
        lambda: " ready " in user.podvisor("status", "web", check=False).stdout, what="web"
    )
    assert user.podman("exec", "systemd-web", "cat", "/data/a").stdout == "kept\n"


def test_the_tutorial(user: User) -> None:
    user.podman("tag", "localhost/podvisor-test:1", IMAGE)  # there is no network to pull it from
    noted: list[str] = []

    def page(port: int) -> str:
        return user.run("curl", "--silent", f"localhost:{port}", check=False).stdout.strip()

    def says(port: int, text: str) -> Callable[[], bool]:
        return lambda: page(port) == f"<h1>{text}</h1>"

    def stands(state: str) -> Callable[[], bool]:
        return lambda: f" {state} " in user.podvisor("status", check=False).stdout

    def noted_run() -> bool:
        noted.append(user.unit_state("hello.service")["InvocationID"])
        return True

    def same_run() -> bool:
        return user.unit_state("hello.service")["InvocationID"] == noted[-1]

    seen = {
        "Set it up 2": says(8082, "Hello"),
        "Change something 1": says(8082, "Hello again"),
        "Break something 1": stands("refused"),
        "Break something 2": says(8082, "Hello again"),
        "Break something 3": stands("ready"),
        "Break something 5": says(8082, "Hello again"),
        "Move to Git 1": noted_run,
        "Move to Git 3": same_run,
        "See what would happen 1": says(8082, "Hello again"),
        "See what would happen 2": says(8083, "Hello again"),
        "Take it away 1": says(8083, "Hello again"),
    }
    for name, language, block in blocks(TUTORIAL):
        if language == "toml":
            text = block.replace("/home/me", f"/home/{user.name}")
            user.write(".config/podvisor/config.toml", text)
            continue
        done = user.run("bash", "-ec", block, check=False)
        # Who only looks may be too early, and then looks again.
        if not all(line.startswith(LOOKS) for line in block.splitlines()):
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        if predicate := seen.pop(name, None):
            user.wait_for(predicate, what=f"{name}: what it says")
    assert seen == {}
    assert user.unit_state("podvisor.service")["LoadState"] == "not-found"
