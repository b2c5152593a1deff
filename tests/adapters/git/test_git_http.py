"""Git over HTTP, with git's own server program behind a small server."""

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from supervisor.adapters.git.reader import GitSources
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.settings import LimitSettings, SourceSettings

pytestmark = pytest.mark.anyio
SECRET = "p@ss:w%rd"
ALLOWED = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


PATH = os.environ["PATH"]
QUESTION = "POST /open/repo.git/git-upload-pack"

ODD = {
    "page": (200, "text/html", b"<html>Pay for your hotel's network</html>"),
    "empty": (200, None, b""),
    "digits": (200, None, b"zzzz"),
    "cut": (200, None, b"003d" + b"a" * 40 + b" HEAD"),
    "endless": (200, None, b"0009abcde" * 100_000),
    "short": (200, None, b"0003" * 100_000),
    "other": (200, None, b"003d" + b"a" * 40 + b" refs/heads/other\n0000"),
    "moved": (301, None, b""),
    "hidden": (404, None, b""),
    "down": (503, None, b""),
}
"""Answers to the question that is asked without git."""


class Handler(BaseHTTPRequestHandler):
    """`/open/…` is for all, `/closed/…` wants a password, `/broken/…` answers 500.

    `/old/…` knows version 0 of the protocol only; those of `ODD` are odd to all but git itself.
    """

    root = ""
    requests: list[str]

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.serve()

    def do_POST(self):
        self.serve()

    def serve(self):
        path, _, query = self.path.partition("?")
        kind, _, rest = path[1:].partition("/")
        self.requests.append(f"{self.command} {self.path}")
        if kind == "broken":
            self.send_error(500)
            return
        if kind == "closed" and self.headers.get("Authorization") != ALLOWED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind in ODD and "podvisor" in self.headers["User-Agent"]:
            status, content_type, answer = ODD[kind]
            self.send_response(status)
            self.send_header("Content-Type", content_type or self.headers["Accept"])
            self.send_header("Location", "/open/repo.git")
            self.end_headers()
            self.wfile.write(answer)
            return
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            check=False,
            capture_output=True,
            env={
                "PATH": PATH,
                "GIT_PROJECT_ROOT": self.root,
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if kind != "old" else "",
                "PATH_INFO": f"/{rest}",
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    work = tmp_path / "work"
    for command in (
        ["git", "init", "-q", "-b", "main", str(work)],
        ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q",
         "--allow-empty", "-m", "Begin"],
        ["git", "clone", "-q", "--bare", str(work), str(folder / "repo.git")],
    ):  # fmt: skip
        subprocess.run(command, check=True, env=env)
    handler = type("Here", (Handler,), {"root": str(folder), "requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("GIT_SSL_", "GIT_HTTP_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return GitSources(
        folder=tmp_path / "state",
        limits=LimitSettings(fetch_timeout=Seconds(60)),
        read_secret=read_secret,
    )


async def read_secret(reference):
    if reference != "file:~/token":
        raise Stalled(f"cannot read {reference}")
    return SECRET.encode()


def url(server, path, user=""):
    return SourceSettings(
        git=GitUrl(f"http://{user}127.0.0.1:{server.server_port}/{path}/repo.git")
    )


def commit(tmp_path, subject):
    repository = tmp_path / "www" / "repo.git"
    env = {"PATH": PATH, "HOME": str(tmp_path)}
    for name in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{name}_NAME": "a", f"GIT_{name}_EMAIL": "a@b"}
    git = ["git", "-C", str(repository)]
    oid = subprocess.run(
        [*git, "commit-tree", "-m", subject, "-p", "main", "main^{tree}"],
        check=True, env=env, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run([*git, "update-ref", "refs/heads/main", oid], check=True, env=env)


def asked(server):
    """What the server was asked since the last time."""
    requests = list(server.RequestHandlerClass.requests)
    server.RequestHandlerClass.requests.clear()
    return requests


@pytest.mark.parametrize("ref", ["", "main", "refs/heads/main"])
async def test_a_poll_that_finds_nothing_starts_no_process(
    sources, server, tmp_path, monkeypatch, ref
):
    settings = msgspec.structs.replace(url(server, "open"), ref=ref)
    first = await sources.fetch("s", settings)
    assert first.subject == "Begin"
    assert await sources.fetch("s", settings) is first
    asked(server)
    store = tmp_path / "state" / "s.git"
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    with monkeypatch.context() as without:
        without.setenv("PATH", "/nonexistent")
        for _ in range(3):
            assert await sources.fetch("s", settings) is first
    assert asked(server) == [QUESTION] * 3
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    commit(tmp_path, "Go on")
    assert (await sources.fetch("s", settings)).subject == "Go on"
    assert asked(server)[0] == QUESTION
    assert (await sources.fetch("s", settings)).subject == "Go on"
    assert asked(server) == [QUESTION]


async def test_another_branch_of_nearly_that_name_is_another_branch(sources, server, tmp_path):
    settings = msgspec.structs.replace(url(server, "open"), ref="main")
    await sources.fetch("s", settings)
    commit(tmp_path, "Go on")
    refs = tmp_path / "www" / "repo.git" / "refs" / "heads"
    (refs / "main-new").write_text((refs / "main").read_text())
    assert (await sources.fetch("s", settings)).subject == "Go on"
    commit(tmp_path, "Go further")
    assert (await sources.fetch("s", settings)).subject == "Go further"


@pytest.mark.parametrize("kind", ["old", *ODD])
async def test_a_server_that_answers_oddly_is_left_to_git(sources, server, tmp_path, kind):
    settings = url(server, kind)
    first = await sources.fetch("s", settings)
    assert await sources.fetch("s", settings) is first
    question = QUESTION.replace("open", kind)
    assert question in asked(server)
    commit(tmp_path, "Go on")
    assert (await sources.fetch("s", settings)).subject == "Go on"
    assert asked(server)[0] != question, "it is not asked again"


@pytest.mark.parametrize(
    "config",
    [
        "[http]\nproxy =",
        '[http "http://127.0.0.1/"]\nsslVerify = true',
        '[url "https://example.org/"]\ninsteadOf = else:',
    ],
)
async def test_where_git_is_configured_for_http_it_does_the_asking(
    sources, server, tmp_path, monkeypatch, config
):
    (tmp_path / "config").write_text(config)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    first = await sources.fetch("s", url(server, "open"))
    asked(server)
    assert await sources.fetch("s", url(server, "open")) is first
    assert asked(server) == ["GET /open/repo.git/info/refs?service=git-upload-pack", QUESTION]


async def test_behind_a_proxy_git_does_the_asking(sources, server, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    first = await sources.fetch("s", url(server, "open"))
    asked(server)
    assert await sources.fetch("s", url(server, "open")) is first
    assert asked(server)[0].startswith("GET ")


async def test_a_password_in_the_url_opens_the_door(sources, server):
    settings = url(server, "closed", "me:p%40ss%3Aw%25rd@")
    first = await sources.fetch("s", settings)
    assert first.subject
    asked(server)
    assert await sources.fetch("s", settings) is first
    assert asked(server) == [QUESTION.replace("open", "closed")]


@pytest.mark.parametrize(("user", "in_url"), [("me", ""), ("", "me@"), ("me", "other@")])
async def test_a_password_that_the_settings_refer_to_opens_the_door(
    sources, server, tmp_path, user, in_url
):
    settings = msgspec.structs.replace(
        url(server, "closed", in_url), user=user, password=SecretRef("file:~/token")
    )
    first = await sources.fetch("s", settings)
    assert first.subject
    asked(server)
    assert await sources.fetch("s", settings) is first
    assert asked(server) == [QUESTION.replace("open", "closed")]
    stored = b"".join(one.read_bytes() for one in (tmp_path / "state").rglob("*") if one.is_file())
    assert SECRET.encode() not in stored
    assert ALLOWED.split()[1].encode() not in stored
    lost = msgspec.structs.replace(settings, password=SecretRef("file:~/lost"))
    with pytest.raises(Stalled, match="cannot read file:~/lost"):
        await sources.fetch("s", lost)
    stranger = msgspec.structs.replace(settings, user="stranger")
    with pytest.raises(Stalled, match="refused the user and password") as caught:
        await sources.fetch("s", stranger)
    assert SECRET not in str(caught.value)


async def test_netrc_opens_the_door(sources, server, tmp_path):
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    settings = url(server, "closed")
    first = await sources.fetch("s", settings)
    assert first.subject
    asked(server)
    assert await sources.fetch("s", settings) is first
    assert asked(server) == [QUESTION.replace("open", "closed")]


async def test_a_credential_helper_opens_the_door(sources, server, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text(
        f"[credential]\nhelper = \"!f() {{ echo username=me; echo 'password={SECRET}'; }}; f\"\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    settings = url(server, "closed")
    first = await sources.fetch("s", settings)
    assert first.subject
    assert await sources.fetch("s", settings) is first
    question = QUESTION.replace("open", "closed")
    assert question in asked(server)
    assert await sources.fetch("s", settings) is first
    assert asked(server)[0] != question, "a door that is closed is not knocked at again"


@pytest.mark.parametrize("user", ["", "me@", "me:wrong-secret@"])
async def test_without_the_right_password_it_stalls(sources, server, user):
    with pytest.raises(Stalled) as caught:
        await sources.fetch("s", url(server, "closed", user))
    assert "wrong-secret" not in str(caught.value)
    assert "netrc" in caught.value.hint
    given = "the server refused the user and password that were given"
    assert (given in str(caught.value)) == (":" in user)


async def test_what_is_not_there_stalls_and_what_is_broken_is_tried_again(sources, server):
    port = server.server_port
    with pytest.raises(Stalled, match="not found") as caught:
        await sources.fetch(
            "s", SourceSettings(git=GitUrl(f"http://127.0.0.1:{port}/open/none.git"))
        )
    assert "check the URL" in caught.value.hint
    with pytest.raises(Retry, match="500"):
        await sources.fetch("s", url(server, "broken"))
