"""What registries and Podman say, read: challenges, waits, words, places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.registry.challenges import Challenge, challenges_of, chosen
from supervisor.adapters.registry.endpoints import Endpoint, places, whole_name
from supervisor.adapters.registry.memory import Memory
from supervisor.adapters.registry.refusals import wait_of, words_of
from supervisor.kit.http.pool import Reply
from supervisor.model.errors import Stalled
from supervisor.model.podman import Mirror, RegistryRule

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("Basic", (("basic", {}),)),
        ('Basic realm="a \\"b\\", c"', (("basic", {"realm": 'a "b", c'}),)),
        (
            'BEARER Realm="https://a/t",service=b,scope="repository:x:pull,push"',
            (
                (
                    "bearer",
                    {"realm": "https://a/t", "service": "b", "scope": "repository:x:pull,push"},
                ),
            ),
        ),
        (
            'Negotiate, Bearer realm = "r" , Basic realm="s"',
            (("negotiate", {}), ("bearer", {"realm": "r"}), ("basic", {"realm": "s"})),
        ),
        ('realm="nobody\'s"', ()),
        ('Bearer realm="unfinished', (("bearer", {"realm": ""}),)),
    ],
)
def test_challenges(header: str, expected: tuple[tuple[str, dict[str, str]], ...]) -> None:
    assert challenges_of(header) == tuple(Challenge(*one) for one in expected)


@given(st.text(st.sampled_from('Bearer ab=",\\ \t'), max_size=60))
def test_any_header_is_read_to_some_end(header: str) -> None:
    for challenge in challenges_of(header):
        assert challenge.scheme == challenge.scheme.lower()


def test_a_login_is_what_basic_needs() -> None:
    found = challenges_of('Basic realm="a", Bearer realm=""')
    assert chosen(found, has_login=False) is None
    assert chosen(found, has_login=True) == Challenge("basic", {"realm": "a"})


def reply(body: str = "", **headers: str) -> Reply:
    return Reply(
        status=429,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body.encode(),
        is_public=True,
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (reply(), 60),
        (reply(retry_after="5"), 5),
        (reply(retry_after="0"), 0),
        (reply(retry_after="-5"), 60),
        (reply(retry_after="soon"), 60),
        (reply(retry_after="9" * 12), 86_400),
        (reply(retry_after="Fri, 15 Jan 2027 08:01:40 GMT"), 100),
        (reply(retry_after="Fri, 15 Jan 2027 08:01:60 GMT"), 120),
        (reply(retry_after="Fri, 15 Jan 2027 07:00:00 GMT"), 0),
        (reply(retry_after="Fri, 15 Foo 2027 08:01:40 GMT"), 60),
        (
            # Its clock is another one.
            reply(
                date="Thu, 15 Jan 2026 08:00:00 GMT",
                retry_after="Thu, 15 Jan 2026 08:00:07 GMT",
            ),
            7,
        ),
        (reply(x_retry_after=str(int(NOW) + 30)), 30),
        (reply(ratelimit_reset="40"), 40),
        (reply(x_ratelimit_reset=str(int(NOW) + 50)), 50),
        (reply('{"errors":[{"message":"retry-after: 750.5ms, allowed: 44000/minute"}]}'), 0.7505),
        (reply("Retry-After: 2m"), 120),
        (reply(" " * (64 << 10) + "Retry-After: 2m"), 60),
        (reply(ratelimit_limit="100;w=21600"), 900),
        (reply(ratelimit_limit="100;w=60"), 60),
    ],
)
def test_when_to_come_again(said: Reply, expected: float) -> None:
    assert wait_of(said, now=NOW) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ""),
        (b"<html>", ""),
        (b"\xff", ""),
        (b"[" * 99_999, ""),
        (b'{"errors": [{"code": "A", "message": "one"}, {"code": "B"}]}', "one; B"),
        (b'{"errors": [{"message": 1, "code": {}}], "message": "not this"}', ""),
        (b'{"message": "this\\u001b[31m"}', "this\x1b[31m"),
        (b'{"details": "that"}', "that"),
        (b'{"errors": "x"}', ""),
    ],
)
def test_words_for_people(body: bytes, expected: str) -> None:
    assert words_of(body) == expected


RULES = (
    RegistryRule(prefix="a.example", location="b.example/cache"),
    RegistryRule(prefix="a.example/own", location="a.example/own", is_insecure=True),
    RegistryRule(prefix="*.wild.example", location="b.example:5000"),
    RegistryRule(prefix="bad.example", is_blocked=True),
    RegistryRule(
        prefix="docker.io",
        location="docker.io",
        mirrors=(
            Mirror(location="m1.example/hub", is_insecure=True),
            Mirror(location="m2.example", pulls="digest-only"),
            Mirror(location="m3.example", pulls="tag-only"),
        ),
    ),
    RegistryRule(
        prefix="d.example", mirrors=(Mirror(location="m.example"),), mirrors_are_for_digests=True
    ),
)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("c.example/web:1", ["c.example/web"]),
        ("a.example/web:1", ["b.example/cache/web"]),
        ("a.example/own/web:1", ["a.example/own/web!"]),
        ("a.example/owner/web:1", ["b.example/cache/owner/web"]),
        ("a.example:5000/web:1", ["a.example:5000/web"]),
        ("x.wild.example/y/web:1", ["b.example:5000/y/web"]),
        ("wild.example/web:1", ["wild.example/web"]),
        (
            "docker.io/nginx:1",
            [
                "m1.example/hub/library/nginx!",
                "m3.example/library/nginx",
                "docker.io/library/nginx",
            ],
        ),
        (
            f"docker.io/nginx@sha256:{'d' * 64}",
            [
                "m1.example/hub/library/nginx!",
                "m2.example/library/nginx",
                "docker.io/library/nginx",
            ],
        ),
        ("d.example/web:1", ["d.example/web"]),
        (f"d.example/web@sha256:{'d' * 64}", ["m.example/web", "d.example/web"]),
    ],
)
def test_places(image: str, expected: list[str]) -> None:
    found = places(whole_name(image), RULES)
    assert [one.name + "!" * one.is_insecure for one in found] == expected


def test_what_is_blocked_is_said() -> None:
    with pytest.raises(Stalled, match=r"bad\.example is blocked") as failure:
        places(whole_name("bad.example/web:1"), RULES)
    assert "containers-registries.conf" in failure.value.hint


def test_a_place_that_makes_no_name_is_refused() -> None:
    rule = RegistryRule(prefix="a.example", location="http://b.example")
    with pytest.raises(Stalled):
        places(whole_name("a.example/web:1"), (rule,))
    assert Endpoint(host="a", path="b").name == "a/b"


def test_lists_that_are_kept_have_a_size() -> None:
    memory = Memory()
    for number in range(60):
        memory.keep_tags(f"{number}", "etag", [f"{number * 7919 * one:x}" for one in range(3_000)])
    assert sum(len(one.packed) for one in memory._lists.values()) < 600_000
    kept = memory.tags("59")
    assert kept
    assert kept.tags[1] == f"{59 * 7919:x}"
    assert memory.tags("0") is None
    memory.keep_tags("59", "", [])
    assert memory.tags("59") is None
