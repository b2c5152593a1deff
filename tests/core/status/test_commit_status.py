"""What a Git host is told, and where its API is."""

import pytest

from supervisor.core.githost.api import api_of, plain
from supervisor.core.status.commit_status import hold_back, status_of
from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.errors import Finding
from supervisor.model.git_url import GitUrl
from supervisor.model.need import Need, NeedKind
from supervisor.model.status import AppState, AppStatus, SourceStatus

SOURCE = SourceStatus(name="home", location="x", revision="r2")
READY, CHANGING, REFUSED = AppState.READY, AppState.CHANGING, AppState.REFUSED


def apps(**states):
    return [
        AppStatus(
            name=name,
            source="home",
            state=state,
            findings=(
                (Finding(message="there is no key Bogus", path=f"apps/{name}/a.container", line=3),)
                if state is REFUSED
                else ()
            ),
        )
        for name, state in states.items()
    ]


def told(states, *, busy=False, said=None):
    status = status_of(SOURCE, apps(**states), busy=busy, said=said)
    return status and (status.state.value, status.description)


def said(state, revision="r2"):
    return CommitStatus(revision=revision, state=CommitState(state), description="before")


@pytest.mark.parametrize(
    ("states", "busy", "expected"),
    [
        ({"a": READY, "b": READY}, False, ("success", "2 apps ready")),
        ({"a": READY}, True, ("pending", "1 app")),
        ({"a": READY, "b": CHANGING}, False, ("pending", "2 apps, b is changing")),
        ({"a": REFUSED, "b": CHANGING}, False, ("pending", "2 apps, b is changing")),
        (
            {"a": READY, "b": REFUSED, "c": REFUSED},
            False,
            (
                "failure",
                "b is refused: apps/b/a.container:3: there is no key Bogus (and 1 more)",
            ),
        ),
        ({"a": AppState.FAILING}, False, ("failure", "a is failing")),
        ({"a": AppState.KEPT}, False, ("failure", "a is kept")),
        ({"a": AppState.REVERTED}, False, ("failure", "a is reverted")),
        ({"a": READY, "b": AppState.HELD}, False, ("pending", "2 apps, b is held")),
        ({"a": AppState.SUSPENDED}, False, ("pending", "1 app, a is suspended")),
        ({"a": AppState.SUSPENDED, "b": AppState.FAILING}, False, ("failure", "b is failing")),
        ({}, False, ("success", "0 apps ready")),
    ],
)
def test_a_new_revision(states, busy, expected):
    assert told(states, busy=busy) == expected
    assert told(states, busy=busy, said=said("success", "r1")) == expected


@pytest.mark.parametrize("where", ["findings", "waiting"])
def test_what_programs_wrote_is_not_for_whoever_reads_the_repository(where):
    said, wrote = "web.service is unhealthy", "no such user: root:hunter2"
    texts = {
        "findings": (Finding(message=f"{said}: {wrote}", hint="push a newer one"),),
        "waiting": (Need(kind=NeedKind.UNIT, subject="web.service", text=said, detail=wrote),),
    }
    app = AppStatus(name="web", source="home", state=AppState.REVERTED, **{where: texts[where]})
    status = status_of(SOURCE, [app], busy=False, said=None)
    assert status.description == "web is reverted: web.service is unhealthy"


@pytest.mark.parametrize("before", ["success", "failure", "pending"])
@pytest.mark.parametrize(
    ("states", "busy"),
    [({"a": CHANGING}, False), ({"a": READY}, True), ({"a": AppState.SUSPENDED}, False)],
)
def test_a_repair_of_what_was_told_is_no_news(before, states, busy):
    assert told(states, busy=busy, said=said(before)) is None


def test_a_source_that_was_never_read_has_nothing_to_tell():
    empty = SourceStatus(name="home", location="x")
    assert status_of(empty, [], busy=False, said=None) is None


@pytest.mark.parametrize(
    ("before", "at", "seconds"),
    [
        (None, 0, 0),
        (said("pending"), 1000, 0),
        (said("success", "r1"), 1000, 0),
        (said("success"), 1000, 300),
        (said("failure"), 900, 200),
        (said("failure"), 10, 0),
        (said("failure"), 999_999, 300),
    ],
)
def test_a_change_of_mind_waits(before, at, seconds):
    assert hold_back(said("failure"), before, at, 1000) == seconds


@pytest.mark.parametrize(
    ("kind", "git", "url", "base", "repository"),
    [
        ("github", "https://github.com/me/home.git", "", "https://api.github.com", "me/home"),
        ("github", "git@github.com:me/home.git", "", "https://api.github.com", "me/home"),
        ("github", "ssh://git@github.com/me/home", "", "https://api.github.com", "me/home"),
        ("github", "https://ghe.example/me/home", "", "https://ghe.example/api/v3", "me/home"),
        ("gitea", "https://u:p@g.example:30/me/home", "", "https://g.example:30/api/v1", "me/home"),
        ("gitea", "ssh://git@g.example:2222/me/home", "", "https://g.example/api/v1", "me/home"),
        ("forgejo", "https://g.example/git/me/home", "https://g.example/git/api/v1/",
         "https://g.example/git/api/v1", "me/home"),
        ("gitlab", "git@gl.example:a/b/c.git", "", "https://gl.example/api/v4", "a/b/c"),
        ("gitea", "file:///srv/me/home.git", "http://localhost:3000/api/v1",
         "http://localhost:3000/api/v1", "me/home"),
    ],
)  # fmt: skip
def test_where_the_api_is(kind, git, url, base, repository):
    api = api_of(kind, git=GitUrl(git), url=url)
    assert (api.base, api.repository) == (base, repository)


@pytest.mark.parametrize(
    ("git", "url"),
    [
        ("https://github.com/home", ""),
        ("file:///srv/me/home.git", ""),
        ("https://github.com/me/home", "ftp://x"),
        ("https://github.com/me/home", "api"),
    ],
)
def test_where_the_api_cannot_be_known(git, url):
    assert api_of("github", git=GitUrl(git), url=url) is None


def test_a_text_becomes_one_short_line():
    assert plain(" a\n\x1b[31m b ", 10) == "a [31m b"
    assert plain("x" * 20, 10) == "x" * 9 + "…"
