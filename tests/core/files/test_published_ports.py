"""Ports of the host that two units publish."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.files.published_ports import parse_publish, port_findings
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.quadlet import UnitKind


def read(text: str) -> tuple[str, int, int, str] | None:
    port = parse_publish(text, path="a.container")
    return (port.address, port.first, port.last, port.protocol) if port else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080:80", ("", 8080, 8080, "tcp")),
        ("127.0.0.1:53:53/UDP", ("127.0.0.1", 53, 53, "udp")),
        ("[::1]:8000-8002:80-82", ("::1", 8000, 8002, "tcp")),
        ("80", None),
        ("127.0.0.1::80", None),
        (":80", None),
        ("70000:80", None),
        ("9-8:9-8", None),
        ("$PORT:80", None),
        ("", None),
    ],
)
def test_reads_what_podman_reads(text: str, expected: object) -> None:
    assert read(text) == expected


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    read(text)


def app(name: str, **publishes: str) -> DesiredApp:
    units = tuple(
        DesiredUnit(
            name=f"{unit}.service",
            kind=UnitKind.CONTAINER,
            path=f"{unit}.container",
            digest="",
            publishes=(port,),
        )
        for unit, text in publishes.items()
        if (port := parse_publish(text, path=f"{unit}.container", line=3))
    )
    return DesiredApp(
        name=name, source="s", revision="1", root=name, files=(), units=units, generator="5"
    )


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("8080:80", "8080:90", True),
        ("127.0.0.1:8080:80", "8080:80", True),
        ("127.0.0.1:8080:80", "0.0.0.0:8080:80", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("53:53", "53:53/udp", False),
        ("8000-8010:1-11", "8010:80", True),
        ("8000-8010:1-11", "8011:80", False),
    ],
)
def test_says_who_publishes_the_same(one: str, other: str, clash: object) -> None:
    found = port_findings({"a": app("a", web=one), "b": app("b", proxy=other)})
    assert bool(found) is clash
    if clash:
        (finding,) = found["b"]
        assert finding.path == "b/proxy.container"
        assert finding.line == 3
        assert not finding.fatal
        assert "proxy.service publishes port" in finding.message
        assert "so does web.service of a (web.container:3)" in finding.message


def test_within_one_app_too() -> None:
    (finding,) = port_findings({"a": app("a", web="80:80", other="80:81")})["a"]
    assert "so does other.service (other" in finding.message


def test_many_ports_take_no_time() -> None:
    ports = tuple(
        parse_publish(f"127.{n >> 8}.{n & 255}.1:1-65535:1-65535", path="a.container")
        for n in range(20_000)
    )
    (unit,) = app("a", web="80:80").units
    many = msgspec.structs.replace(unit, publishes=tuple(port for port in ports if port))
    one = msgspec.structs.replace(app("a"), units=(many,))
    (found,) = port_findings({"a": one, "b": app("b", proxy="127.1.1.1:443:443")})["b"]
    assert "port 443/tcp" in found.message
