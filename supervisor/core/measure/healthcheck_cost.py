"""What health checks cost, and the line that would save most of it. Pure; see `model.doctor`."""

import re
import statistics
from collections.abc import Iterable

from supervisor.model.doctor import Advice, CheckCost, HealthCheck, HealthCosts

IDLE_SECONDS = 300.0
"""What is advised, as HealthIdleInterval=5m."""
_MINUTE_MS = 60_000.0
_LOCAL_URL = re.compile(
    r"(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(/[^\s\"'|;&]*)?"
)
_PORTS = {"http": "80", "https": "443"}


def weigh(costs: Iterable[CheckCost]) -> HealthCosts:
    """Judge what was measured, the dearest first."""
    advice = sorted(map(_advise, costs), key=lambda one: -one.ms_per_minute)
    return HealthCosts(
        checks=tuple(advice),
        ms_per_minute=sum(one.ms_per_minute for one in advice),
        saves_ms_per_minute=sum(one.saves_ms_per_minute for one in advice),
    )


def _advise(cost: CheckCost) -> Advice:
    per_run = statistics.median(cost.cpu_ms) if cost.cpu_ms else 0.0
    per_minute = per_run * 60.0 / cost.interval if cost.interval else 0.0
    gains = 0.0 < cost.interval < IDLE_SECONDS
    lines: tuple[str, ...] = ()
    if gains:
        lines = (
            ("[X-Podvisor]", "HealthIdleInterval=5m") if cost.managed else ("HealthInterval=5m",)
        )
    return Advice(
        **{name: getattr(cost, name) for name in HealthCheck.__struct_fields__},
        ms_per_run=per_run,
        ms_per_minute=per_minute,
        percent_of_core=100.0 * per_minute / _MINUTE_MS,
        lines=lines,
        saves_ms_per_minute=per_minute * (1.0 - cost.interval / IDLE_SECONDS) if gains else 0.0,
        probe=_probe(cost) if cost.managed else "",
    )


def _probe(cost: CheckCost) -> str:
    """Return the probe that asks the same over a published port, or at least connects to it."""
    for word in cost.command:
        for scheme, port, path in _LOCAL_URL.findall(word):
            published = cost.ports.get(f"{port or _PORTS[scheme]}/tcp")
            if published:
                return f"Probe={scheme}://127.0.0.1:{published}{path or '/'}"
    published = next((at for port, at in cost.ports.items() if port.endswith("/tcp")), 0)
    return f"Probe=tcp://127.0.0.1:{published}" if published else ""
