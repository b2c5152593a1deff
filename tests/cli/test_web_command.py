"""What `podvisor web` refuses before it listens for anybody."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ALL = ("--listen", "0.0.0.0:19079")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("correct horse battery staple\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--listen", "127.0.0.1:19079", "--actions"), "there is no way to know whose they are"),
        (("--listen", "127.0.0.1:19079", "--require-login"), "nobody could look"),
        (ALL, "nobody is asked who it is"),
        ((*ALL, "--token", "file:{}", "--user-header", "X-User"), "nobody is asked who it is"),
        (("--listen", "127.0.0.1:19079", "--token", "podman:x"), "cannot find a token at"),
        (("--listen", "127.0.0.1:19079", "--token", "credential:x"), "the service has none"),
    ],
)
def test_who_may_order_or_look_is_known(
    podvisor: Callable[..., Any], place: Path, options: tuple[str, ...], said: str
) -> None:
    answer = podvisor("web", *(one.format(place) for one in options))
    assert answer.code == 1
    assert said in answer.err


def test_a_token_that_can_be_guessed_or_read_by_others(
    podvisor: Callable[..., Any], place: Path
) -> None:
    order = ("web", "--listen", "127.0.0.1:19079", "--token", f"file:{place}")
    place.chmod(0o644)
    assert "others can read or change it" in podvisor(*order).err
    place.chmod(0o600)
    place.write_text("short\n")
    said = podvisor(*order)
    assert said.code == 1
    assert "shorter than 20 characters" in said.err


@pytest.mark.parametrize(
    ("told", "is_there"),
    [
        ("127.0.0.1:{}", True),
        ("0.0.0.0:{}", True),
        ("[::]:{}", True),
        ("/run/x/page.sock (Stream)\nListen=127.0.0.1:{}", True),
        ("127.0.0.2:{}", False),
        ("127.0.0.1:1{}", False),
        ("", False),
    ],
)
def test_where_the_page_is_already_it_is_said_so(
    podvisor: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    is_there: bool,  # noqa: FBT001
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        listens = f"Listen={told.format(port)} (Stream)" if told else ""
        systemctl = tmp_path / "bin/systemctl"
        systemctl.parent.mkdir()
        systemctl.write_text(f"#!/bin/sh\nprintf '%s\\n' 'ActiveState=active' '{listens}'\n")
        systemctl.chmod(0o755)
        monkeypatch.setenv("PATH", f"{systemctl.parent}:/usr/bin:/bin")
        said = podvisor("web", "--listen", f"127.0.0.1:{port}")
    assert said.code == 1
    if is_there:
        assert f"the page is there already, at http://127.0.0.1:{port}/" in said.err
        assert "podvisor-web.socket" in said.err
    else:
        assert said.err == f"podvisor: cannot listen on 127.0.0.1:{port}: Address already in use\n"
