"""Debian's Prometheus at the page's metrics, with the alerts that come with podvisor."""

import json
import re
from pathlib import Path

from tests.host.scenes import deploy_folder, ready, service, wait_for_states

PROMETHEUS = Path(__file__).parents[2] / "contrib/prometheus"
DASHBOARD = Path(__file__).parents[2] / "contrib/grafana/podvisor.json"


def ask(user, path):
    """What an HTTP server of the user's answers, or nothing."""
    return user.run("curl", "-s", "--max-time", "5", f"http://127.0.0.1:{path}", check=False).stdout


def as_rules(dashboard):
    """What the dashboard asks, as rules that promtool can read."""
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    targets += dashboard["annotations"]["list"]
    rules = []
    for number, target in enumerate(targets):
        expression = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
        rules.append({"record": f"panel:{number}", "expr": expression})
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})


def hurried(text):
    """The rules as they are, but for how long a thing has to last."""
    return re.sub(r"^( +for: ).*$", r"\g<1>0s", text, flags=re.MULTILINE)


def test_an_app_that_is_down_is_told_of_until_it_is_back(user):
    page, prometheus = f"{user.port}", f"{user.port + 1}"
    web = f'[web]\nlisten = "127.0.0.1:{page}"\n'
    apps = {"good/good.service": service(), "bad/bad.service": service()}
    deploy_folder(user, apps, more=web)
    ready(user, "good", "bad")

    # By the conventions, and well formed.
    user.run("promtool", "check", "metrics", input=ask(user, f"{page}/metrics"))
    for file in PROMETHEUS.iterdir():
        user.write(f"rules/{file.name}", file.read_text())
    user.run("promtool", "check", "config", "rules/prometheus.yml")
    for tests in PROMETHEUS.glob("*.test.yml"):
        user.run("promtool", "test", "rules", f"rules/{tests.name}")
    user.write("dashboard.yml", as_rules(json.loads(DASHBOARD.read_text())))
    user.run("promtool", "check", "rules", "dashboard.yml")

    settings = (
        (PROMETHEUS / "prometheus.yml").read_text().replace("127.0.0.1:9079", "127.0.0.1:" + page)
    )
    settings = settings.replace("scrape_interval: 1m", "scrape_interval: 1s")
    user.write("live/prometheus.yml", f"global:\n  evaluation_interval: 1s\n{settings}")
    rules = (PROMETHEUS / "podvisor.rules.yml").read_text()
    user.write("live/podvisor.rules.yml", hurried(rules))
    argv = ("prometheus", "--config.file=live/prometheus.yml", "--storage.tsdb.path=live/data")
    listen = f"--web.listen-address=127.0.0.1:{prometheus}"
    unit = (
        "systemd-run",
        "--user",
        "--quiet",
        "--unit=prometheus",
        f"--working-directory={user.run('pwd').stdout.strip()}",
    )
    user.run(*unit, *argv, listen)

    def firing():
        answer = ask(user, f"{prometheus}/api/v1/alerts")
        alerts = json.loads(answer)["data"]["alerts"] if answer.startswith("{") else ()
        return {one["labels"]["alertname"]: one for one in alerts if one["state"] == "firing"}

    def scraped():
        answer = ask(user, f"{prometheus}/api/v1/query?query=podvisor_up")
        return answer.startswith("{") and json.loads(answer)["data"]["result"]

    user.wait_for(scraped, what="the first scrape")
    user.write("apps/bad/bad.service", service().replace("/bin/sleep", "/bin/false"))
    wait_for_states(user, bad="reverted", good="ready")
    told = user.wait_for(lambda: firing().get("AppReverted"), what="an alert")
    assert told["labels"]["app"] == "bad"
    assert told["annotations"]["runbook"] == "podvisor history bad; podvisor events bad"
    user.write("apps/bad/bad.service", service(2_000_000))
    wait_for_states(user, bad="ready", good="ready")
    user.wait_for(lambda: not firing(), what="its end")
