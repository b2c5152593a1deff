"""What a source may hold."""

from supervisor.adapters.git.tree_policy import screen
from supervisor.model.source import TreeFile


def test_what_lies_below_a_file_is_refused_at_any_depth() -> None:
    paths = ["a", "a/b/c", "d/e", "d/e/f", "d/ef", "g/h/i", "top"]
    files = [TreeFile(path=path, oid="0" * 40, size=1) for path in paths]
    kept, findings = screen("home", files, {}, file_size=10)
    assert [one.path for one in kept] == ["a", "d/e", "d/ef", "g/h/i", "top"]
    assert [one.path for one in findings] == ["a/b/c", "d/e/f"]
    assert {one.message for one in findings} == {"has a file where its folder should be"}
