"""What is said of the cost of health checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.measure.healthcheck_cost import weigh
from supervisor.model.doctor import CheckCost


def cost(**more: object) -> CheckCost:
    fields = {"container": "db", "interval": 5.0, "cpu_ms": (100.0,), "managed": True, **more}
    return CheckCost(**fields)  # type: ignore[arg-type]


def test_the_cost_of_a_check() -> None:
    (one,) = weigh([cost(cpu_ms=(90.0, 500.0, 100.0))]).checks
    assert one.ms_per_run == 100.0, "the median: one slow run is an accident"
    assert one.ms_per_minute == 1200.0
    assert one.percent_of_core == 2.0
    assert one.lines == ("[X-Podvisor]", "HealthIdleInterval=5m")
    assert one.saves_ms_per_minute == pytest.approx(1180.0)


def test_the_dearest_stands_first_and_all_are_summed_up() -> None:
    found = weigh([cost(container="a", interval=30.0), cost(container="b")])
    assert [one.container for one in found.checks] == ["b", "a"]
    assert found.ms_per_minute == 1400.0
    assert found.saves_ms_per_minute == pytest.approx(1180.0 + 180.0)


@pytest.mark.parametrize("interval", [300.0, 3600.0])
def test_what_is_rarely_checked_needs_no_advice(interval: float) -> None:
    (one,) = weigh([cost(interval=interval)]).checks
    assert (one.lines, one.saves_ms_per_minute) == ((), 0.0)


def test_what_podvisor_did_not_deploy_is_only_checked_less_often() -> None:
    (one,) = weigh([cost(managed=False, ports={"80/tcp": 8080})]).checks
    assert (one.lines, one.probe) == (("HealthInterval=5m",), "")


@pytest.mark.parametrize(
    ("command", "ports", "probe"),
    [
        (("curl -fs http://localhost/health",), {"80/tcp": 8081}, "http://127.0.0.1:8081/health"),
        (("wget", "-q", "http://127.0.0.1:3000"), {"3000/tcp": 3001}, "http://127.0.0.1:3001/"),
        (("curl 'https://localhost:8443/x?y=1'",), {"8443/tcp": 1}, "https://127.0.0.1:1/x?y=1"),
        (("curl http://localhost:9/",), {"80/tcp": 8081}, "tcp://127.0.0.1:8081"),
        (("pg_isready",), {"5432/tcp": 5432}, "tcp://127.0.0.1:5432"),
        (("pg_isready",), {}, ""),
        (("dig",), {"53/udp": 53}, ""),
    ],
)
def test_a_probe_that_asks_the_same(
    command: tuple[str, ...], ports: dict[str, int], probe: str
) -> None:
    (one,) = weigh([cost(command=command, ports=ports)]).checks
    assert one.probe == (f"Probe={probe}" if probe else "")


@given(
    st.lists(
        st.builds(
            CheckCost,
            container=st.just("x"),
            interval=st.floats(0.1, 1e6),
            cpu_ms=st.lists(st.floats(0, 1e4), max_size=5).map(tuple),
            managed=st.booleans(),
        )
    )
)
def test_no_more_can_be_saved_than_is_spent(costs: list[CheckCost]) -> None:
    found = weigh(costs)
    assert 0 <= found.saves_ms_per_minute <= found.ms_per_minute * 1.000001
    assert len(found.checks) == len(costs)
