"""`[X-Podvisor]`: what its keys mean, and what is said of those that mean nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.unitfile import parse
from supervisor.core.render.x_podvisor import OwnSection, read_own_section
from supervisor.model.health import OnFailure, Probe
from tests.core.candidates import from_texts


def read(*lines: str, runs: bool = True) -> OwnSection:
    text = "".join(f"{line}\n" for line in ("[Container]", "[X-Podvisor]", *lines))
    files = AppFiles(*from_texts("web", {"web.container": text}))
    known = {"h": "/home/pi"}
    return read_own_section(parse(text), "web.container", files, known=known, runs=runs)


def said(*lines: str, runs: bool = True) -> tuple[str, int, str]:
    (finding,) = read(*lines, runs=runs).findings
    assert not finding.fatal
    assert finding.path == "apps/web/web.container"
    return finding.message, finding.line, finding.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300.0), ("1h30m", 5400.0), ("0", 0.0), ("off", 0.0), ("Off", 0.0), ("0s", None)],
)
def test_the_idle_interval(text: str, seconds: float | None) -> None:
    assert read(f"HealthIdleInterval={text}").idle_interval == seconds


def test_the_last_of_several_counts_and_an_empty_one_takes_it_back() -> None:
    assert read("HealthIdleInterval=5m", "HealthIdleInterval=6m").idle_interval == 360.0
    own = read("HealthIdleInterval=5m", "HealthIdleInterval=")
    assert (own.idle_interval, own.findings) == (None, [])


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("http://localhost:8080/health?x=1", ("http", "localhost", 8080, "/health?x=1")),
        ("http://127.0.0.1", ("http", "127.0.0.1", 80, "/")),
        ("https://[::1]/a%20b", ("https", "::1", 443, "/a%20b")),
        ("tcp://localhost:5432", ("tcp", "localhost", 5432, "")),
        ("unix:/run/db.sock", ("unix", "", 0, "/run/db.sock")),
        ("unix:///run/db.sock", ("unix", "", 0, "/run/db.sock")),
        ("unix:%h/db.sock", ("unix", "", 0, "/home/pi/db.sock")),
        ("unix:%t/db.sock", ("unix", "", 0, "%t/db.sock")),
    ],
)
def test_where_a_probe_goes(text: str, probe: tuple[str, str, int, str]) -> None:
    found = read(f"Probe={text}").probe
    assert found is not None
    assert (found.scheme, found.host, found.port, found.path) == probe


def test_all_that_is_said_of_a_probe() -> None:
    probe = read(
        "ProbeInterval=10s",
        "ProbeTimeout=2s",
        "ProbeRetries=5",
        "ProbeStartPeriod=1m",
        "ProbeOnFailure=restart",
        "Probe=tcp://localhost:80",
    ).probe
    assert probe == Probe(
        target="tcp://localhost:80",
        scheme="tcp",
        host="localhost",
        port=80,
        interval=10.0,
        timeout=2.0,
        retries=5,
        start_period=60.0,
        on_failure=OnFailure.RESTART,
    )


def test_a_probes_password_is_not_repeated() -> None:
    assert said("Probe=http://me:secret@localhost/")[0] == "Probe=… has no meaning"


@pytest.mark.parametrize(
    "value",
    [
        "localhost:80",
        "http://",
        "http://localhost:0/",
        "http://localhost:99999/",
        "http://meatlocalhost:x/",
        "ftp://localhost/",
        "tcp://localhost",
        "tcp://localhost:80/path",
        "unix:relative",
        "http://localhost/with blank",
        "http://[::1",
    ],
)
def test_a_probe_that_goes_nowhere(value: str) -> None:
    message, line, hint = said(f"Probe={value}")
    assert (message, line) == (f"Probe={value} has no meaning", 3)
    assert "tcp://HOST:PORT" in hint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("HealthIdleInterval=300", "has no unit"),
        ("HealthIdleInterval=10ms", "must be 1s or more"),
        ("ProbeRetries=0", "a number from 1"),
        ("ProbeRetries=x", "a number from 1"),
        ("ProbeTimeout=0", "more than 0"),
        ("ProbeOnFailure=kill", "has no meaning"),
    ],
)
def test_a_value_that_means_nothing(line: str, words: str) -> None:
    own = read("Probe=tcp://localhost:80", line)
    (finding,) = own.findings
    assert words in finding.message
    assert finding.line == 4
    assert own.idle_interval is None
    assert own.probe is not None
    assert (own.probe.retries, own.probe.on_failure) == (3, OnFailure.NONE)


def test_a_slip_of_the_pen() -> None:
    message, line, hint = said("HealthIdelInterval=5m")
    assert message == "HealthIdelInterval= has no meaning in [X-Podvisor]"
    assert (line, hint) == (3, "did you mean HealthIdleInterval=?")


def test_a_setting_of_a_probe_without_one() -> None:
    assert said("ProbeInterval=5s")[0] == "ProbeInterval= has no meaning without Probe="


def test_what_does_not_run_cannot_be_probed() -> None:
    assert "no service" in said("Probe=tcp://localhost:80", runs=False)[0]
    assert read("Prune=volumes", runs=False).app.prune_volumes
    assert read("Snapshot=volumes", runs=False).app.snapshot


@given(st.text(st.characters(blacklist_characters="\r\n\\", blacklist_categories=["Cs"])))
def test_any_value_is_understood_or_told_of(value: str) -> None:
    own = read(f"Probe={value}")
    if value.strip(" \t"):
        assert (own.probe is None) == bool(own.findings)
    else:
        assert (own.probe, own.findings) == (None, [])
