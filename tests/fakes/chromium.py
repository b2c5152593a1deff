"""Debian's Chromium, driven by its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/ says what there is to be sent.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import aiohttp

NAMES = ("chromium-headless-shell", "chromium")
_PATIENCE_SECONDS = 60.0
_LARGEST_MESSAGE = 64 << 20
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has none, and what is looked at is ours
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class BrowserError(AssertionError):
    """What a script in the page threw, or the browser refused."""


@contextlib.contextmanager
def running(program: str) -> Iterator[str]:
    """Run a browser; gives the address at which it is driven."""
    with tempfile.TemporaryDirectory(prefix="podvisor-chromium-") as folder:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={folder}/profile", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": folder, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        try:
            yield _address(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def found() -> str:
    """Return where a Chromium is; empty if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    for line in process.stderr or ():
        said.append(line)
        if line.startswith("DevTools listening on "):
            return line.removeprefix("DevTools listening on ").strip()
    raise BrowserError(f"Chromium did not start: {''.join(said)}")


class Tab:
    """One tab, in a context of its own: no cookies, no cache of others'."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self._session = self._context = ""
        self.complaints: list[str] = []
        """What the browser, or a script, did not like."""
        self.requests: list[str] = []
        """Addresses that were asked for."""
        self.received: dict[str, int] = {}
        """Bytes of each answer that has ended, by the number of its request."""

    async def send(self, method: str, **parameters: Any) -> Any:
        """Have something done; returns the answer. Raises BrowserError."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        return await asyncio.wait_for(answer, _PATIENCE_SECONDS)

    async def begin(self) -> None:
        """Open it; for `opened`."""
        context = await self.send("Target.createBrowserContext")
        self._context = context["browserContextId"]
        target = await self.send(
            "Target.createTarget", url="about:blank", browserContextId=self._context
        )
        attached = await self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")

    async def end(self) -> None:
        """Close it, with the connections that it holds; for `opened`."""
        self._session = ""
        await self.send("Target.disposeBrowserContext", browserContextId=self._context)

    async def go(self, url: str) -> None:
        """Load a page, to the end of its `load` event."""
        self._loaded.clear()
        answer = await self.send("Page.navigate", url=url)
        if error := answer.get("errorText"):
            raise BrowserError(f"{url}: {error}")
        await asyncio.wait_for(self._loaded.wait(), _PATIENCE_SECONDS)

    @contextlib.asynccontextmanager
    async def loading(self) -> AsyncGenerator[None]:
        """Wait in the end for the `load` event of a page to which what is done meanwhile leads."""
        self._loaded.clear()
        yield
        await asyncio.wait_for(self._loaded.wait(), _PATIENCE_SECONDS)

    async def js(self, expression: str) -> Any:
        """Return what an expression comes to, once that is fulfilled. Raises BrowserError."""
        answer = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if wrong := answer.get("exceptionDetails"):
            raise BrowserError(wrong.get("exception", {}).get("description") or wrong["text"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Return the first true value of an expression, also across loads of the page.

        While a page loads there may be nothing yet of what the expression is about.
        """
        watch = f"""new Promise((tell) => {{
            const look = () => {{
                let value = false;
                try {{ value = {expression}; }} catch (error) {{
                    if (!(error instanceof TypeError)) throw error;
                }}
                if (value) tell(value); else setTimeout(look, 20);
            }};
            look();
        }})"""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                try:
                    return await self.js(watch)
                except BrowserError as error:
                    gone = ("navigated", "context was destroyed", "Cannot find context")
                    if not any(words in str(error) for words in gone):
                        raise

    async def press(self, key: str, *, code: int, text: str = "") -> None:
        """Press a key, and let it go; `code` is its old number in the DOM."""
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        await self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    async def size(self, width: int, height: int, *, scale: float = 1, phone: bool = False) -> None:
        """Make the window as large, in CSS pixels."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )

    async def scheme(self, name: str) -> None:
        """Have a person prefer `dark` or `light`."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        await self.send("Emulation.setEmulatedMedia", features=features)

    async def without_scripts(self) -> None:
        """Have pages run no script of theirs from now on."""
        await self.send("Emulation.setScriptExecutionDisabled", value=True)

    async def picture(self) -> bytes:
        """Return what is seen, as PNG."""
        answer = await self.send("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        return base64.b64decode(answer["data"])

    async def read(self) -> None:
        """Take what the browser says, until it is closed; for `opened`."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._take_answer(told)
            else:
                self._take_event(told["method"], told["params"])

    def _take_answer(self, told: dict[str, Any]) -> None:
        waiting = self._answers.pop(told["id"], None)
        if waiting is None or waiting.done():
            return
        if "error" in told:
            waiting.set_exception(BrowserError(told["error"]["message"]))
        else:
            waiting.set_result(told["result"])

    def _take_event(self, method: str, said: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Log.entryAdded":
                self.complaints.append(said["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["exceptionDetails"]))
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Network.loadingFinished":
                self.received[said["requestId"]] = said["encodedDataLength"]


@contextlib.asynccontextmanager
async def opened(address: str) -> AsyncGenerator[Tab]:
    """Open a tab of the browser that is driven at this address."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, max_msg_size=_LARGEST_MESSAGE, heartbeat=None) as socket,
    ):
        tab = Tab(socket)
        reading = asyncio.ensure_future(tab.read())
        try:
            await tab.begin()
            try:
                yield tab
            finally:
                await tab.end()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
