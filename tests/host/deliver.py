"""Send signed webhooks to a listener, inside a host: as a Git host does, many at a time if need be.

Arguments: port, source, its repository, secret, how many, in how many seconds. Prints the answers,
counted.
"""

import hashlib
import hmac
import json
import socket
import sys
import threading
import time
from collections import Counter

port, source, repository, secret, many, seconds = sys.argv[1:]
answers: Counter[str] = Counter()


def deliver(number: int) -> str:
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "after": f"{number:040x}",
            "repository": {"full_name": repository, "default_branch": "main"},
            "commits": [{"id": f"{number:040x}", "modified": ["apps/blog/web.container"] * 50}],
        }
    ).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/{source} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\nX-GitHub-Event: push\r\n"
        f"X-GitHub-Delivery: d-{number}\r\nX-Hub-Signature-256: sha256={signature}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(port)), timeout=120) as connection:
        connection.sendall(head.encode() + body)
        return connection.makefile("rb").readline().decode().split()[1]


def sender(first: int, step: int, begun: float) -> None:
    for number in range(first, int(many), step):
        time.sleep(max(0.0, begun + number * float(seconds) / int(many) - time.monotonic()))
        try:
            answers[deliver(number)] += 1
        except (OSError, IndexError) as error:
            answers[repr(error)] += 1


threads = [
    threading.Thread(target=sender, args=(first, 16, time.monotonic())) for first in range(16)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps(answers))
