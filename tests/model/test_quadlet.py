import pytest

from supervisor.model.quadlet import GENERATED, LEADING, QUADLETS, Quadlet, UnitKind


def test_every_kind_but_plain_unit_files_has_one_row() -> None:
    assert {row.kind for row in QUADLETS.values()} == set(UnitKind) - {UnitKind.PLAIN}
    assert len(QUADLETS) == len(GENERATED) == len(UnitKind) - 1


@pytest.mark.parametrize("row", QUADLETS.values(), ids=str)
def test_a_row_is_complete(row: Quadlet) -> None:
    assert row.makes
    assert row.command
    assert row.service in ("", f"-{row.kind}")
    assert row.command_key.startswith("Exec")
    # What runs by itself is what an app is named after and judged by; the rest serves it.
    assert row.runs == (row.kind in LEADING)
    # A service has the file's own name only where it runs containers itself.
    assert row.runs or row.service


def test_what_is_referred_to_comes_before_what_refers_to_it() -> None:
    order = [row.kind for row in QUADLETS.values()]
    needs = {
        UnitKind.CONTAINER: {*order} - {UnitKind.CONTAINER, UnitKind.KUBE},
        UnitKind.POD: {UnitKind.NETWORK, UnitKind.VOLUME},
        UnitKind.KUBE: {UnitKind.NETWORK, UnitKind.VOLUME},
        UnitKind.BUILD: {UnitKind.IMAGE, UnitKind.NETWORK, UnitKind.VOLUME},
    }
    for kind, needed in needs.items():
        assert all(order.index(one) < order.index(kind) for one in needed)
