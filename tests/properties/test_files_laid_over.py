"""Overlays over any files: what is laid over is there, and the outcome can stand on a disk."""

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.desired.overlay import lay_over
from supervisor.model.source import TreeFile

NAMES = st.sampled_from(["a", "b", "c.conf", "web.container", "web.container.d"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def _is_tree(paths: set[str]) -> bool:
    return not any(other.startswith(f"{path}/") for path in paths for other in paths)


TREES = st.sets(PATHS, max_size=8).filter(_is_tree)


def files(paths: set[str], oid: str) -> tuple[TreeFile, ...]:
    return tuple(TreeFile(path=path, oid=oid) for path in sorted(paths))


@given(base=TREES, over=TREES)
def test_laying_over(base, over):
    done = lay_over(files(base, "base"), files(over, "over"))
    paths = [file.path for file in done]
    assert paths == sorted(set(paths))
    assert _is_tree(set(paths))
    assert {file.path for file in done if file.oid == "over"} == over
    for path in base - set(paths):
        assert any(
            other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in over
        ), f"{path} is gone for no reason"


@given(base=TREES, over=TREES)
def test_laying_over_again_changes_nothing(base, over):
    once = lay_over(files(base, "base"), files(over, "over"))
    assert lay_over(once, files(over, "over")) == once
    assert lay_over(files(base, "base"), ()) == files(base, "base")
