"""What people are told, as it arrives: a crash, its end, and a notifier that cannot send."""

import json

from tests.host.scenes import WANTED, deploy_folder, ready, status, stop_podvisor, wait_for_states

RECEIVER = """
import http.server, sys

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[2], "ab") as file:
            file.write(body + b"\\n")
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
"""
UP_UNLESS_BROKEN = f"""\
[Service]
ExecStart=/bin/sh -c 'test -e %h/broken && echo no such table && exit 3; exec sleep infinity'
{WANTED}"""
SETTINGS = """
[notify.phone]
url = "file:~/.config/podvisor/phone"
after = "1s"

[notify.lame]
url = "file:~/.config/podvisor/lame"
apps = ["shop"]
after = "1s"
"""


def received(user):
    """Messages that arrived, each as title and body."""
    path = user.home / "received"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(one["title"], one["message"]) for one in map(json.loads, lines)]


def test_a_crash_is_told_once_and_so_is_its_end(user):
    user.write("receiver.py", RECEIVER)
    listen = ("/usr/bin/python3", "%h/receiver.py", str(user.port), "%h/received")
    receiver = f"[Service]\nExecStart={' '.join(listen)}\nRestart=on-failure\n"
    user.write(".config/systemd/user/receiver.service", receiver)
    user.systemctl("daemon-reload")
    user.systemctl("start", "receiver.service")
    secret = "hunter2hunter2"
    for name, port in (("phone", user.port), ("lame", user.port + 1)):
        url = f"json://127.0.0.1:{port}/{secret}"
        user.write(f".config/podvisor/{name}", f"{url}\n", mode=0o600)
    deploy_folder(user, {"shop/shop.service": UP_UNLESS_BROKEN}, more=SETTINGS)
    ready(user, "shop")

    user.wait_for(
        lambda: not user.podvisor("notify", "test", "phone", check=False).returncode,
        what="the receiver",
    )
    (test,) = received(user)
    assert "a test of podvisor" in test[0]
    refused = user.podvisor("notify", "test", "lame", check=False)
    assert refused.returncode == 1
    assert secret not in refused.stdout + refused.stderr

    user.write("broken", "")
    user.systemctl("kill", "shop.service")
    user.wait_for(lambda: len(received(user)) == 2, what="the message of the crash")
    _, crash = received(user)
    assert "shop" in crash[0]
    assert "shop.service" in crash[1]
    assert "podvisor logs shop.service" in crash[1]

    # Who could not be reached is shown, and told by the other.
    user.wait_for(lambda: len(received(user)) == 3, what="the message of the other notifier")
    assert "notifier lame cannot send" in received(user)[2][1]
    assert "notifier-failing" in {one["code"] for one in status(user)["incidents"]}
    assert "cannot send" in user.podvisor("notify", check=False).stdout

    # A restart repeats nothing.
    stop_podvisor(user)
    (user.home / "broken").unlink()
    user.systemctl("start", "podvisor.service", "shop.service")
    wait_for_states(user, shop="ready")
    user.wait_for(lambda: len(received(user)) == 4, what="the message of the end")
    assert "shop is well again" in received(user)[3][0]
    assert secret not in user.journal("podvisor.service")
