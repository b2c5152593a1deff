"""The how-to on replicas, deployed as it stands: rolling updates lose no request."""

import json

from tests.host.conftest import CHECKOUT
from tests.host.scenes import events

PAGE = CHECKOUT / "docs/how-to/run-replicas.md"
SCRIPT = CHECKOUT / "contrib/lib/replicas.py"
UPDATES = 3


def test_updates_and_another_number_of_replicas_lose_no_request(user):
    user.write(PAGE.name, PAGE.read_text())
    user.write(SCRIPT.name, SCRIPT.read_text())
    done = user.run("python3", SCRIPT.name, PAGE.name, str(UPDATES), "how-to", timeout=300)
    result = json.loads(done.stdout.splitlines()[-1])
    assert {name: proxy["lost"] for name, proxy in result["proxies"].items()} == {
        "caddy": {},
        "nginx": {},
    }, result
    for proxy in result["proxies"].values():
        # Three at first, as many anew with each update, and of a fourth and a fifth one at least.
        assert proxy["served"] > 3 + 3 * UPDATES, result
        assert proxy["sent"] > 100 * result["seconds"], "it was asked all the while"
    restarted = [event["unit"] for event in events(user, step="restart", app="web")]
    assert restarted == [f"web@{number}.service" for number in (1, 2, 3)] * UPDATES
