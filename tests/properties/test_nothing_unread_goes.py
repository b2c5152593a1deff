"""Whatever of a source cannot be read, no app is removed by it, changed by it, or comes by it."""

from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.core.desired.discovery import Composition, compose
from supervisor.core.desired.unread import presumed, unread_apps
from supervisor.core.files.source_paths import is_below
from supervisor.model.errors import Finding
from supervisor.model.observed import Manifest
from supervisor.model.setting_types import Globs
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile
from tests.examples import scaled

folder = st.sampled_from(("apps", "web", "quadlets", ".config", "hosts", "me"))
name = st.sampled_from(
    ("web.container", "db.container", "web.timer", "n.network", "n.volume", "x", "i.build")
)
path = st.builds(
    lambda folders, last: "/".join((*folders, last)), st.lists(folder, max_size=3), name
)
glob = st.sampled_from(
    ("*", "apps/*", "apps", ".", "web", "units", "*.*", "quadlets/*.container", "*/*", "*/web")
)
given_settings = st.builds(
    SourceSettings,
    folder=st.just("/srv/home"),
    apps=(st.just([]) | st.lists(glob, max_size=3, unique=True)).map(Globs),
    ignore=st.lists(st.sampled_from(("web", "*.volume")), max_size=1).map(Globs),
    exclude=st.sampled_from(((), ("web",))),
    overlay=st.sampled_from(("", "hosts/me")),
)


def composed(snapshot: Snapshot, source: SourceSettings) -> Composition:
    return compose(snapshot, source, LimitSettings(), contents={"e": b""})


def installed(composition: Composition) -> dict[str, Manifest]:
    return {one.name: Manifest.of(one, units=(), sealed=True) for one in composition.candidates}


@settings(max_examples=scaled(400))
@given(st.sets(path, min_size=1, max_size=8), given_settings, st.data())
def test_whatever_cannot_be_read_no_app_is_removed_by_it(paths, source, data):
    places = sorted({one[:at] for one in paths for at, c in enumerate(f"{one}/") if c == "/"})
    dark = data.draw(st.sets(st.sampled_from(places), min_size=1, max_size=3))
    refused, stay = check(paths, source, dark)
    event(f"{refused} refused, {stay} go on")


def test_what_is_an_app_by_a_hidden_unit_that_cannot_be_read_is_no_other_apps():
    source = SourceSettings(folder="/srv/home")
    paths = {"apps/web.container", "web.container", "web/x", "web/.config/web.container"}
    assert check(paths, source, {"web/.config/web.container"}) == (1, 1)


def test_what_falls_to_an_app_that_is_refused_for_it_is_refused_too():
    source = SourceSettings(folder="/srv/home", apps=(".", "web", "units"))
    paths = {"apps/web.container", "apps/db.container", "web/web.container"}
    assert check(paths, source, {"web"}) == (2, 0)


def check(paths, source, dark):
    files = tuple(TreeFile(path=one, oid="e", size=0) for one in sorted(paths))
    before = composed(Snapshot(source="home", revision="r", files=files), source)
    manifests = installed(before)
    snapshot = Snapshot(
        source="home",
        revision="s",
        files=tuple(one for one in files if not any(is_below(one.path, d) for d in dark)),
        findings=tuple(
            Finding(message="cannot be read", path=one, hides=one not in paths)
            for one in sorted(dark)
        ),
    )
    more = presumed(snapshot, manifests.values())
    whole = replace(snapshot, files=tuple(sorted((*snapshot.files, *more))))
    after = composed(whole, source)
    refused = {**after.refused, **unread_apps(whole, source, after, manifests)}
    stay = {one.name: one for one in after.candidates if one.name not in refused}
    for app, manifest in manifests.items():
        if app not in refused:
            assert app in stay, f"{app} goes"
            assert stay[app].files == manifest.files, f"{app} changes"
    for app in refused.keys() & manifests.keys():
        assert all(one.path for one in refused[app]), "says where"
    return len(refused), len(stay)
