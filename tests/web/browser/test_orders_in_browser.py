"""Orders, as people give them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.chromium import Tab
from tests.web.conftest import TOKEN
from tests.web.order_service import OrderService

pytestmark = pytest.mark.once
Url = Callable[[str], str]
AXE = """axe.run(document, { resultTypes: ["violations"] }).then((it) => it.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html)}`))"""


@pytest.fixture
def service() -> OrderService:
    return OrderService()


@pytest.fixture
async def page(make: Any) -> Any:
    return await make()


async def log_in(tab: Tab, url: Url) -> None:
    await tab.go(url("/login?next=/apps/web"))
    await tab.js(f'document.getElementById("token").value = "{TOKEN}"')
    await tab.js('document.getElementById("name").value = "anna"')
    assert await click(tab, "form.order button") == "web: ready"


async def click(tab: Tab, button: str) -> Any:
    """Press a button that leads to another page, and return its title."""
    async with tab.loading():
        await tab.js(f"document.querySelector({json.dumps(button)}).click()")
    return await tab.js("document.title")


async def ended(tab: Tab) -> None:
    """Wait until an order has ended, as its page shows by loading itself anew."""
    while "under way" in await tab.js("document.querySelector('h1').innerText"):
        async with tab.loading():
            pass
    assert "done" in await tab.js("document.querySelector('h1').innerText")


@pytest.mark.parametrize("scripts", ["on", "off"])
async def test_from_the_login_to_what_came_of_an_order(
    tab: Tab, url: Url, service: OrderService, scripts: str
) -> None:
    if scripts == "off":
        await tab.without_scripts()
    await log_in(tab, url)
    assert await click(tab, 'form[action="/orders/sync"] button') == "Sync web"
    await ended(tab)
    assert [(what, by) for what, _, by in service.taken] == [("sync", "anna (page)")]
    await tab.go(url("/apps/web"))
    assert await click(tab, 'a.button[href^="/orders/suspend"]') == "Suspend web"
    await tab.js('document.getElementById("duration").value = "2h"')
    await click(tab, "form.order button")
    await ended(tab)
    assert [(what, wish.seconds) for what, wish, _ in service.taken[1:]] == [("suspend", 7_200)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_the_forms(tab: Tab, url: Url, axe: str, scheme: str) -> None:
    await tab.scheme(scheme)
    paths = ("/login", "/orders/suspend?app=web", "/orders/scale?app=web&unit=web", "/apps/web")
    await tab.go(url("/login"))
    await tab.js(axe)
    assert await tab.js(AXE) == []
    await log_in(tab, url)
    for path in paths[1:]:
        await tab.go(url(path))
        await tab.js(axe)
        assert await tab.js(AXE) == [], path
