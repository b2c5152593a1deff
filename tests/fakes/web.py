"""An HTTP server on this machine that answers as a test tells it, in threads of its own."""

import contextlib
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Serves from the start; `close` it in the end."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        """Path to what is answered to a GET there."""
        self.status = 200
        self.headers: Mapping[str, str] = {}
        self.body = b""
        """What is answered where `answers` has nothing."""
        self.asked: list[tuple[str, bytes]] = []
        """Path and body of each request."""
        self._answering = threading.Event()
        self._answering.set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                web.asked.append((self.path, self.rfile.read(length)))
                web._answering.wait()
                self.send_response(web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(web.answers.get(self.path, web.body))

            do_POST = do_GET  # noqa: N815 - the name that the server looks for

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # whoever asked did not wait
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """Take requests, and answer none."""
        self._answering.clear()

    def answer(self) -> None:
        """Answer again, also those that wait."""
        self._answering.set()

    def close(self) -> None:
        """Answer nobody any more."""
        self._answering.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
