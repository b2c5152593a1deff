import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.config.toml_lines import key_lines

DOCUMENT = '''\
# a comment with [brackets] and = signs
top = 1
[sources.web]
git = "https://example.org/[x]#y" # really
poll = "5m"
select = [ # over
  "a = 1",  # lines
  'b',
]
note = """
[not.a.table]
key = 1
"""
[ "sources" . 'db' ]
"fol\\u0064er" = "/srv"
[limits]
file_size = "1M"
[sources]
inline = { git = "https://x", exclude = ["a", "b"] }
dotted.git = "x"
dotted . poll = 1979-05-27 07:32:00
'''


def test_finds_every_key_however_it_is_written() -> None:
    tomllib.loads(DOCUMENT)
    lines = key_lines(DOCUMENT)
    assert lines == {
        ("top",): 2,
        ("sources",): 3,
        ("sources", "web"): 3,
        ("sources", "web", "git"): 4,
        ("sources", "web", "poll"): 5,
        ("sources", "web", "select"): 6,
        ("sources", "web", "note"): 10,
        ("sources", "db"): 14,
        ("sources", "db", "folder"): 15,
        ("limits",): 16,
        ("limits", "file_size"): 17,
        ("sources", "inline"): 19,
        ("sources", "inline", "git"): 19,
        ("sources", "inline", "exclude"): 19,
        ("sources", "dotted"): 20,
        ("sources", "dotted", "git"): 20,
        ("sources", "dotted", "poll"): 21,
    }


def test_arrays_of_tables_are_named_where_they_begin() -> None:
    assert key_lines("\n[[a]]\nb = 1\n[[a]]\nb = 2\n") == {("a",): 2, ("a", "b"): 3}


def paths(value: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if isinstance(value, list):
        return set().union(*(paths(item, path) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    return {(*path, key) for key in value} | set().union(
        *(paths(item, (*path, key)) for key, item in value.items())
    )


@given(st.text(alphabet="ab.=[]{}'\"\\#\n ,1", max_size=60))
def test_knows_every_key_that_tomllib_reads(text: str) -> None:
    lines = key_lines(text)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    assert paths(document) == set(lines)


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    key_lines(text)
