"""What is laid over a unit's file to have it run the version that was chosen."""

from supervisor.core.files.unitfile import parse
from supervisor.model.image import Pin

RUNS = f"reg.example/web@sha256:{'a' * 64}"
LOCAL = "b" * 64


def laid(path: str, runs: str) -> dict[str, list[str]]:
    unit = parse(Pin(path=path, question="", runs=runs, tag="1").text, path=path)
    found: dict[str, list[str]] = {}
    for entry in unit.entries:
        found.setdefault(f"{entry.section} {entry.key}", []).append(entry.value)
    return found


def test_a_container_runs_it() -> None:
    assert laid("web.container", RUNS) == {"Container Image": [RUNS]}


def test_what_has_no_name_but_its_id_is_not_pulled() -> None:
    assert laid("web.container", LOCAL) == {
        "Container Image": [LOCAL],
        "Container Pull": ["missing"],
    }


def test_an_image_that_is_here_is_enough_where_it_cannot_be_pulled() -> None:
    said = laid("sub/web.image", RUNS)
    assert said["Image Image"] == [RUNS]
    assert said["Service SuccessExitStatus"] == ["125"]
    assert said["Service ExecStartPost"] == [f"podman image exists {RUNS}"]
