"""Which folders of a source are apps, and which files are theirs."""

import msgspec
import pytest

from supervisor.core.desired.discovery import compose, references, told
from supervisor.core.desired.layout import find_layout
from supervisor.model.errors import Finding
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Bytes, Globs
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile


def snapshot(*paths, size=10, findings=()):
    files = tuple(sorted(TreeFile(path=path, oid=f"oid-{path}", size=size) for path in paths))
    return Snapshot(source="home", revision="r1", files=files, findings=tuple(findings))


def composed(*paths, findings=(), limits=None, **settings):
    for word in ("apps", "ignore"):
        if isinstance(settings.get(word), str):
            settings[word] = Globs([settings[word]] if settings[word] else ())
    source = SourceSettings(git=GitUrl("https://git.example/home"), **settings)
    return compose(snapshot(*paths, findings=findings), source, limits or LimitSettings())


def apps(*paths, **settings):
    return {
        one.name: [file.path for file in one.files]
        for one in composed(*paths, **settings).candidates
    }


@pytest.mark.parametrize(
    ("paths", "settings", "expected"),
    [
        (
            ["apps/blog/web.container", "apps/blog/conf/a", "README.md", "other/x.container"],
            {},
            {"blog": ["conf/a", "web.container"]},
        ),
        (
            ["blog/web.container", "blog/config/nginx.conf", "docs/README.md"],
            {},
            {"blog": ["config/nginx.conf", "web.container"]},
        ),
        (
            ["blog/containers/systemd/web.container", "blog/containers/systemd/conf/a"],
            {},
            {"blog": ["containers/systemd/conf/a", "containers/systemd/web.container"]},
        ),
        (
            ["blog/containers/systemd/web.container"],
            {"apps": "*/containers/systemd"},
            {"blog": ["web.container"]},
        ),
        (
            ["web.container", "site.network", "config/a", ".github/workflows/x.yml"],
            {},
            {"home": ["config/a", "site.network", "web.container"]},
        ),
        (
            ["hosts/pi/blog/web.container", "hosts/vps/shop/web.container"],
            {"apps": "hosts/pi/*"},
            {"blog": ["web.container"]},
        ),
        (
            ["hosts/pi/blog/web.container", "hosts/vps/shop/web.container"],
            {"apps": "hosts/*/*"},
            {"pi-blog": ["web.container"], "vps-shop": ["web.container"]},
        ),
        (["a/x.container", "b/y.container"], {"exclude": ("b",)}, {"a": ["x.container"]}),
        (["a/x.container", "b/y.container"], {"select": ("b*",)}, {"b": ["y.container"]}),
        (["backup/backup.timer", "backup/backup.service"], {}, None),
        (["a/web.container.d/10.conf"], {}, {}),
        ([], {}, {}),
    ],
)
def test_layouts(paths, settings, expected):
    found = apps(*paths, **settings)
    assert found == (
        {"backup": ["backup.service", "backup.timer"]} if expected is None else expected
    )


def test_hidden_folders_are_no_apps():
    assert apps(".git/x.container", ".archive/y.container", "a/x.container") == {
        "a": ["x.container"]
    }


@pytest.mark.parametrize(
    ("glob", "refused", "told"),
    [
        ("", ["a"], [".link"]),
        ("*", ["a"], [".link"]),
        (".x/*", ["b"], [".link", "a/pipe"]),
        ("*/.y", ["c"], [".link", "a/pipe"]),
    ],
)
def test_what_lies_below_hidden_folders_is_not_judged_unless_they_are_named(glob, refused, told):
    findings = [
        Finding(message="is a fifo", source="home", path=path)
        for path in (".link", "a/pipe", ".x/b/pipe", "c/.y/pipe", ".venv/pipe", "a/.cache/pipe")
    ]
    files = ("a/a.container", ".x/b/b.container", "c/.y/c.container")
    result = composed(*files, findings=findings, apps=glob)
    assert list(result.refused) == refused
    assert [one.path for one in result.findings if one.message == "is a fifo"] == told


def test_a_plain_unit_in_the_root_does_not_make_the_root_an_app():
    assert find_layout(snapshot("tool.service", "blog/web.container").files) == ("*",)
    (finding,) = told(composed("tool.service", "blog/web.container"), "home")
    assert finding.path == "tool.service"
    assert 'apps = ["*", "."]' in finding.hint


@pytest.mark.parametrize("name", ["has space", "-rf", "ünicode", "a" * 64])
def test_a_folder_that_cannot_name_an_app_is_refused_by_name(name):
    result = composed(f"{name}/web.container", "good/x.container")
    assert [one.name for one in result.candidates] == ["good"]
    assert repr(name) in result.findings[0].message
    assert result.findings[0].fatal
    assert result.refused == {}


def test_two_files_for_one_unit_in_an_app():
    result = composed("a/x/web.container", "a/y/web.container")
    assert "define the same unit" in result.refused["a"][0].message


def test_an_app_over_the_limits_is_refused_and_others_go_on():
    limits = LimitSettings(app_size=Bytes(25))
    result = composed("a/x.container", "a/y", "a/z", "b/x2.container", limits=limits)
    assert [one.name for one in result.candidates] == ["b"]
    assert "too large: 3 files, 30 bytes" in result.refused["a"][0].message


def test_what_was_refused_below_an_app_stops_that_app_only():
    finding = Finding(message="a device file", path="a/dev", source="home")
    result = composed("a/x.container", "b/y.container", findings=[finding])
    assert [one.name for one in result.candidates] == ["b"]
    assert result.refused["a"][0].app == "a"
    assert result.findings == ()


def test_what_was_refused_outside_the_apps_is_the_sources():
    finding = Finding(message="a device file", path="stuff/dev", source="home")
    result = composed("a/x.container", findings=[finding])
    assert [one.name for one in result.candidates] == ["a"]
    assert result.findings == (msgspec.structs.replace(finding, fatal=False),)


def test_references():
    text = b"[Container]\nNetwork=site.network:alias=x\nVolume=data.volume:/data\nPod=a.pod\n"
    assert references(text) == {"site.network", "data.volume", "a.pod"}
