"""The units of the page, as its settings have them."""

import os
import subprocess
import sys

import pytest

from supervisor.cli.local.page_units import SERVICE, SOCKET, page_units
from supervisor.model.setting_types import SecretRef
from supervisor.model.web_settings import WebSettings

PYTHON = ("/opt/podvisor/bin/python", "-m", "supervisor")
LISTEN = "127.0.0.1:9079"


def service(**more: object) -> str:
    web = WebSettings(listen=LISTEN, **more)  # type: ignore[arg-type]
    return page_units(web, python=PYTHON, alone=True)[SERVICE]


def test_none_where_nobody_is_to_look() -> None:
    assert page_units(WebSettings(actions=True), python=PYTHON, alone=True) == {}


def test_read_only_it_has_nothing_to_order_with() -> None:
    text = service()
    assert "podvisor/questions" in text
    assert "FileDescriptor" not in text
    for word in (
        "page-orders",
        "--actions",
        "--token",
        "LoadCredential",
        "--user-header",
        "--require",
    ):
        assert word not in text


def test_it_begins_without_reading_whom_others_trust() -> None:
    """What aiohttp makes of TLS when it is imported: quick, and without a single authority."""
    lines = service().splitlines()
    words = [one.removeprefix("Environment=") for one in lines if one.startswith("Environment=")]
    environment = dict(word.split("=", 1) for line in words for word in line.split())
    code = "from aiohttp import connector as c; print(len(c._SSL_CONTEXT_VERIFIED.get_ca_certs()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0\n"
    assert done.stderr == ""


def test_with_actions_it_has_the_socket_for_orders_and_the_token_of_systemds() -> None:
    text = service(actions=True, token=SecretRef("file:/srv/100% mine/token"))
    assert "BindReadOnlyPaths=-%t/podvisor/questions -%t/podvisor/page-orders\n" in text
    assert "LoadCredential=page-token:/srv/100%% mine/token\n" in text
    assert "--actions --token credential:page-token" in text
    assert "FileDescriptorStorePreserve=yes\n" in text
    assert "BindReadOnlyPaths=-%t/systemd/notify\n" in text
    assert " --require-login " in service(require_login=True, token=SecretRef("credential:mine"))
    text = service(actions=True, token=SecretRef("credential:mine"))
    assert "LoadCredential" not in text
    assert "--token credential:mine" in text


@pytest.mark.parametrize("alone", [True, False])
def test_a_reverse_proxy_says_who_it_is(alone: bool) -> None:  # noqa: FBT001
    web = WebSettings(listen="~/page.sock", actions=True, user_header="Remote-User")
    units = page_units(web, python=PYTHON, alone=alone)
    assert "--actions --user-header Remote-User" in units[SERVICE]
    assert ("page-orders" in units[SERVICE]) == alone
    assert "/page.sock" in units[SOCKET]
