"""Who guesses at the page's token, or holds a wrong one, or would be somebody else."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector
from aiohttp.web import UnixSite

from tests.web.conftest import TOKEN
from tests.web.order_service import OrderService
from tests.web.test_orders_by_page import BEARER, log_in, origin, post


@pytest.fixture
def service() -> OrderService:
    return OrderService()


@pytest.fixture
async def page(make: Any) -> Any:
    return await make()


async def test_who_guesses_has_to_wait(page: Any) -> None:
    answers = [await post(page, "/login", token=f"guess {number}") for number in range(12)]
    assert [one.status for one in answers] == [401] * 10 + [429] * 2
    guess = await page.post("/v1/sync", json={}, headers={"Authorization": "Bearer guess"})
    assert (guess.status, guess.headers["Retry-After"]) == (429, "60")
    assert (await page.get("/v1/status")).status == 200


async def test_who_guesses_does_not_keep_out_who_knows_it(make: Any) -> None:
    page = await make(is_closed=True)
    stale = {"Authorization": "Bearer that of yesterday"}
    statuses = [(await page.get("/metrics", headers=stale)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await page.get("/metrics", headers=BEARER)).status == 200
    assert (await page.post("/v1/sync", json={}, headers=BEARER)).status == 200
    await log_in(page)
    assert (await page.get("/apps/web")).status == 200


async def test_where_nobody_is_asked_a_wrong_token_counts_for_nothing(make: Any) -> None:
    stale = {"Authorization": "Bearer that of yesterday"}
    for page in (await make(), await make(token=None, user_header="Remote-User")):
        for path in ("/metrics", "/v1/status", "/") * 4:
            assert (await page.get(path, headers=stale)).status == 200
        answer = await page.post("/v1/sync", json={}, headers=stale)
        assert answer.status == 401
    page = await make(is_closed=True)
    for path in ("/login", "/static/style.css") * 6:
        assert (await page.get(path, headers=stale)).status == 200
    assert (await page.get("/metrics", headers=stale)).status == 401


async def test_nobody_has_another_address_by_saying_so(page: Any) -> None:
    statuses = []
    for number in range(12):
        headers = {**origin(page), "X-Forwarded-For": f"10.0.0.{number}"}
        statuses.append((await post(page, "/login", headers, token="guess")).status)
    assert statuses == [401] * 10 + [429] * 2


@pytest.mark.parametrize("way", ["socket", "user_header"])
async def test_a_proxy_says_whose_address_it_is(make: Any, tmp_path: Path, way: str) -> None:
    page = await make(**({"user_header": "Remote-User"} if way == "user_header" else {}))
    async with AsyncExitStack() as stack:
        browser = page.session
        if way == "socket":
            place = str(tmp_path / "page.sock")
            site = UnixSite(page.server.runner, place)
            await site.start()
            stack.push_async_callback(site.stop)
            connector = UnixConnector(place)
            browser = await stack.enter_async_context(ClientSession(connector=connector))
        url = f"http://127.0.0.1:{page.port}/login"

        async def guess(address: str) -> int:
            # What the browser wrote itself stands first, in a line of its own or not.
            said = [("X-Forwarded-For", "10.9.9.9"), ("X-Forwarded-For", address)]
            async with browser.post(url, data={"token": "guess"}, headers=said) as answer:
                return int(answer.status)

        statuses = [await guess("192.0.2.1") for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        assert await guess("10.1.1.1, 192.0.2.1") == 429
        assert await guess("192.0.2.2") == 401


@pytest.mark.parametrize(
    "name", ["token", "Access_Token", "auth-token", "xToken", "api_key", "apikey", "bearer"]
)
async def test_a_token_in_a_url_is_refused_and_said_so(page: Any, name: str) -> None:
    for value in (TOKEN, "1", ""):
        answer = await page.get(f"/v1/status?{name}={value}")
        assert answer.status == 400
        assert "does not belong into a URL" in await answer.text()


async def test_no_url_tells_whether_it_holds_the_token(page: Any) -> None:
    for path in ("/static/style.css", "/", "/v1/status", "/events"):
        right, wrong = [await page.get(f"{path}?x={one}") for one in (TOKEN, "y" * len(TOKEN))]
        assert right.status == wrong.status
