"""Others that are at fault: issuers, each of which is Pebble but for one trouble, and a DNS server.

    python3 troubles.py FOLDER PEBBLE PORT=TROUBLE...

It runs inside a host. FOLDER is that of `pebble.py`, PEBBLE its port. Of the troubles, `drops` is
a DNS server that says yes to each update, and does nothing; an issuer with `nonces` refuses all of
them; `limits`: takes no more orders; `name`: issues for another name; `ahead`: has a clock that is
a year ahead; `early`: has a certificate that is not valid yet; `void`: declares the first
certificate void.
"""

import base64
import datetime as dt
import email.utils
import http.client
import json
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER, PEBBLE = Path(sys.argv[1]), int(sys.argv[2])
TRUSTING = ssl.create_default_context(cafile=FOLDER / "ca.crt")
TRUSTING.check_hostname = False
TRUSTING.verify_flags &= ~ssl.VERIFY_X509_STRICT
YEAR_SECONDS = 366 * 86_400
OTHER_NAME = "somebody-else.home.arpa"
EARLY = """\
cd "$1"
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
$new -not_before "$2" -not_after "$3" -subj /CN=localhost -addext subjectAltName=DNS:localhost \\
    -addext basicConstraints=CA:FALSE -CA ca.crt -CAkey ca.key -keyout early.key -out early.crt
"""
SIGN = """\
cd "$1"
openssl x509 -req -inform DER -in csr.der -days 2 -CA ca.crt -CAkey ca.key -extfile names
cat ca.crt
"""


class Handler(BaseHTTPRequestHandler):
    """Hands requests on to Pebble, which takes itself for what the client asked for."""

    protocol_version = "HTTP/1.1"
    trouble = ""
    requested = b""
    void = ""

    def do_GET(self) -> None:
        self.hand_on()

    def do_HEAD(self) -> None:
        self.hand_on()

    def do_POST(self) -> None:
        self.hand_on()

    def hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pebble = http.client.HTTPSConnection("127.0.0.1", PEBBLE, context=TRUSTING)
        pebble.request(self.command, self.path, body or None, dict(self.headers))
        answer = pebble.getresponse()
        status, headers, text = answer.status, dict(answer.headers), answer.read()
        headers.pop("Transfer-Encoding", None)
        pebble.close()
        status, text = self.changed(body, status, headers, text)
        self.send_response_only(status)
        headers.setdefault("Date", self.date_time_string())
        headers["Content-Length"] = str(len(text))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def changed(
        self, asked: bytes, status: int, headers: dict[str, str], text: bytes
    ) -> tuple[int, bytes]:
        """Status and text of the answer, which changes the headers, too."""
        kind = type(self)
        match self.trouble:
            case "nonces" if self.command == "POST":
                return self.problem(
                    400, headers, "badNonce", "JWS has an invalid anti-replay nonce"
                )
            case "limits" if self.path.startswith("/order-plz"):
                headers["Retry-After"] = "7200"
                return self.problem(429, headers, "rateLimited", "too many certificates already")
            case "ahead":
                headers["Date"] = email.utils.formatdate(time.time() + YEAR_SECONDS, usegmt=True)
            case "name" if self.path.startswith("/finalize-order/"):
                payload = json.loads(asked)["payload"]
                csr = json.loads(base64.urlsafe_b64decode(payload + "=="))["csr"]
                kind.requested = base64.urlsafe_b64decode(csr + "==")
            case "name" if self.path.startswith("/certZ/"):
                return status, self.signed()
            case "void" if "/renewalInfo/" in self.path or "/renewal-info/" in self.path:
                kind.void = kind.void or self.path
                if self.path == kind.void:
                    window = json.loads(text)["suggestedWindow"]
                    window["start"], window["end"] = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
                    why = "https://example.org/declared-void"
                    told = {"suggestedWindow": window, "explanationURL": why}
                    return status, json.dumps(told).encode()
            case _:
                pass
        return status, text

    def problem(
        self, status: int, headers: dict[str, str], word: str, why: str
    ) -> tuple[int, bytes]:
        headers["Content-Type"] = "application/problem+json"
        told = {"type": f"urn:ietf:params:acme:error:{word}", "detail": why, "status": status}
        return status, json.dumps(told).encode()

    def signed(self) -> bytes:
        """The key that was sent, with another name."""
        (FOLDER / "csr.der").write_bytes(self.requested)
        (FOLDER / "names").write_text(f"subjectAltName=DNS:{OTHER_NAME}\n")
        argv = ["sh", "-euc", SIGN, "sh", str(FOLDER)]
        return subprocess.run(argv, check=True, capture_output=True).stdout

    def log_message(self, *_: object) -> None:
        pass


class YesToAll(socketserver.StreamRequestHandler):
    """Takes each update."""

    def handle(self) -> None:
        with suppress(OSError):
            while length := int.from_bytes(self.rfile.read(2), "big"):
                answer = self.rfile.read(length)[:2] + b"\xa8\x00" + bytes(8)
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)


def start(port: int, trouble: str) -> None:
    if trouble == "drops":
        dns = socketserver.ThreadingTCPServer(("127.0.0.1", port), YesToAll)
        threading.Thread(target=dns.serve_forever).start()
        return
    handler = type(trouble, (Handler,), {"trouble": trouble})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    name = "early" if trouble == "early" else "tls"
    context.load_cert_chain(FOLDER / f"{name}.crt", FOLDER / f"{name}.key")
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    threading.Thread(target=server.serve_forever).start()


def main() -> None:
    begin = dt.datetime.now(dt.UTC) + dt.timedelta(days=300)
    days = [f"{begin + dt.timedelta(days=after):%Y%m%d%H%M%SZ}" for after in (0, 9)]
    subprocess.run(["sh", "-euc", EARLY, "sh", str(FOLDER), *days], check=True)
    for pair in sys.argv[3:]:
        port, _, trouble = pair.partition("=")
        start(int(port), trouble)


if __name__ == "__main__":
    main()
