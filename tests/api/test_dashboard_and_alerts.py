"""The dashboard and the alerts that come with podvisor name metrics and commands that there are.

What promtool says of them is a scenario on a real host.
"""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.api.metrics import families
from supervisor.core.status.incidents import OF_NEEDS
from supervisor.model.certificate_status import CertificateState
from supervisor.model.counters import Metrics
from supervisor.model.incident import IncidentCode
from supervisor.model.status import AppState, Status

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "contrib/grafana/podvisor.json").read_text())
RULES = (ROOT / "contrib/prometheus/podvisor.rules.yml").read_text()
TESTS = [*(ROOT / "contrib/prometheus").glob("*.test.yml")]
HOW_TO = (ROOT / "docs/how-to/watch-with-prometheus.md").read_text()
COMMANDS = re.findall(
    r"^## podvisor (\S+)$", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE
)
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
METRIC = re.compile(r"\bpodvisor_\w+")
_SERIES = {
    "counter": ("_total",),
    "info": ("_info",),
    "summary": ("_count", "_sum"),
}


def labels_of() -> dict[str, set[str]]:
    """Every series that there can be, with its labels."""
    return {
        one.name + suffix: {"instance", "job", *getattr(one, "_labelnames", ())}
        for one in families(Metrics(status=Status(running=True, version="", apps=())))
        for suffix in _SERIES.get(one.type, ("",))
    }


LABELS = labels_of()


def expressions(value: Any) -> Iterator[str]:
    """Every PromQL expression of a part of the dashboard."""
    if isinstance(value, dict):
        for key in ("expr", "definition"):
            if key in value:
                yield value[key]
        for one in value.values():
            yield from expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)


@pytest.mark.parametrize(
    "text",
    [*expressions(DASHBOARD), RULES, HOW_TO, *(one.read_text() for one in TESTS)],
)
def test_metrics_that_are_named_are_there(text: str) -> None:
    assert {name for name in METRIC.findall(text) if "prom" not in name} <= LABELS.keys()


@pytest.mark.parametrize("text", [*expressions(DASHBOARD), RULES])
def test_labels_that_are_asked_for_are_there(text: str) -> None:
    for name, asked in re.findall(r"\b(podvisor_\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)(?:=|!)", asked)) <= LABELS[name], name


@pytest.mark.parametrize("text", [*expressions(DASHBOARD), RULES])
def test_states_and_codes_that_are_asked_for_are_there(text: str) -> None:
    states, codes = {*AppState, *CertificateState}, set(IncidentCode)
    for label, values in re.findall(r'\b(state|code)!?=~?"([^"]*)"', text):
        assert set(values.split("|")) <= (states if label == "state" else codes)


def test_whatever_goes_wrong_has_an_alert() -> None:
    named = {one for values in re.findall(r'code=~?"([^"]*)"', RULES) for one in values.split("|")}
    of_apps = {
        *OF_NEEDS.values(),
        *(one for one in IncidentCode if one.startswith(("app-", "unit-"))),
    }
    # The version of a failed update waits; the others have metrics of their own.
    others = {"update-failed", "source-unreadable", "webhooks-failing", "notifier-failing"}
    assert set(IncidentCode) - named - of_apps == others


def test_the_dashboard_shows_all_that_is_counted() -> None:
    shown = set(METRIC.findall(" ".join(expressions(DASHBOARD))))
    silent = {"build_info", "app_applied_timestamp_seconds", "app_on_trial", "unit_healthy"}
    silent |= {"daemon_open_fds", "webhook_listener_open", "notifier_ok", "certificate_state"}
    assert LABELS.keys() - shown == {f"podvisor_{name}" for name in silent}


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    assert DASHBOARD["id"] is None, "one that has an id is taken for another one's"
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [one["id"] for one in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert used == {*variables, "__rate_interval"}
    for one in PANELS:
        assert one["type"] in {"stat", "table", "timeseries"}
        assert one["title"]
        references = [target["refId"] for target in one["targets"]]
        assert references == list("ABC"[: len(references)])
        for target in one["targets"]:
            assert target["datasource"] == one["datasource"]
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert target["expr"].strip()
            words = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            metrics = METRIC.findall(target["expr"])
            assert words <= set.intersection(*(LABELS[name] for name in metrics))


def test_no_two_panels_share_a_place() -> None:
    for one in DASHBOARD["panels"]:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations([one["gridPos"] for one in DASHBOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_each_alert_says_which_command_to_begin_with() -> None:
    alerts = RULES.split("- alert: ")[1:]
    for alert in alerts:
        name = alert.split()[0]
        assert re.search(r"severity: (critical|warning|info)$", alert, re.MULTILINE), name
        (runbook,) = re.findall(r'runbook: "?([^"\n]*)"?$', alert, re.MULTILINE)
        for command in runbook.split("; "):
            program, first, *_ = command.split()
            assert program in {"podvisor", "systemctl", "journalctl"}, name
            assert program != "podvisor" or first in COMMANDS, name


def test_the_how_to_says_when_each_alert_is_there() -> None:
    table = "".join(line for line in HOW_TO.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(re.findall(r"- alert: (\w+)", RULES))


def test_each_alert_is_tested() -> None:
    said = "".join(one.read_text() for one in TESTS)
    for name in re.findall(r"- alert: (\w+)", RULES):
        assert re.search(rf"\b{name}\b", said), name
