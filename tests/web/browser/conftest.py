"""The page in Debian's Chromium."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import chromium

AXE = Path(__file__).with_name("axe.min.js")


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    """Where a browser is driven that serves the whole session."""
    program = chromium.found()
    if not program:
        pytest.skip(f"there is no {' or '.join(chromium.NAMES)} here")
    with chromium.running(program) as address:
        yield address


@pytest.fixture
async def tab(browser: str, daemon: None, page: Any) -> AsyncIterator[chromium.Tab]:
    """A tab, in which nothing may be complained of; `go("/…")` of it loads from the page."""
    async with chromium.opened(browser) as tab:
        await tab.size(1280, 900)
        yield tab
        assert tab.complaints == []


@pytest.fixture
def url(page: Any) -> Any:
    """The address of a path."""
    return lambda path: str(page.make_url(path))


@pytest.fixture(scope="session")
def axe() -> str:
    return AXE.read_text()
