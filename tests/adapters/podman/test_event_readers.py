"""Podman's events as they are written: shapes recorded from Podman 5.4.2 and 5.8.6."""

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.podman.containers_conf import log_file
from supervisor.adapters.podman.events import from_api, from_file, from_journal
from supervisor.adapters.podman.readers import FileReader
from supervisor.model.errors import Retry
from supervisor.model.podman import PodmanEvent

pytestmark = pytest.mark.anyio

ID = "6e2688649d4e986063972c926e662a06e34d7082797adde23b977def7f83e168"
JOURNAL = {
    "__CURSOR": "s=2c1c;i=85",
    "PODMAN_EVENT": "health_status",
    "PODMAN_TYPE": "container",
    "PODMAN_NAME": "w",
    "PODMAN_ID": ID,
    "PODMAN_HEALTH_STATUS": "unhealthy",
    "PODMAN_LABELS": '{"PODMAN_SYSTEMD_UNIT":"w.service","io.buildah.version":"1.39.3"}',
}
FILE = (
    b'{"ContainerExitCode":137,"ID":"' + ID.encode() + b'","Image":"localhost/podvisor-test:1",'
    b'"Name":"w","Status":"died","Time":"2026-11-24T02:41:53.872654221Z","Type":"container",'
    b'"Attributes":{"PODMAN_SYSTEMD_UNIT":"w.service"}}'
)
FILE_NETWORK = (
    b'{"ID":"1dac2913","network":"n1","Status":"create","Time":"2026-11-24T02:41:53.287681034Z",'
    b'"Type":"network","Attributes":{"driver":"bridge"}}'
)
API: dict[str, Any] = {
    "status": "tag",
    "id": ID,
    "Type": "image",
    "Action": "tag",
    "Actor": {"ID": ID, "Attributes": {"image": "", "name": "localhost/foo:1", "podId": ""}},
    "scope": "local",
    "time": 1795488264,
    "timeNano": 1795488264219672178,
}
ROTATION = {"Name": "events.log", "Status": "log-rotation", "Type": "system", "Attributes": None}


def test_every_shape_is_read() -> None:
    assert from_journal(json.dumps(JOURNAL).encode()) == PodmanEvent(
        type="container",
        action="health_status",
        name="w",
        id=ID,
        unit="w.service",
        health="unhealthy",
    )
    assert from_file(FILE) == PodmanEvent(
        type="container", action="died", name="w", id=ID, unit="w.service"
    )
    network = from_file(FILE_NETWORK)
    assert network
    assert (network.type, network.name) == ("network", "n1")
    assert from_api(API) == PodmanEvent(
        type="image", action="tag", name="localhost/foo:1", id=ID, time_ns=1795488264219672178
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = sorted({*JOURNAL, *json.loads(FILE), *API, "HealthStatus", "network"})


@given(
    st.sampled_from([{}, JOURNAL, json.loads(FILE), API]),
    st.dictionaries(
        st.sampled_from(KEYS),
        st.text() | JSON | st.sampled_from(["image", "container"]),
        max_size=4,
    ),
)
def test_nothing_odd_gets_through(proper: dict[str, Any], odd: dict[str, Any]) -> None:
    fields = proper | odd
    line = json.dumps(fields).encode()
    for event in (from_journal(line), from_file(line), from_api(fields)):
        for text in (event.name, event.id, event.unit, event.health) if event else ():
            assert text.isprintable()
            assert len(text) <= 1_024


@given(st.binary())
def test_what_is_no_json_is_passed_over(line: bytes) -> None:
    assert from_journal(line) is None
    assert from_file(line) is None


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "x" * 2_000, 7, ["a"], None])
def test_what_cannot_be_a_name_is_none(name: object) -> None:
    event = from_journal(json.dumps(JOURNAL | {"PODMAN_NAME": name}).encode())
    assert event
    assert event.name == ""


def line(number: int) -> bytes:
    fields = {"Name": f"v{number}", "Status": "create", "Type": "volume", "Attributes": None}
    return json.dumps(fields).encode() + b"\n"


def rotate(path: Path) -> None:
    """As Podman does: the newer half of the lines, between two of its own, in a new file."""
    lines = path.read_bytes().splitlines(keepends=True)
    begin, end = (json.dumps({**ROTATION, "Time": time.monotonic_ns()}).encode() for _ in "12")
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes(b"\n".join((begin, b"".join(lines[len(lines) // 2 :]) + end, b"")))
    scratch.rename(path)


async def names(reader: FileReader) -> list[str]:
    return [event.name for event in await reader.read()]


async def test_a_log_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    path.write_bytes(line(0) + line(1)[:9])
    reader = FileReader(path)
    await reader.mark()
    assert await names(reader) == []
    with path.open("ab") as file:
        file.write(line(1)[9:] + line(2) + line(3)[:5])
    assert await names(reader) == ["v1", "v2"], "a line without its end is left for later"
    with path.open("ab") as file:
        file.write(line(3)[5:])
    rotate(path)
    with path.open("ab") as file:
        file.write(line(4))
    assert await names(reader) == ["v3", "v4"]
    path.unlink()
    assert await names(reader) == []
    path.write_bytes(line(5))
    assert await names(reader) == ["v5"]
    path.write_bytes(b"")
    assert await names(reader) == []
    path.write_bytes(line(6))
    assert await names(reader) == ["v6"], "truncated, and grown to the same size"


async def test_a_log_that_is_far_ahead_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    reader = FileReader(path)
    path.write_bytes(line(0))
    await reader.mark()
    with path.open("ab") as file:
        file.write(b"".join(line(number) for number in range(100_000)))
    events = await reader.read()
    assert PodmanEvent(type="container") in events, "anything may have happened"
    assert events[-1].name == "v99999"
    assert await names(reader) == []


async def test_a_log_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    reader = FileReader(tmp_path)
    with pytest.raises(Retry, match=r"cannot read .*Is a directory"):
        await reader.read()


@given(st.lists(st.sampled_from(["write", "half", "rotate", "read"]), max_size=40))
def test_no_event_is_lost_or_doubled(tmp_path_factory: Any, steps: list[str]) -> None:
    path = tmp_path_factory.mktemp("log") / "events.log"
    path.write_bytes(b"")
    reader = FileReader(path)
    told: list[str] = []
    written = 0

    async def go() -> None:
        nonlocal written
        await reader.mark()
        rest = b""
        for step in [*steps, "write", "read"]:
            if step in {"write", "half"}:
                text = rest or line(written)
                rest = b""
                cut = len(text) // 2 if step == "half" and len(text) > 1 else len(text)
                with path.open("ab") as file:
                    file.write(text[:cut])
                rest = text[cut:]
                written += not rest
            elif step == "rotate":
                if not rest:  # its lock keeps Podman from rotating amid a line
                    told.extend(await names(reader))  # more than half unread at once is lost
                    rotate(path)
            else:
                told.extend(await names(reader))
        if rest:
            with path.open("ab") as file:
                file.write(rest)
            written += 1
        told.extend(await names(reader))

    anyio.run(go)
    own = [name for name in told if name.startswith("v")]
    assert own == [f"v{number}" for number in range(written)]


def test_the_log_is_where_podmans_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    usual = tmp_path / "libpod" / "tmp" / "events" / "events.log"
    assert log_file(tmp_path) == usual
    folder = tmp_path / "containers" / "containers.conf.d"
    folder.mkdir(parents=True)
    (folder.parent / "containers.conf").write_text("engine = 5\n")
    assert log_file(tmp_path) == usual
    (folder / "a.conf").write_text('[engine]\nevents_logfile_path = "/var/log/p"\n')
    (folder / "b.conf").write_text("[engine\n")
    assert log_file(tmp_path) == Path("/var/log/p")
