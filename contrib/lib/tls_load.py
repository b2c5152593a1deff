"""Requests over TLS to one server, each verified, while something is done to it.

    python3 tls_load.py PORT NAME ROOTS

It runs inside a host until it gets a SIGTERM. Quick requests, each in a connection of its own, and
slow ones (`/slow`), which are in flight most of the time. It prints a line when the first one was
answered, and JSON at the end: the `serials` that were seen, in their order, how many requests were
`sent`, and which were `lost` (what was wrong to how often).
"""

import http.client
import json
import signal
import ssl
import sys
import threading
from collections import Counter

TIMEOUT_SECONDS = 30
PAUSE_SECONDS = 0.02
begun, over = threading.Event(), threading.Event()
noted = threading.Lock()
serials: list[str] = []
sent: Counter[str] = Counter()
lost: Counter[str] = Counter()


def connection(port: int, name: str, roots: str) -> http.client.HTTPSConnection:
    """A connection to this machine's port, as if it were to `name`."""

    class To(http.client.HTTPSConnection):
        def connect(self) -> None:
            self.host = "127.0.0.1"
            http.client.HTTPConnection.connect(self)
            self.sock = context.wrap_socket(self.sock, server_hostname=name)

    context = ssl.create_default_context(cafile=roots)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which the issuer of the tests may not meet
    return To(name, port, timeout=TIMEOUT_SECONDS, context=context)


def ask(path: str, port: int, name: str, roots: str) -> None:
    """One request, to its end."""
    one = connection(port, name, roots)
    try:
        one.connect()
        shown = one.sock.getpeercert() or {}
        serial = str(shown["serialNumber"]).lstrip("0").lower()
        with noted:
            if serial not in serials:
                serials.append(serial)
        one.request("GET", path, headers={"Connection": "close"})
        answer = one.getresponse()
        body = answer.read()
        length = int(answer.headers["Content-Length"])
        problem = "" if answer.status == 200 and len(body) == length else str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        problem = repr(error)
    finally:
        one.close()
    begun.set()
    with noted:
        sent[path] += 1
        if problem:
            lost[problem] += 1


def go_on(path: str, *to: str) -> None:
    """One request after the other."""
    port, name, roots = to
    while not over.wait(PAUSE_SECONDS):
        ask(path, int(port), name, roots)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    paths = ("/", "/", "/slow", "/slow")
    threads = [threading.Thread(target=go_on, args=(path, *sys.argv[1:])) for path in paths]
    for thread in threads:
        thread.start()
    begun.wait()
    print("begun", flush=True)
    over.wait()
    for thread in threads:
        thread.join()
    print(json.dumps({"serials": serials, "sent": sent, "lost": lost}))


if __name__ == "__main__":
    main()
