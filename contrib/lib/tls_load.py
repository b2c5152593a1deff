"""Requests over TLS to servers, each verified, while something is done to them.

    python3 tls_load.py PORT[,PORT...] NAME ROOTS

It runs inside a host until it gets a SIGTERM. To each port go quick requests, each in a connection
of its own; slow ones (`/slow`), of which the answer is taken bit by bit, so that most of the time
some are in flight; and others in one connection that is kept open. Where a server closes that one
before it answers, the request is made again in another one, as clients do.

It prints a line for each certificate that is seen, `PORT SERIAL`, `begun` when each port has
answered, and JSON at the end: for each port the `serials` that were seen, in their order, how many
requests were `sent`, which were `lost` (what was wrong to how often), and how often the connection
that is kept was `reopened`.
"""

import contextlib
import http.client
import json
import signal
import ssl
import sys
import threading
import time
from collections import Counter

TIMEOUT_SECONDS = 30
PAUSE_SECONDS = 0.05
SLOW_SECONDS, SLOW_PARTS = 2.0, 16
CLOSED = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""By a server that has not begun to answer; `http.client.RemoteDisconnected` is one of them."""
over = threading.Event()
noted = threading.Lock()


class Connection(http.client.HTTPConnection):
    """One over TLS to this machine's port, as if it were to that name."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._name, self._context = name, context

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


class Load:
    """The requests to one port, and what came of them."""

    def __init__(self, port: int, name: str, context: ssl.SSLContext) -> None:
        self.begun = threading.Event()
        self.serials: list[str] = []
        self.sent: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.reopened = 0
        self._port, self._name, self._context = port, name, context

    def threads(self) -> list[threading.Thread]:
        """All that ask."""
        paths = ("/", "/slow", "/slow")
        asking = [threading.Thread(target=self._keep_opening, args=(path,)) for path in paths]
        return [*asking, threading.Thread(target=self._keep_asking)]

    def told(self) -> dict[str, object]:
        return {
            "serials": self.serials,
            "sent": self.sent,
            "lost": self.lost,
            "reopened": self.reopened,
        }

    def _keep_opening(self, path: str) -> None:
        while not over.wait(PAUSE_SECONDS):
            try:
                with contextlib.closing(self._open()) as one:
                    problem = self._answer(one, path, {"Connection": "close"})
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
            self._note(path, problem)

    def _keep_asking(self) -> None:
        kept = None
        while not over.wait(PAUSE_SECONDS):
            problem, is_old = "", kept is not None
            try:
                kept = kept or self._open()
                try:
                    problem = self._answer(kept, "/", {})
                except CLOSED:
                    if not is_old:
                        raise
                    kept.close()
                    self.reopened += 1
                    kept = self._open()
                    problem = self._answer(kept, "/", {})
            except (OSError, http.client.HTTPException) as error:
                problem = repr(error)
            if kept and (problem or kept.sock is None):  # the server wants it closed
                kept.close()
                kept = None
            self._note("kept", problem)
        if kept:
            kept.close()

    def _open(self) -> Connection:
        one = Connection(self._name, self._port, self._context)
        one.connect()
        shown = one.sock.getpeercert() or {}
        serial = str(shown["serialNumber"]).lstrip("0").lower()
        with noted:
            if serial not in self.serials:
                self.serials.append(serial)
                print(self._port, serial, flush=True)
        return one

    def _answer(self, one: Connection, path: str, headers: dict[str, str]) -> str:
        """Make a request, and take its answer to the end; says what is wrong with it."""
        one.request("GET", path, headers={"Host": f"{self._name}:{self._port}"} | headers)
        answer = one.getresponse()
        length = int(answer.headers["Content-Length"] or -1)
        if path == "/":
            taken = len(answer.read())
        else:
            began, taken = time.monotonic(), 0
            for part in range(1, SLOW_PARTS + 1):
                taken += len(answer.read(length // SLOW_PARTS + 1))
                time.sleep(max(0.0, began + SLOW_SECONDS * part / SLOW_PARTS - time.monotonic()))
        is_whole = answer.status == 200 and taken == length > 0
        return "" if is_whole else f"{answer.status}, {taken} bytes"

    def _note(self, path: str, problem: str) -> None:
        with noted:
            self.sent[path] += 1
            if problem:
                self.lost[f"{path}: {problem}"] += 1
        self.begun.set()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    ports, name, roots = sys.argv[1:]
    context = ssl.create_default_context(cafile=roots)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which the issuer of the tests may not meet
    loads = {port: Load(int(port), name, context) for port in ports.split(",")}
    threads = [thread for load in loads.values() for thread in load.threads()]
    for thread in threads:
        thread.start()
    while not over.is_set() and not all(load.begun.is_set() for load in loads.values()):
        time.sleep(PAUSE_SECONDS)
    print("begun", flush=True)
    over.wait()
    for thread in threads:
        thread.join()
    print(json.dumps({port: load.told() for port, load in loads.items()}))


if __name__ == "__main__":
    main()
