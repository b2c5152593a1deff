"""Whoever follows the advice on a layout loses nothing that is deployed now."""

import re
import tomllib

from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.core.desired.discovery import Composition, compose, told
from supervisor.model.setting_types import Globs
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile
from tests.examples import scaled

LINE = re.compile(r'(apps|ignore) = (\[(?:"[^"]*"(?:, …)?(?:, )?)*\]|"[^"]*")')

folder = st.sampled_from(("apps", "web", "a*", "quadlets", ".config", "pi"))
name = st.sampled_from(
    ("web.container", "apps.container", "db.container", "web.timer", "n.network", "n.volume", "x")
)
path = st.builds(
    lambda folders, last: "/".join((*folders, last)), st.lists(folder, max_size=3), name
)
flat = st.builds(
    lambda folder, beside: beside | {f"{folder}{number}.container" for number in range(9)},
    st.sampled_from(("", "apps/", "web/", "pi/web/")),
    st.sets(path, max_size=4),
)
glob = st.sampled_from(
    ("*", "apps/*", "apps", ".", "web", "units", "*.*", "quadlets/*.container", "*/web", "pi/*/*")
)
given_settings = st.builds(
    SourceSettings,
    folder=st.just("/srv/home"),
    apps=(st.just([]) | st.lists(glob, max_size=3, unique=True)).map(Globs),
    ignore=st.lists(st.sampled_from(("web", "pi/*", "*.volume")), max_size=1).map(Globs),
    exclude=st.sampled_from(((), ("web",))),
)

AS_FOUND = SourceSettings(folder="/srv/home")
FLAT = [f"{number}.container" for number in range(9)]


def composed(paths: set[str], source: SourceSettings) -> Composition:
    files = tuple(TreeFile(path=path, oid="e", size=0) for path in sorted(paths))
    snapshot = Snapshot(source="home", revision="r", files=files)
    return compose(snapshot, source, LimitSettings(), contents={"e": b""})


def shape(composition: Composition) -> dict[str, set[str]]:
    return {
        one.name: {f"{one.root}/{file.path}".lstrip("/") for file in one.files}
        for one in composition.candidates
    }


def units(composition: Composition) -> set[str]:
    return {
        path
        for paths in shape(composition).values()
        for path in paths
        if path.rpartition("/")[2] != "x"
    }


@settings(max_examples=scaled(100))
@given(st.sets(path, min_size=1, max_size=12) | flat, given_settings)
@example({*FLAT, "web.container", "web/web.container", "apps/apps/web.container"}, AS_FOUND)
@example({"web/a*/web.container", "web/apps/apps.container"}, AS_FOUND)
def test_an_advised_line_changes_no_app_that_is_there(
    paths: set[str], source: SourceSettings
) -> None:
    paths = {one for one in paths if not any(other.startswith(f"{one}/") for other in paths)}
    before = composed(paths, source)
    for finding in told(before, "home"):
        for key, value in LINE.findall(finding.hint):
            line = tomllib.loads(f"{key} = {value.replace(', …', '')}")[key]
            globs = Globs([line] if isinstance(line, str) else line)
            after = composed(paths, replace(source, **{key: globs}))
            event(f"{key} of {finding.message[:3]}")
            if finding.message.startswith("app "):
                one = finding.message.split()[1]
                kept = {name: files for name, files in shape(before).items() if name != one}
                assert kept.items() <= shape(after).items()
                assert units(before) <= units(after)
                continue
            assert shape(before).items() <= shape(after).items()
            assert len(after.left_out) <= len(before.left_out)
            if key == "ignore":
                assert shape(before) == shape(after)
