"""Unified diffs of what is installed and what is wanted."""

import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.status.diff import LIMIT, pair, unified
from tests.examples import scaled


def diff(old, new):
    return [*unified(pair("web/a.conf", old, new), below="app")]


def test_a_changed_file():
    lines = diff(b"one\ntwo\n", b"one\nthree")
    assert lines == [
        "--- a/app/web/a.conf",
        "+++ b/app/web/a.conf",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+three",
        "\\ No newline at end of file",
    ]


def test_files_that_come_and_go_even_empty_ones():
    assert diff(None, b"x\n")[0] == "--- /dev/null"
    assert diff(b"x\n", None)[1] == "+++ /dev/null"
    assert diff(None, b"") == ["--- /dev/null", "+++ b/app/web/a.conf"]


def test_what_is_no_text_or_too_much_is_only_named():
    (line,) = diff(b"\xff\xfe", b"text")
    assert line == "Files a/app/web/a.conf and b/app/web/a.conf differ (binary)"
    assert "binary" in diff(b"a\0b", None)[0]
    assert "larger than 256K" in diff(b"x" * (LIMIT + 1), b"x")[0]


@settings(max_examples=scaled(30), deadline=None)
@given(st.data())
def test_git_makes_the_new_of_the_old_with_it(data):
    texts = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n"])).map("".join)
    old, new = data.draw(texts), data.draw(texts)
    end = data.draw(st.sampled_from(["", "x"]))
    if old == new + end:
        return
    lines = diff(old.encode(), (new + end).encode())
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "app/web/a.conf")
        target.parent.mkdir(parents=True)
        target.write_text(old)
        done = subprocess.run(
            ["git", "apply", "-"],
            cwd=folder,
            input="".join(f"{line}\n" for line in lines),
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert target.read_text() == new + end
