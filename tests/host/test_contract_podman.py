"""The Podman port against a real Podman and registry."""

from pathlib import Path

from conftest import Registry, User

SCRIPTS = Path(__file__).parent / "contracts"


def test_podman(user: User, registry: Registry) -> None:
    run(user, "podman.py")


def test_images(user: User, registry: Registry) -> None:
    run(user, "images.py")


def test_volumes(user: User) -> None:
    run(user, "volumes.py")


def run(user: User, script: str) -> None:
    text = (SCRIPTS / script).read_text()
    user.run(*("/opt/podvisor/bin/python", "-W", "error", "-"), input=text, timeout=900)
