"""A source of which only contents change: taking its apps over is as good as dividing it anew."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.core.desired.discovery import compose, texts_needed, with_contents
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import FileKind, Snapshot, TreeFile

BUILD = b"[Build]\nImageTag=localhost/x\nSetWorkingDirectory=image\n"
LINKED = b"[Container]\nImage=x\nNetwork=web.network\nEnvironmentFile=./c.conf\n"
TEXTS = {"0" * 40: b"", "1" * 40: BUILD, "2" * 40: LINKED, "3" * 40: b"[Network]\n"}
FOLDERS = ["a", "b", "apps", "hosts", "pi", "image", ".hidden"]
UNITS = ["web.container", "web.network", "x.build", "plain.service"]
OTHERS = ["c.conf", "Containerfile", "t.secret", "README.md"]
NAMES = st.sampled_from([*FOLDERS, *UNITS, *OTHERS])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
FILES = st.builds(
    TreeFile,
    path=PATHS,
    oid=st.sampled_from(sorted(TEXTS)),
    kind=st.sampled_from([FileKind.FILE, FileKind.FILE, FileKind.SYMLINK]),
    size=st.integers(0, 20),
)
SNAPSHOTS = st.lists(FILES, max_size=10, unique_by=lambda file: file.path).map(
    lambda files: Snapshot(source="home", revision="r1", files=tuple(sorted(files)))
)
SETTINGS = st.builds(
    SourceSettings,
    folder=st.just("~/home"),
    apps=st.sampled_from([(), ("*",), ("apps/*", "."), ("units",), ("*.container",)]),
    ignore=st.sampled_from([(), ("README.md",), ("a",)]),
    overlay=st.sampled_from(["", "hosts/%l"]),
)
LIMITS = LimitSettings(app_size=60)
CHANGES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(TEXTS)), st.integers(0, 90)))


def divided(snapshot, settings):
    contents = {oid: TEXTS[oid] for oid in texts_needed(snapshot, settings)}
    return compose(snapshot, settings, LIMITS, specifiers={"l": "pi"}, contents=contents)


def changed(snapshot, changes):
    files = list(snapshot.files)
    for at, oid, size in changes:
        if at < len(files):
            files[at] = replace(files[at], oid=oid, size=size)
    return replace(snapshot, revision="r2", files=tuple(files))


def taken_over(before, now, settings):
    read = texts_needed(before, settings)
    if read != texts_needed(now, settings):
        return None
    return with_contents(divided(before, settings), before, now, read=read, limit=LIMITS.app_size)


@given(before=SNAPSHOTS, settings=SETTINGS, changes=CHANGES)
def test_apps_that_are_taken_over_are_as_if_divided_anew(before, settings, changes):
    now = changed(before, changes)
    done = taken_over(before, now, settings)
    assert done is None or done == divided(now, settings)


def test_a_changed_file_does_not_have_a_source_divided_anew():
    paths = ("a/web.container", "a/c.conf", "b/x.build", "b/web.container", "hosts/pi/b/c.conf")
    before = Snapshot(
        source="home",
        revision="r1",
        files=tuple(
            TreeFile(path=path, oid=("1" if path.endswith(".build") else "0") * 40, size=5)
            for path in paths
        ),
    )
    settings = SourceSettings(folder="~/home", overlay="hosts/%l")
    now = changed(before, [(0, "2" * 40, 7), (4, "3" * 40, 9)])
    done = taken_over(before, now, settings)
    assert done is not None
    assert done == divided(now, settings)
    assert {one.revision for one in done.candidates} == {"r2"}
