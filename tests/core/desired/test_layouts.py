"""Layouts that people use: each is what its owner means, with one line of settings at most."""

import hashlib

import pytest

from supervisor.core.desired.discovery import compose, texts_needed, told
from supervisor.core.desired.unfitting import ignores_nothing
from supervisor.model.setting_types import Globs
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile

TLS = "%h/.local/share/podvisor/certificates"
CONTAINER = "[Container]\nImage=x\n"
PROXIED = f"{CONTAINER}Network=proxy.network\n"
TIMER = "[Timer]\nOnCalendar=daily\n"
RECIPE = "FROM x\nCOPY etc /etc\n"


def composed(tree, *, apps=(), ignore=(), **settings):
    """Compose a source of `tree`: paths, with their texts if it is a mapping."""
    texts = dict(tree) if isinstance(tree, dict) else dict.fromkeys(tree, "")
    files, contents = [], {}
    for path, text in texts.items():
        oid = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324
        contents[oid] = text.encode()
        files.append(TreeFile(path=path, oid=oid, size=len(text)))
    snapshot = Snapshot(source="home", revision="r1", files=tuple(sorted(files)))
    source = SourceSettings(folder="/srv/home", apps=Globs(apps), ignore=Globs(ignore), **settings)
    needed = texts_needed(snapshot, source)
    return compose(
        snapshot,
        source,
        LimitSettings(),
        contents={oid: contents[oid] for oid in needed},
    )


def apps(composition):
    """Return the apps' files, with their paths in the source."""
    return {
        one.name: {f"{one.root}/{file.path}".lstrip("/") for file in one.files}
        for one in composition.candidates
    }


@pytest.mark.parametrize(
    ("tree", "settings", "expected"),
    [
        pytest.param(
            ["apps/web/web.container", "apps/web/conf/a", "apps/db/db.container", "README.md"],
            {},
            {"web": {"apps/web/web.container", "apps/web/conf/a"}, "db": {"apps/db/db.container"}},
            id="apps/NAME",
        ),
        pytest.param(
            ["apps/web/web.container", "proxy/proxy.container", "proxy/conf/a", "docs/a.md"],
            {"apps": ["apps/*", "proxy"]},
            {"web": {"apps/web/web.container"}, "proxy": {"proxy/proxy.container", "proxy/conf/a"}},
            id="folders beside apps",
        ),
        pytest.param(
            ["apps/web/web.container", "apps/proxy.network", "shared.volume"],
            {},
            {
                "web": {"apps/web/web.container"},
                "apps": {"apps/proxy.network"},
                "home": {"shared.volume"},
            },
            id="loose units in apps and in the root",
        ),
        pytest.param(
            ["web/web.container", "web/conf/a", "db/db.container"],
            {},
            {"web": {"web/web.container", "web/conf/a"}, "db": {"db/db.container"}},
            id="NAME",
        ),
        pytest.param(
            ["web/web.container", "db/db.container", "proxy.network", "shared.volume", "conf/a"],
            {},
            {
                "web": {"web/web.container"},
                "db": {"db/db.container"},
                "home": {"proxy.network", "shared.volume", "conf/a"},
            },
            id="NAME and a loose network",
        ),
        pytest.param(
            ["home/web.container", "proxy.network"],
            {},
            {"home": {"home/web.container"}, "home-root": {"proxy.network"}},
            id="a folder named as the source",
        ),
        pytest.param(
            {
                "quadlets/web.container": PROXIED
                + "Volume=web.volume:/d\nEnvironmentFile=web.env\n",
                "quadlets/web.volume": "[Volume]\n",
                "quadlets/web.env": "A=1",
                "quadlets/db.container": f"{PROXIED}Secret=db,type=env\nVolume=./conf/db:/c\n",
                "quadlets/db.secret": "[Secret]\nSource=age:db.age\n",
                "quadlets/db.age": "x",
                "quadlets/conf/db/a": "x",
                "quadlets/proxy.network": "[Network]\n",
                "quadlets/p.pod": "[Pod]\n",
                "quadlets/one.container": f"{CONTAINER}Pod=p.pod\n",
                "quadlets/two.container": f"{CONTAINER}Pod=p.pod\n",
                "systemd/backup.timer": TIMER,
                "systemd/backup.service": "[Service]\nExecStart=/bin/true\n",
                "systemd/db-dump.timer": f"{TIMER}Unit=db.service\n",
                "README.md": "",
            },
            {"apps": ["units"]},
            {
                "web": {
                    "quadlets/web.container",
                    "quadlets/web.volume",
                    "quadlets/web.env",
                },
                "db": {
                    "quadlets/db.container",
                    "quadlets/db.secret",
                    "quadlets/db.age",
                    "quadlets/conf/db/a",
                    "systemd/db-dump.timer",
                },
                "proxy": {"quadlets/proxy.network"},
                "p": {"quadlets/p.pod", "quadlets/one.container", "quadlets/two.container"},
                "backup": {"systemd/backup.timer", "systemd/backup.service"},
            },
            id="a flat folder, and one of plain units",
        ),
        pytest.param(
            {
                "q/web.container": f"{CONTAINER}Volume={TLS}/all:/t\n",
                "q/mail.container": f"{CONTAINER}Volume={TLS}/all:/t\n",
                "q/all.certificate": "[Certificate]\nDomain=a.org\n",
                "q/db.container": f"{CONTAINER}Volume=/srv/tls/key.pem:/t\n",
                "q/pg.certificate": "[Certificate]\nDomain=b.org\nDirectory=/srv/tls/\n",
                "q/caddy.service": "[Service]\nExecStart=/bin/caddy\n",
                "q/named.certificate": "[Certificate]\nDomain=c.org\nReload=x caddy\n",
                "q/lonely.certificate": "[Certificate]\nDomain=d.org\n",
                "q/app.container": f"{CONTAINER}Secret=site.key,target=/key\n",
                "q/held.certificate": "[Certificate]\nDomain=e.org\nSecret=site\n",
            },
            {"apps": ["units"]},
            {
                "app": {"q/app.container", "q/held.certificate"},
                "web": {"q/web.container"},
                "mail": {"q/mail.container", "q/all.certificate"},
                "db": {"q/db.container", "q/pg.certificate"},
                "caddy": {"q/caddy.service", "q/named.certificate"},
            },
            id="certificates of a flat folder",
        ),
        pytest.param(
            {
                "q/web.container": f"{CONTAINER}Secret=db,type=env\nSecret=called\n",
                "q/db.container": f"{CONTAINER}Secret=db,type=mount\n",
                "q/mail.container": f"{CONTAINER}Secret=called\n",
                "q/db.secret": "[Secret]\nSource=age:keys/db.age\n",
                "q/keys/db.age": "x",
                "q/other.secret": "[Secret]\nName=called\nGenerate=32\n",
                "q/lonely.secret": "[Secret]\nGenerate=32\n",
            },
            {"apps": ["units"]},
            {
                "db": {"q/db.container", "q/db.secret", "q/keys/db.age"},
                "mail": {"q/mail.container", "q/other.secret"},
                "web": {"q/web.container"},
            },
            id="secrets of a flat folder",
        ),
        pytest.param(
            {
                "web.container": f"{CONTAINER}Network=web.network\n",
                "db.container": f"{CONTAINER}Network=web.network\n",
                "web.network": "[Network]\n",
                "web.container.d/10.conf": "[Container]\nEnvironment=A=1\n",
                "unused.volume": "[Volume]\n",
            },
            {"apps": ["*.container"]},
            {
                "web": {"web.container", "web.container.d/10.conf"},
                "db": {"db.container"},
                "web-network": {"web.network"},
            },
            id="a flat folder by a glob",
        ),
        pytest.param(
            ["web/.config/containers/systemd/web.container", "web/.local/share/a", "db/.bashrc"],
            {"apps": ["*/.config/containers/systemd"]},
            {"web": {"web/.config/containers/systemd/web.container"}},
            id="stow",
        ),
        pytest.param(
            {
                ".config/containers/systemd/a.container": CONTAINER,
                ".config/containers/systemd/b.container": CONTAINER,
                ".config/systemd/user/c.timer": TIMER,
                ".bashrc": "",
            },
            {"apps": [".config/containers/systemd/*.*", ".config/systemd/user/*.*"]},
            {
                "a": {".config/containers/systemd/a.container"},
                "b": {".config/containers/systemd/b.container"},
                "c": {".config/systemd/user/c.timer"},
            },
            id="dotfiles",
        ),
        pytest.param(
            [".config/containers/systemd/a.container", "other/b.container"],
            {"apps": [".config"]},
            {"config": {".config/containers/systemd/a.container"}},
            id="one hidden folder",
        ),
        pytest.param(
            ["apps/web/quadlet/web.container", "apps/web/systemd/web.timer"],
            {},
            {"web": {"apps/web/quadlet/web.container", "apps/web/systemd/web.timer"}},
            id="apps/NAME/{quadlet,systemd}",
        ),
        pytest.param(
            ["web/containers/systemd/web.container"],
            {},
            {"web": {"web/containers/systemd/web.container"}},
            id="NAME/containers/systemd",
        ),
        pytest.param(
            ["services/web/web.container", "services/db/db.container", "services/proxy.network"],
            {"apps": ["services/*", "services"]},
            {
                "web": {"services/web/web.container"},
                "db": {"services/db/db.container"},
                "services": {"services/proxy.network"},
            },
            id="services and a network beside",
        ),
        pytest.param(
            ["services/web/web.container", "services/proxy.network", "other/quadlet/o.container"],
            {"apps": ["services/*", "services", "other"]},
            {
                "web": {"services/web/web.container"},
                "services": {"services/proxy.network"},
                "other": {"other/quadlet/o.container"},
            },
            id="and another folder",
        ),
        pytest.param(
            ["machines/pi/quadlets/web/web.container", "machines/vps/quadlets/db/db.container"],
            {"apps": ["machines/pi/quadlets/*"]},
            {"web": {"machines/pi/quadlets/web/web.container"}},
            id="machines",
        ),
        pytest.param(
            ["1-LAN/Quadlet/web/web.container", "2-DMZ/Quadlet/db/db.container"],
            {"apps": ["[0-9]-*/Quadlet/*"]},
            {
                "1-LAN-web": {"1-LAN/Quadlet/web/web.container"},
                "2-DMZ-db": {"2-DMZ/Quadlet/db/db.container"},
            },
            id="numbered networks",
        ),
        pytest.param(
            {
                "apps/box/box.container": CONTAINER,
                "apps/box/box.build": "[Build]\nImageTag=x\nSetWorkingDirectory=image\n",
                "apps/box/image/Containerfile": RECIPE,
                "apps/box/image/etc/systemd/system/in.service": "[Service]\n",
            },
            {},
            {
                "box": {
                    "apps/box/box.container",
                    "apps/box/box.build",
                    "apps/box/image/Containerfile",
                    "apps/box/image/etc/systemd/system/in.service",
                }
            },
            id="a build context",
        ),
        pytest.param(
            ["web/web.container", "archive/web/web.container", "web/old/web.container", "a.bak/x"],
            {"ignore": ["archive", "old"]},
            {"web": {"web/web.container"}},
            id="archives",
        ),
        pytest.param(
            ["apps/web/web.container", "apps/web/examples/web.container", "apps/web/conf/a"],
            {"ignore": ["apps/*/examples"]},
            {"web": {"apps/web/web.container", "apps/web/conf/a"}},
            id="examples in an app",
        ),
    ],
)
def test_each_layout_is_what_its_owner_means(tree, settings, expected):
    composition = composed(tree, **settings)
    assert apps(composition) == expected
    assert composition.refused == {}


@pytest.mark.parametrize(
    ("tree", "settings", "path", "line"),
    [
        (["apps/web/web.container", "proxy/p.container"], {}, "proxy/p.container", '"proxy"'),
        (["web/web.container", "proxy.network"], {"apps": ["*"]}, "proxy.network", '"."'),
        (
            ["s/web/web.container", "s/proxy.network"],
            {"apps": ["s/*"]},
            "s/proxy.network",
            'apps = ["s/*", "s"]',
        ),
        (
            ["web/.config/containers/systemd/web.container"],
            {},
            "web/.config/containers/systemd/web.container",
            '"*/.config/containers/systemd"',
        ),
        (
            ["m/pi/q/web/web.container", "m/vps/q/db/db.container"],
            {"apps": ["m/pi/q/*"]},
            "m/vps/q/db/db.container",
            'ignore = ["m/vps"]',
        ),
    ],
)
def test_what_is_in_no_app_is_said_with_the_line_that_takes_it_in(tree, settings, path, line):
    composition = composed(tree, **settings)
    (finding,) = told(composition, "home")
    assert not finding.fatal
    assert finding.path == path
    assert line in finding.hint
    assert [one.path for one in composition.left_out] == [path]


def test_the_line_that_is_said_takes_it_in_and_the_other_one_ends_the_warning():
    tree = ["apps/web/web.container", "proxy/p.container", "auth/x/a.container", "n.volume"]
    assert len(told(composed(tree), "home")) == 1
    line = told(composed(tree), "home")[0].hint
    assert 'apps = ["apps/*", ".", "auth", "proxy"]' in line
    assert not told(composed(tree, apps=["apps/*", ".", "auth", "proxy"]), "home")
    assert 'ignore = ["auth", "proxy"]' in line
    assert not told(composed(tree, ignore=["auth", "proxy"]), "home")


def test_what_is_advised_fits_nothing_of_an_app():
    tree = ["apps/web/web.container", "apps/inapps.container", "proxy/p.container", "archive/x"]
    (finding,) = told(composed(tree, apps=["apps/*", "proxy"], ignore=["archive"]), "home")
    assert 'apps = ["apps/*", "proxy", "apps"]' in finding.hint
    assert 'ignore = ["archive", "apps/inapps.container"]' in finding.hint
    tree = ["apps/proxy/proxy.container", "proxy/other.container"]
    (finding,) = told(composed(tree), "home")
    assert 'ignore = ["./proxy"]' in finding.hint, "`proxy` would fit apps/proxy as well"
    assert 'apps = ["apps/*", "proxy/other.container"]' in finding.hint, "the name is taken"
    tree = ["quadlets/web.container", "quadlets/backup.timer"]
    (finding,) = told(composed(tree, apps=["quadlets/*.container"]), "home")
    assert 'apps = ["quadlets/*.container", "quadlets/*.*"]' in finding.hint
    assert set(apps(composed(tree, apps=["quadlets/*.container", "quadlets/*.*"]))) == {
        "web",
        "backup",
    }


def test_what_another_source_of_the_same_repository_takes_is_not_overlooked():
    tree = ["hosts/pi/web/web.container", "shared/db/db.container", "old/x.container"]
    own, shared = composed(tree, apps=["hosts/pi/*"]), composed(tree, apps=["shared/*"])
    (finding,) = told(own, "own", [shared])
    assert finding.path == "old/x.container"


def test_what_falls_together_is_said_until_the_settings_name_the_apps():
    tree = ["services/web/web.container", "services/db/db.container"]
    (finding,) = composed(tree).findings
    assert 'apps = "services/*"' in finding.hint
    assert not composed(tree, apps=["services"]).findings


def test_a_flat_folder_of_many_units_is_said_to_be_one_app():
    tree = [f"quadlets/{number}.container" for number in range(9)]
    (finding,) = composed(tree).findings
    assert 'apps = "quadlets/*.*"' in finding.hint
    assert not composed(tree[1:]).findings
    (finding,) = composed(
        [*tree[3:], "quadlets/a.network", "quadlets/b.volume", "quadlets/c.image"]
    ).findings
    assert "has 6 units that run by themselves" in finding.message
    (finding,) = composed([*tree, "blog/blog.container"]).findings
    assert 'apps = ["blog", "quadlets/*.*"]' in finding.hint, "blog stays"


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"apps": ["*", "srv/*"]}, "“srv/*” in `apps` fits no folder that holds a unit", ""),
        ({"apps": ["*", "prxoy"]}, "“prxoy” in `apps` fits no folder", "did you mean “proxy”?"),
        ({"apps": ["*", "prxoy/*"]}, "“prxoy/*” in `apps` fits no folder", "“proxy/*”"),
        ({"apps": ["*", "proxy/*.timer"]}, "fits no unit file", ""),
        ({"select": ("hello", "busyy")}, "“busyy” in `select` fits no app", "“busy”"),
        ({"exclude": ("zork",)}, "“zork” in `exclude` fits no app", "take it out"),
    ],
)
def test_what_fits_nothing_is_said_with_what_was_meant(settings, message, hint):
    tree = [f"{name}/{name}.container" for name in ("hello", "busy", "proxy")] + ["docs/a.md"]
    (finding,) = told(composed(tree, **settings), "home")
    assert not finding.fatal
    assert message in finding.message
    assert hint in finding.hint


@pytest.mark.parametrize(
    ("glob", "hint"),
    [
        ("zork", "take it out"),
        ("dcos", "did you mean “docs”?"),
        ("./dcos/a.md", "did you mean “docs/a.md”?"),
        ("docs", None),
        ("*.old", None),
        ("hello/x/*", None),
        ("**/*.bak", None),
    ],
)
def test_only_who_checks_is_told_of_paths_that_are_ignored_and_not_there(glob, hint):
    tree = ["hello/hello.container", "docs/a.md"]
    assert not told(composed(tree, ignore=[glob]), "home")
    settings = SourceSettings(ignore=[glob])
    found = list(ignores_nothing(settings, source="home", paths=tree))
    assert [one.message for one in found] == [f"“{glob}” in `ignore` fits no file"] * bool(hint)
    assert all(hint in one.hint and not one.fatal for one in found)
    assert not list(ignores_nothing(settings, source="home", paths=[]))


def test_nothing_is_said_to_fit_nothing_where_nothing_is():
    assert not told(composed([], apps=["apps/*"], ignore=["x"], select=("a",)), "home")


def test_a_glob_that_fits_nothing_is_not_advised_again():
    first, _ = told(composed(["proxy/p.container"], apps=["prxoy"]), "home")
    assert "did you mean “proxy”?" in first.hint
    *_, last = told(composed(["proxy/p.container"], apps=["prxoy"]), "home")
    assert 'apps = ["proxy"] takes it in' in last.hint


def test_what_the_settings_leave_out_is_no_finding():
    tree = ["web/web.container", "old/web.container", "db/db.container"]
    composition = composed(tree, ignore=["old"], exclude=("db",))
    assert told(composition, "home") == ()
    assert {one.path: one.meant for one in composition.left_out} == {
        "old/web.container": True,
        "db/db.container": True,
    }


def test_a_typo_in_a_flat_folder_reaches_no_other_app():
    """What several units refer to is in no app of theirs."""
    tree = {f"{name}.container": f"{PROXIED}Volume=v.volume:/v\n" for name in "abc"}
    tree |= {"proxy.network": "[Network]\n", "v.volume": "[Volume]\nImage=v.image\n"}
    tree |= {"v.image": "[Image]\n"}
    assert set(apps(composed(tree, apps=["units"]))) == {"a", "b", "c", "proxy", "v", "v-volume"}


@pytest.mark.parametrize(
    ("tree", "left"),
    [
        # A Containerfile above a unit's own folder, without any .build
        (["a/a.container", "a/image/Containerfile", "a/image/etc/x.container"], True),
        (["a/a.container", "a/Dockerfile", "a/rootfs/etc/containers/systemd/x.container"], True),
        # beside it, or in the app's own folder
        (["a/a.container", "a/x/Containerfile", "a/x/x.container"], False),
        (["a/a.container", "a/Containerfile", "a/quadlet/x.container"], False),
    ],
)
def test_quadlets_of_an_image_are_not_installed(tree, left):
    composition = composed(tree)
    (app,) = composition.candidates
    assert (tree[-1] in {f"a/{file.path}" for file in app.files}) is not left
    assert bool(composition.warnings) is left


def test_a_folder_that_only_an_image_is_built_from_is_no_app():
    tree = ["web/web.container", "image/Containerfile", "image/etc/systemd/system/in.service"]
    composition = composed(tree)
    assert set(apps(composition)) == {"web"}
    assert told(composition, "home") == ()


def test_a_build_context_beside_a_build_that_is_named_by_its_file():
    tree = {
        "a/units/a.build": "[Build]\nFile=../image/Containerfile\n",
        "a/units/a.container": CONTAINER,
        "a/image/x.container": CONTAINER,
    }
    assert "a/image/x.container" not in apps(composed(tree))["a"]


def test_a_build_context_that_is_the_apps_own_folder_takes_nothing_from_it():
    tree = {"a/a.build": "[Build]\nSetWorkingDirectory=unit\n", "a/a.container": CONTAINER}
    assert apps(composed(tree)) == {"a": {"a/a.build", "a/a.container"}}


@pytest.mark.parametrize("suffix", ["j2", "hbs", "gotmpl", "tmpl"])
def test_templates_are_refused_by_what_they_are(suffix):
    composition = composed([f"apps/web/web.container.{suffix}", "apps/db/db.container"])
    assert set(apps(composition)) == {"db"}
    (finding,) = composition.refused["web"]
    assert "is a template" in finding.message
    assert finding.path == f"apps/web/web.container.{suffix}"


@pytest.mark.parametrize("name", ["my unit.container", "ünit.service"])
def test_a_unit_that_systemd_cannot_name_is_refused(name):
    composition = composed([f"a/{name}", "b/b.container"])
    assert set(apps(composition)) == {"b"}
    assert "systemd takes no unit of this name" in composition.refused["a"][0].message


def test_kinds_of_units_that_are_not_deployed_are_said():
    composition = composed(["a/a.container", "a/a.slice", "a/data.mount"])
    assert [one.path for one in composition.warnings["a"]] == ["a/a.slice", "a/data.mount"]


def test_files_of_several_units_are_said_wherever_they_are():
    """Podman's generator passes them over: only `podman quadlet install` divides them."""
    tree = ["a/a.container", "a/more.quadlets", "b/b.quadlets", "c.quadlets", ".x/x.quadlets"]
    composition = composed(tree)
    assert set(apps(composition)) == {"a"}
    found = [*composition.warnings["a"], *told(composition, "home")]
    assert [one.path for one in found] == ["a/more.quadlets", "b/b.quadlets", "c.quadlets"]
    for one in found:
        assert "holds several" in one.message
        assert "# FileName=" in one.hint
        assert not one.fatal
    ignored = composed(tree, ignore=["*.quadlets"])
    assert not ignored.warnings
    assert not told(ignored, "home")


def test_certificates_of_no_app_are_said():
    text = "[Certificate]\nDomain=a.org\n"
    tree = {
        "a/a.container": CONTAINER,
        "a/mine.certificate": text,
        "tls/lonely.certificate": text,
        "tls/misspelt.certificate": "Domain=a.org\n",
        "tls/foreign.certificate": "-----BEGIN CERTIFICATE-----\n",
        ".x/hidden.certificate": text,
    }
    composition = composed(tree)
    found = told(composition, "home")
    assert [one.path for one in found] == ["tls/lonely.certificate", "tls/misspelt.certificate"]
    for one in found:
        assert "nobody asks for this certificate" in one.message
        assert (one.hint, one.fatal) == (
            "put it into the folder of an app, which has a unit",
            False,
        )
    assert not told(composed(tree, ignore=["tls"]), "home")
