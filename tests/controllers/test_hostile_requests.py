"""Whatever is written to the control socket is answered, and is never a defect."""

import json
import tempfile
from contextlib import nullcontext
from pathlib import Path

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.api.control import Door, _Answers
from tests.controllers.conftest import World
from tests.examples import scaled
from tests.fakes.virtual_time import VIRTUAL_TIME

ROUTES = {
    "GET": ("/v1/status", "/v1/history", "/v1/images", "/v1/secrets", "/v1/events", "/v1/none"),
    "POST": (
        *(
            "/v1/plan",
            "/v1/diff",
            "/v1/sync",
            "/v1/suspend",
            "/v1/resume",
            "/v1/rollback",
            "/v1/scale",
        ),
        *("/v1/retry", "/v1/update", "/v1/pin", "/v1/unpin"),
        *("/v1/secrets/rotate", "/v1/webhook-test", "/v1/reload", "/v1/status"),
    ),
}
FIELDS = ("app", "apps", "unit", "after_id", "since", "limit", "seconds", "reason", "revision")
FIELDS += ("name", "source", "prune_all", "units", "words", "now", "dry_run", "replicas", "unknown")
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 1 << 63, -(1 << 63) - 1, 10**400, 1e308, -0.5, 1e-300]),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
WORDS = st.one_of(
    st.sampled_from(["", "web", "home", "NaN", "inf", "-inf", "\0", "../..", "x" * 5_000]),
    NUMBERS.map(str),
    st.text(max_size=20),
)
VALUES = st.recursive(
    st.one_of(WORDS, NUMBERS, st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
BODIES = st.one_of(
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3).map(json.dumps),
    st.dictionaries(st.sampled_from(("apps",)), st.lists(WORDS, max_size=2)).map(json.dumps),
    VALUES.map(json.dumps),
    st.sampled_from(
        ["[" * 30_000, '{"apps":' * 5_000, '{"seconds": NaN}', '{"reason": "\\ud800"}']
    ),
).map(str.encode) | st.binary(max_size=30)
QUERIES = st.dictionaries(st.sampled_from(FIELDS), WORDS, max_size=3)
REQUESTS = st.one_of(
    st.tuples(st.just("GET"), st.sampled_from(ROUTES["GET"]), QUERIES, st.just(b"")),
    st.tuples(st.just("POST"), st.sampled_from(ROUTES["POST"]), st.just({}), BODIES),
)


class Asked:
    """A request, and what was answered; as `kit.http.server.Request`."""

    def __init__(self, method, path, query, body):
        self.method, self.path, self.query, self.body = method, path, query, body
        self.status = 0
        self.written = b""
        self.peer_user = 0

    async def read(self, *, limit):
        if len(self.body) > limit:
            raise ValueError("it is too large")
        return self.body

    @property
    def is_answered(self):
        return bool(self.status)

    def while_connected(self):
        return nullcontext()

    async def reply(self, status, content, *, content_type, allow=""):
        assert not self.status
        self.status, self.written = status, content

    async def begin(self, *, content_type, link=""):
        self.status = 200

    async def write(self, content):
        self.written += content


async def answers(path, requests):
    world = World(path)
    world.reader.put("home", {"web/web.container": ""})
    try:
        async with world.running() as daemon:
            answer = _Answers(daemon.service, Door.COMMAND_LINE)
            for one in requests:
                with anyio.fail_after(10_000):
                    await answer(one)
    finally:
        world.close()


def ask(*requests):
    asked = [Asked(*one) for one in requests]
    _, options = VIRTUAL_TIME
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(answers, Path(folder, "ledger.db"), asked, backend_options=options)
    return asked


RELOAD = ("POST", "/v1/reload", {}, b"")
STOPPED_IN_A_PASS = [RELOAD, ("POST", "/v1/resume", {}, b"{}"), RELOAD]
"""The daemon ends after them, in the moment in which an app's part of a pass does."""


@settings(max_examples=scaled(15))
@example(STOPPED_IN_A_PASS)
@given(st.lists(REQUESTS, min_size=5, max_size=25))
def test_every_request_is_answered(requests):
    for one in ask(*requests):
        assert one.status in {200, 400, 404, 405, 503}, (one.path, one.query, one.body)
        for line in one.written.splitlines():
            json.loads(line)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/events", {"after_id": str(1 << 63)}),
        ("/v1/events", {"after_id": "-1"}),
        ("/v1/events", {"limit": "9" * 5_000}),
        ("/v1/events", {"limit": "1.5"}),
        ("/v1/events", {"since": "nan"}),
        ("/v1/events", {"since": "1e999"}),
        ("/v1/events", {"folow": "1"}),
        ("/v1/status", {"app": "a\0b"}),
    ],
)
def test_queries_that_mean_nothing_are_refused(path, query):
    (one,) = ask(("GET", path, query, b""))
    assert (one.status, b"cannot read the request" in one.written) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"seconds": 1e300}',
        b'{"seconds": -1}',
        b'{"seconds": NaN}',
        b'{"apps": "web"}',
        b'{"apps": [""]}',
        b'{"reason": "\\ud800"}',
        b"[" * 60_000,
        b"\xff",
        b"null",
    ],
)
def test_orders_that_mean_nothing_are_refused(body):
    (one,) = ask(("POST", "/v1/suspend", {}, body))
    assert (one.status, b"cannot read the request" in one.written) == (400, True)


@pytest.mark.parametrize("body", [b"null", b"[]", b"\xff", b"{", b"x" * 100_000, b'{"apps": 1}'])
def test_a_body_where_nothing_is_to_be_said_goes_unread(body):
    (one,) = ask(("POST", "/v1/reload", {}, body))
    assert one.status == 200
