"""When a pull request is opened, changed, closed, and left alone; which pages are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.core.githost.api import api_of
from supervisor.core.githost.pull_request_api import shown_url
from supervisor.core.githost.pull_request_steps import PullStep, next_step
from supervisor.model.git_url import GitUrl
from supervisor.model.pull_request import Proposal, ProposedPull, PullRequest, PullState

OLD, NEW = (Proposal(head="h", to="main", title=one, body="b") for one in ("old", "new"))


def last(told=OLD, state=PullState.OPEN):
    return ProposedPull(target="t", number=1, name="n", url="", state=state, told=told)


def seen(state, number=1):
    return PullRequest(number=number, url="", state=state, head="h", to="main")


@pytest.mark.parametrize(
    ("wanted", "before", "now", "step"),
    [
        (NEW, None, None, PullStep.OPEN),
        (None, None, None, PullStep.NOTHING),
        (NEW, None, seen(PullState.OPEN), PullStep.EDIT),
        (OLD, last(), seen(PullState.OPEN), PullStep.NOTHING),
        (NEW, last(), seen(PullState.OPEN), PullStep.EDIT),
        (OLD, last(), seen(PullState.OPEN, number=2), PullStep.EDIT),
        (None, last(), seen(PullState.OPEN), PullStep.CLOSE),
        (OLD, last(), seen(PullState.CLOSED), PullStep.NOTHING),
        (NEW, last(), seen(PullState.CLOSED), PullStep.OPEN),
        (OLD, last(), seen(PullState.MERGED), PullStep.NOTHING),
        (NEW, last(), seen(PullState.MERGED), PullStep.OPEN),
        (None, last(), seen(PullState.MERGED), PullStep.NOTHING),
        (OLD, last(), None, PullStep.NOTHING),
        (NEW, last(), None, PullStep.OPEN),
    ],
)
def test_what_is_done(wanted, before, now, step):
    assert next_step(wanted, before, now) is step


class Host:
    """A Git host, and what is remembered of it, with a pass after whatever happens."""

    def __init__(self):
        self.states = []
        """Of all, by number."""
        self.wanted = self.last = None
        self.opened = 0

    def happens(self, what):
        if isinstance(what, PullState):
            if self.last and self.states[-1] is not PullState.MERGED:
                self.states[-1] = what
        else:
            self.wanted = what and Proposal(head="h", to="main", title=what, body="b")
        self._pass()

    def _pass(self):
        one = None
        if self.last:
            one = seen(self.states[self.last.number - 1], self.last.number)
            self.last = replace(self.last, state=one.state)
        step = next_step(self.wanted, self.last, one)
        if step is PullStep.OPEN:
            self.opened += 1
            self.states.append(PullState.OPEN)
            self.last = replace(last(self.wanted), number=len(self.states))
        elif step is PullStep.EDIT:
            self.last = replace(last(self.wanted), number=one.number)
        elif step is PullStep.CLOSE:
            self.states[one.number - 1] = PullState.CLOSED
            self.last = None
        elif self.wanted is None:
            self.last = None


@given(st.lists(st.sampled_from(["a", "b", None, *PullState])))
def test_there_is_one_at_a_time_that_says_what_is_wanted(events):
    host = Host()
    for event in events:
        before, opened = host.last, host.opened
        host.happens(event)
        is_open = [state is PullState.OPEN for state in host.states]
        assert sum(is_open) <= 1
        assert not any(is_open[:-1])
        if any(is_open):
            assert host.wanted is not None
            assert host.last.told == host.wanted
        elif host.wanted:
            assert host.last.told == host.wanted, "a person was asked, and has answered"
        if before and before.told == host.wanted:
            assert host.opened == opened, "nobody is asked twice"


GITHUB = api_of("github", git=GitUrl("git@github.com:me/home.git"))
GITEA = api_of(
    "gitea", git=GitUrl("https://git.example/x/me/home"), url="http://localhost:3000/api/v1"
)


@pytest.mark.parametrize(
    ("api", "url", "is_shown"),
    [
        (GITHUB, "https://github.com/me/home/pull/5", True),
        (GITHUB, "https://evil.example/me/home/pull/5", False),
        (GITHUB, "https://github.com.evil.example/me/home/pull/5", False),
        (GITHUB, "https://github.com@evil.example/", False),
        (GITHUB, "https://evil.example@github.com/", False),
        (GITHUB, "javascript://github.com/%0aalert(1)", False),
        (GITHUB, "//github.com/me", False),
        (GITHUB, "https://github.com/\x1b]8;;", False),
        (GITHUB, "https://github.com/a b", True),
        (GITHUB, "https://github.com/\u202egnp", False),
        (GITHUB, "https://github.com/" + "x" * 500, False),
        (GITHUB, "https://[github.com/", False),
        (GITEA, "https://git.example/x/me/home/pulls/5", True),
        (GITEA, "http://localhost:3000/me/home/pulls/5", True),
        (GITEA, "https://other.example/me/home/pulls/5", False),
    ],
)
def test_only_pages_of_the_git_host_are_shown(api, url, is_shown):
    assert shown_url(api, url) == (url if is_shown else "")


@given(st.text())
def test_whatever_is_shown_is_plain(url):
    shown = shown_url(GITHUB, url)
    assert not shown or (shown.isprintable() and "github.com" in shown)
