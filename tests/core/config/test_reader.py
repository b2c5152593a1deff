import textwrap

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.config.reader import read_settings
from supervisor.model.git_url import GitUrl, without_credentials
from supervisor.model.setting_types import Globs
from supervisor.model.settings import RepairSettings, Settings, SourceSettings


def findings(text: str) -> list[str]:
    return [str(finding) for finding in read_settings(textwrap.dedent(text)).findings]


def only_finding(text: str) -> str:
    (finding,) = findings(text)
    return finding


def test_an_empty_file_is_the_defaults() -> None:
    reading = read_settings("# nothing\n")
    assert reading.settings == Settings()
    assert reading.findings == ()


def test_reads_everything() -> None:
    reading = read_settings(
        """
        [sources.web]
        git = "ssh://git@example.org/apps.git"
        ref = "main"
        poll = "1h30m"
        apps = "apps/*"
        select = ["web", "db-*"]
        exclude = ["old"]
        [sources.local]
        folder = "~/apps"
        [limits]
        file_size = "1M"
        app_files = 10
        [repair]
        resync = "0s"
        """
    )
    assert reading.findings == ()
    assert reading.settings is not None
    assert reading.settings.sources == {
        "web": SourceSettings(
            git=GitUrl("ssh://git@example.org/apps.git"),
            ref="main",
            poll=5400,
            apps=Globs(["apps/*"]),
            select=("web", "db-*"),
            exclude=("old",),
        ),
        "local": SourceSettings(folder="~/apps"),
    }
    assert reading.settings.limits.file_size == 1 << 20
    assert reading.settings.limits.app_files == 10
    assert reading.settings.repair == RepairSettings(resync=0)


def test_says_all_that_is_wrong_at_once_in_the_order_of_the_file() -> None:
    assert findings(
        """\
        [sources.web]
        gti = "https://example.org/apps.git"
        poll = "often"

        [sources.Local]
        folder = "apps"
        select = "web"

        [limit]
        [ledger]
        keep_age = 90
        """
    ) == [
        "config.toml:2: there is no setting “gti” in [sources.web] (did you mean “git”?)",
        (
            "config.toml:3: cannot read “poll”: “often” is not a duration; "
            "write it as 90s, 5m, 1h30m or 7d"
        ),
        (
            "config.toml:5: cannot call a source “Local” "
            "(names are of a-z 0-9 . _ -, begin with a letter or digit, and are 63 long at most)"
        ),
        "config.toml:6: the folder “apps” is relative (write it from the root, or ~/apps)",
        'config.toml:7: “select” must be a list of texts (such as select = ["web", "db-*"])',
        "config.toml:9: there is no section [limit] (did you mean [limits]?)",
        'config.toml:11: “keep_age” must be a duration, in quotes (such as keep_age = "1h30m")',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sources.a]\ngit = x", "config.toml:2: cannot read this as TOML: Invalid value"),
        ("[sources.a", "config.toml:1: cannot read this as TOML"),
        ("[limits]\n[limits]", "twice (it stands twice in the file: leave out one of them)"),
        ("[limits]\napp_files = 1\napp_files = 2", "config.toml:3: cannot read this as TOML"),
        ("[limits]\napp_files = 1\napp_files = 2", "leave out one of them"),
        ("a = {b = 1, b = 2}", "leave out one of them"),
        ("a = " + "9" * 5_000, "cannot read this as TOML"),
        ("a = " + "[" * 5_000, "cannot read this as TOML"),
        ("poll = '5m'", "config.toml:1: “poll” stands outside its section (put it below [sources."),
        ("speed = 1", "config.toml:1: there is no setting “speed” outside of a section"),
        ("sources = 1", "“sources” is not a section (write [sources.NAME])"),
        ("[[sources]]", "“sources” is not a section (write [sources.NAME])"),
        ("limits = 1", "“limits” is not a section (write [limits] on a line of its own)"),
        ("[blog]\ngit='https://a/b'", "there is no section [blog] (write [sources.blog])"),
        ("[sources]\n\ngit = 'https://a/b'", "config.toml:3: “git” stands outside a source"),
        ("[limits]\nfile_size = '1X'", "cannot read “file_size”: “1X” is not a size; write it as"),
        ("[limits]\nfile_size = 1", "“file_size” must be a size, in quotes"),
        ("[limits]\napp_files = '1'", "“app_files” must be a whole number"),
        ("[limits]\napp_files = true", "“app_files” must be a whole number"),
        ("[limits]\napp_files = 0", "“app_files” must be more than 0"),
        ("[repair]\nstart_timeout = '0s'", "“start_timeout” must be more than 0"),
        ("[repair]\nresync = '300'", "“300” has no unit; write it as 300s, for seconds"),
        ('[repair]\n"a\\nb" = 1', "there is no setting “a\\nb” in [repair]"),
    ],
)
def test_says_what_is_wrong_with_the_file(text: str, said: str) -> None:
    assert said in only_finding(text)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "config.toml:1: source “a” has neither “git” nor “oci” nor “folder”"),
        ("git='https://a/b'\nfolder='/b'", ":3: source “a” has both “git” and “folder”"),
        ("oci='a.b/c:1'\nfolder='/b'", ":3: source “a” has both “oci” and “folder”"),
        ("oci = 'apps:main'", "“apps:main” names no artifact in a registry (write HOST/NAME:TAG"),
        ("oci = 'localhost/apps'", "“localhost/apps” names no artifact in a registry"),
        ("oci = 'oci://a.b/c:1'", "“oci://a.b/c:1” names no artifact in a registry"),
        ('oci = "a.b/c:1\\u001b"', "“a.b/c:1\\x1b” names no artifact in a registry"),
        ("oci = 'a.b/c:1'\nssh_key = '/k'", ":3: “ssh_key” does nothing for an artifact"),
        ("oci = 'a.b/c:1'\nwriteback = true", "“writeback” does nothing for an artifact"),
        (
            "oci = 'a.b/c:1'\nverify = 'ssh'\nallowed_signers = '/s'",
            ":3: an artifact is not signed by ssh (write cosign, and",
        ),
        (
            "git = 'a@b:c/d'\nverify = 'cosign'\nallowed_signers = '/s'",
            ":3: a Git repository is not signed by cosign (write ssh or gpg)",
        ),
        ("folder = './b'", "the folder “./b” is relative (write it from the root, or ~/b)"),
        ('folder = "/a\\u0000"', "cannot use “/a\\x00” as a folder"),
        ("git = 'ftp://a/b'", "cannot fetch “ftp://a/b”: ftp:// is not supported"),
        ("git = 'ext::sh -c id'", "“ext::sh -c id” is not the URL of a Git repository"),
        ("git = '--upload-pack=id'", "cannot use “--upload-pack=id”"),
        ("git = '/srv/a'", "“/srv/a” is a path, not a URL (write file:///srv/a, or use “folder”)"),
        ("git = 'file://srv/a'", "“file://srv/a” is not absolute"),
        ("git = 'https://a'", "“https://a” names no repository"),
        ("git = 'https://[a/b'", "cannot read the URL of the Git repository: Invalid IPv6 URL"),
        ("git = 'https://a:x/b'", "cannot read the URL of the Git repository: Port could not"),
        (
            "git = 'https://a/b/c'\nstatus='gitea'\nstatus_token='file:/t'\nstatus_url='https://['",
            ":5: cannot tell from “status_url” where the API is",
        ),
        ("git = 'https://[a/b'\nstatus = 'gitea'\nstatus_token = 'file:/t'", "cannot read the URL"),
        ("git = 'file:///a b'", "cannot use “file:///a b” as the URL of a Git repository"),
        ("git = 'apps'", "“apps” is not the URL of a Git repository"),
        ("git = 5", '“git” must be a text, in quotes (such as git = "https://example.org'),
        ("git = 'https://a/b'\nref = '-x'", "cannot follow “-x” (a branch, a tag or a commit)"),
        (
            "git = 'https://a/b'\napps = '../x'",
            "“apps” cannot be “../x”: it must stay within the source",
        ),
        (
            "git = 'https://a/b'\noverlay = '../x'",
            "cannot use “../x” as an overlay: it is a folder",
        ),
        ("folder = '/b'\noverlay = '%x'", ":3: cannot use “%x” as an overlay: there is no %x"),
        ("folder = '/b'\nssh_key = '/k'", ":3: “ssh_key” does nothing for a folder"),
        ("folder = '/b'\nallowed_signers = '/k'", "“allowed_signers” does nothing for a folder"),
        ("git = 'https://a/b'\nssh_key = '/k'", "“ssh_key” is for ssh:// (over https, name"),
        ("git = 'https://a/b'\nuser = 'me'", "“user” needs “password” (say where it is"),
        ("git = 'https://a/b'\npassword = 's3cret'", "write file:/PATH, credential:NAME or"),
        ("git = 'a@b:c/d'\npassword = 'file:/p'", "“password” is for https:// (over ssh, name"),
        (
            "git = 'https://a:b@c/d'\npassword = 'file:/p'",
            ":3: there is a password in “git”, too (take it out of “git”)",
        ),
        ("git = 'a@b:c/d'\nssh_key = 'deploy'", ":3: “ssh_key” names no file"),
        ("git = 'a@b:c/d'\nssh_key = '/k\"'", ":3: “ssh_key” names no file"),
        ("git = 'a@b:c/d'\nknown_hosts = 'example.org'", "holds no lines of that kind"),
        ("git = 'a@b:c/d'\nknown_hosts = '~/$x'", "“known_hosts” names no file"),
        ("git = 'a@b:c/d'\nverify = 'pgp'", "cannot verify by “pgp” (ssh or gpg; cosign for"),
        ("folder = '/b'\nwriteback = true", "“writeback” does nothing for a folder"),
        ("git = 'a@b:c/d'\nwriteback_key = '/k'", "“writeback_key” needs “writeback”"),
        (
            f"git = 'a@b:c/d'\nwriteback = true\nref = '{'a' * 40}'",
            "“ref” names no branch to write back to",
        ),
        (
            "git = 'a@b:c/d'\nwriteback = true\nverify = 'ssh'\nallowed_signers = '/s'",
            "“writeback” beside “verify” needs “writeback_key”",
        ),
        (
            "git = 'a@b:c/d'\nwriteback = true\nwriteback_author = 'me'",
            "“me” is no author",
        ),
        (
            "git = 'a@b:c/d'\nwriteback = true\nwriteback_branch = '-x'",
            "“-x” cannot be a branch of podvisor's own",
        ),
        ("git = 'a@b:c/d'\nverify = 'ssh'", "“verify” needs “allowed_signers”"),
        ("git = 'a@b:c/d'\nallowed_signers = '/s'", "“allowed_signers” needs “verify”"),
        (
            "git = 'a@b:c/d'\nverify = 'ssh'\nallowed_signers = 'signers'",
            ":4: “allowed_signers” names no file of this machine",
        ),
        ("git = 'a@b:c/d'\nstatus = 'github'", "“status” needs “status_token”"),
        ("git = 'a@b:c/d'\nstatus_url = 'https://x'", "“status_url” needs “status”"),
        ("git = 'a@b:c/d'\nstatus = 'x'", ":3: cannot tell a Git host “x” (there are github"),
        (
            "git = 'file:///d.git'\nstatus = 'gitea'\nstatus_token = 'file:/t'",
            ":3: cannot tell from “git” where the API is",
        ),
    ],
)
def test_says_what_is_wrong_with_a_source(source: str, said: str) -> None:
    reading = read_settings(f"[sources.a]\n{source}\n")
    assert reading.settings is None
    (finding,) = [one for one in reading.findings if one.fatal]
    assert said in str(finding)
    assert "s3cret" not in str(finding)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/apps.git",
        "http://localhost:8080/git/apps.git",
        "ssh://git@example.org:2222/apps.git",
        "git@example.org:me/apps.git",
        "file:///srv/apps.git",
    ],
)
def test_takes_the_usual_urls(url: str) -> None:
    reading = read_settings(f"[sources.a]\ngit = '{url}'")
    assert reading.findings == ()
    assert reading.settings is not None


@pytest.mark.parametrize(
    "oci",
    [
        "registry.example.org/me/apps:main",
        "localhost:5000/apps",
        "docker.io/me/apps:v1",
        f"ghcr.io/me/apps@sha256:{'0' * 64}",
    ],
)
def test_takes_artifacts_of_registries(oci: str) -> None:
    more = "verify = 'cosign'\nallowed_signers = '~/cosign.pub'\npoll = '15m'"
    reading = read_settings(f"[sources.a]\noci = '{oci}'\n{more}")
    assert reading.findings == ()
    assert reading.settings is not None
    assert reading.settings.sources["a"].shown == oci


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "git = 'https://me:s3cret@example.org/b'",
            "“https://me:***@example.org/b” holds a password",
        ),
        ("git = 'http://example.org/b'", "“http://example.org/b” is not encrypted"),
        ("folder = '/b'\npoll = '5m'", ":3: “poll” does nothing for a folder"),
        ("git = 'https://a/b'\npoll = '1s'", ":3: asking every 1s is very often"),
        ("oci = 'a.b/c:1'\npoll = '1s'", ":3: asking every 1s is very often"),
        ("oci = 'a.b/c:1'\nref = 'main'", ":3: “ref” does nothing for an artifact (its tag"),
        (
            "git = 'a@b:c/d'\nstatus = 'gitea'\nstatus_token = 'file:/t'\nstatus_url='http://b/x'",
            ":5: “http://b/x” is not encrypted",
        ),
    ],
)
def test_warns_of_what_works_but_is_unwise(source: str, said: str) -> None:
    reading = read_settings(f"[sources.a]\n{source}\n")
    assert reading.settings is not None
    (finding,) = reading.findings
    assert not finding.fatal
    assert said in str(finding)
    assert "s3cret" not in str(finding)


@pytest.mark.parametrize(
    "source",
    [
        "git='https://a/b'\nuser='me'\npassword='credential:token'\noverlay='hosts/%H'",
        "git='ssh://git@a/b'\nssh_key='~/.ssh/deploy'\nknown_hosts='~/.ssh/known'",
        "git='a@b:c/d'\nssh_key='credential:key'\nknown_hosts='a ssh-ed25519 AAAA'",
        "git='a@b:c/d'\nverify='gpg'\nallowed_signers='/etc/signers.asc'",
        "git='a@b:c/d'\nstatus='gitlab'\nstatus_token='podman:token'",
        "git='a@b:c/d'\nwriteback_pull_request=true",
        "git='file:///a/b'\nstatus='gitea'\nstatus_token='file:/t'\nstatus_url='https://b/api/v1'",
    ],
)
def test_takes_what_says_how_a_source_is_reached_verified_and_told_of(source: str) -> None:
    reading = read_settings(f"[sources.a]\n{source}\n")
    assert reading.findings == ()
    assert reading.settings is not None


@pytest.mark.parametrize("text", ["[x]", "[x"], ids=["meaning", "syntax"])
def test_names_the_file_as_it_is_told_to(text: str) -> None:
    reading = read_settings(text, path="/home/pi/config.toml")
    (finding,) = reading.findings
    assert (finding.path, reading.path, reading.text) == (*["/home/pi/config.toml"] * 2, text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@h:1/p?q", "https://me:***@h:1/p?q"),
        ("https://me@h/p", "https://me@h/p"),
        ("https://glpat-0123456789abcdefghij@h/p", "https://***@h/p"),
        ("git@h:p", "git@h:p"),
        ("https://[", "https://["),
    ],
)
def test_hides_passwords(url: str, shown: str) -> None:
    assert GitUrl(url).shown == without_credentials(url) == shown


WORDS = st.sampled_from(
    ["sources", "sources.a", "limits", "git", "folder", "poll", "app_files", "select", "é", "a b"]
)
VALUES = st.one_of(
    st.text(max_size=20), st.integers(), st.booleans(), st.floats(), st.lists(st.text(max_size=3))
)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    reading = read_settings(text)
    assert reading.settings is not None or any(finding.fatal for finding in reading.findings)


@given(st.dictionaries(WORDS, st.one_of(VALUES, st.dictionaries(WORDS, VALUES)), max_size=5))
def test_any_document_is_read_or_refused(document: dict[str, object]) -> None:
    lines = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines.append(f"[{name if name != 'a b' else 'sources.c'}]")
            lines += [
                f"{msgspec.json.encode(key).decode()} = {msgspec.json.encode(item).decode()}"
                for key, item in value.items()
            ]
        else:
            encoded = msgspec.json.encode(value).decode()
            lines.insert(0, f"{msgspec.json.encode(name).decode()} = {encoded}")
    reading = read_settings("\n".join(lines))
    assert reading.settings is not None or any(finding.fatal for finding in reading.findings)


def test_idle_intervals_by_app() -> None:
    settings = read_settings(
        '[health]\nidle_interval_by_app = { web = "10m", db = "0s" }\n'
    ).settings
    assert settings
    assert settings.health.idle_interval_by_app == {"web": 600.0, "db": 0.0}


@pytest.mark.parametrize("value", ['"5m"', "{ web = 5 }", '{ web = "5" }', '{ web = "-5m" }'])
def test_idle_intervals_by_app_that_mean_nothing(value: str) -> None:
    reading = read_settings(f"[health]\nidle_interval_by_app = {value}\n")
    (finding,) = reading.findings
    assert reading.settings is None
    assert finding.line == 2
    assert "“idle_interval_by_app” must be a table of durations" in finding.message
    assert finding.hint == 'such as idle_interval_by_app = { web = "10m" }'


def test_images_by_app_and_by_name() -> None:
    settings = read_settings(
        '[images]\nupdate = "notify"\n[images.by_app.web]\ncooldown = "3d"\n'
        '[images.by_image."quay.io/*"]\nupdate = "off"\n'
    ).settings
    assert settings
    assert settings.images.update == "notify"
    assert settings.images.by_app["web"].cooldown == 3 * 86_400
    assert settings.images.by_image["quay.io/*"].update == "off"


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            '[images]\nupdate = "sometimes"',
            "“update” must be one of auto, download, notify, off",
            'such as update = "notify"',
        ),
        (
            "[images.by_app.web]\ncoldown = 3",
            "there is no setting “coldown” in [images.by_app.web]",
            "did you mean “cooldown”?",
        ),
        (
            "[images.by_app]\nweb = 3",
            "“images.by_app.web” is not a section",
            "write [images.by_app.web] on a line of its own",
        ),
        (
            '[images]\nwindow = "Sat 02:00"',
            "“Sat 02:00” is no window: 02:00 is a moment",
            "write until when: 02:00..05:00",
        ),
        ("[images.by_app.web]\nkeep = 0", "“keep” must be more than 0", ""),
    ],
)
def test_images_that_mean_nothing(lines: str, message: str, hint: str) -> None:
    reading = read_settings(lines)
    (finding,) = reading.findings
    assert reading.settings is None
    assert (finding.message, finding.line, finding.hint) == (message, 2, hint)
