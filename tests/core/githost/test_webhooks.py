"""Signatures and payloads of every Git host, whole, damaged and forged."""

import json
import random
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.githost import payloads
from supervisor.core.githost.host import Unreadable
from supervisor.core.githost.hosts import gitlab
from supervisor.core.githost.hosts.registry import HOSTS
from supervisor.core.githost.payloads import concern, repository_path, sample
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import SourceSettings
from supervisor.model.webhook import Change, Delivery
from tests.fakes import webhooks as sent

MUTATIONS_OF_EACH = 60


def host_of(name):
    return HOSTS[name.removesuffix("-signed")]


def secret_of(name):
    return sent.SIGNING_TOKEN if name == "gitlab-signed" else sent.SECRET


def fault(name, headers, body, *, secret=None, now=sent.NOW):
    return host_of(name).signature.fault(
        Delivery(headers=headers, body=body),
        secret=secret or secret_of(name),
        times=[now],
    )


def read(name, payload, **more):
    body = payload if isinstance(payload, bytes) else sent.as_json(payload)
    headers = sent.headers(name, body, **more)
    return payloads.read(host_of(name).payload, Delivery(headers=headers, body=body))


def source(git="https://git.example.org/me/home.git", ref=""):
    return SourceSettings(git=GitUrl(git), ref=ref)


# Signatures


@pytest.mark.parametrize("name", sent.PUSHES)
def test_what_a_git_host_signed_is_taken(name):
    body = sent.as_json(sent.PUSHES[name])
    headers = sent.headers(name, body)
    assert fault(name, headers, body) == ""
    assert fault(name, headers, body, secret=b"another") != ""


@pytest.mark.parametrize("name", sent.PUSHES)
def test_without_its_header_it_is_refused_and_the_header_is_named(name):
    body = sent.as_json(sent.PUSHES[name])
    assert fault(name, {"content-type": "application/json"}, body).startswith("it has no ")


@pytest.mark.parametrize("name", sent.PUSHES)
@pytest.mark.parametrize("other", sent.PUSHES)
def test_a_signature_of_another_kind_is_none(name, other):
    body = sent.as_json(sent.PUSHES[name])
    secret = None if other == "gitlab-signed" else secret_of(name)
    accepted = fault(name, sent.headers(other, body, secret=secret), body) == ""
    # Forgejo and Gitea send GitHub's header, too.
    assert accepted == (name == other or {name, other} <= {"github", "gitea", "forgejo"})


def test_the_documented_example_of_github():
    # docs.github.com, “Validating webhook deliveries”: secret, payload and signature.
    good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": good}
    assert fault("github", headers, b"Hello, World!") == ""
    assert fault("github", {"x-hub-signature-256": good.upper()}, b"Hello, World!") == ""
    assert fault("github", headers, b"Hello, World?") == "its x-hub-signature-256 is wrong"


def test_the_documented_example_of_standard_webhooks():
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    assert fault("gitlab", headers, body, secret=secret, now=1614265330.0) == ""


def test_one_of_several_signatures_is_enough():
    body = sent.as_json(sent.GITLAB_PUSH)
    headers = sent.headers("gitlab-signed", body)
    good = headers["webhook-signature"]
    assert fault("gitlab-signed", headers | {"webhook-signature": f"v1,AAAA {good}"}, body) == ""
    assert fault("gitlab-signed", headers | {"webhook-signature": f"v1a{good[2:]}"}, body) != ""


@pytest.mark.parametrize("off", [-86_400, -301, 301, 86_400])
def test_a_recording_is_refused_where_its_time_is_signed(off):
    body = sent.as_json(sent.GITLAB_PUSH)
    headers = sent.headers("gitlab-signed", body)
    assert "too far from this machine's time" in fault(
        "gitlab-signed", headers, body, now=sent.NOW + off
    )
    fresh = {**headers, "webhook-timestamp": str(int(sent.NOW + off))}
    assert (
        fault("gitlab-signed", fresh, body, now=sent.NOW + off) == "its webhook-signature is wrong"
    )


@pytest.mark.parametrize("stamp", ["", "-1", "1e9", "²", "1_700_000_000", "9" * 400, "nan", " 1"])
def test_odd_times_are_refused(stamp):
    body = b"{}"
    key = gitlab.key_of(sent.SIGNING_TOKEN)
    good = gitlab.standard(key, "d", stamp.encode("latin-1").decode("latin-1"), body)
    headers = {"webhook-id": "d", "webhook-timestamp": stamp, "webhook-signature": f"v1,{good}"}
    assert fault("gitlab-signed", headers, body) == "its webhook-timestamp is no time"


def test_with_a_signing_token_the_token_alone_is_not_enough():
    body = sent.as_json(sent.GITLAB_PUSH)
    headers = {"x-gitlab-token": sent.SIGNING_TOKEN.decode()}
    assert "webhook-signature" in fault("gitlab-signed", headers, body)


@pytest.mark.parametrize("secret", [b"whsec_", b"whsec_%%%%", b"whsec_a"])
def test_a_signing_token_that_is_none_is_said(secret):
    headers = sent.headers("gitlab-signed", b"{}")
    assert "no signing token" in fault("gitlab", headers, b"{}", secret=secret)


@pytest.mark.parametrize("name", sent.PUSHES)
def test_podvisors_own_test_is_signed_as_the_git_host_does(name):
    settings = source(ref="main")
    headers, body = sample(host_of(name).payload, settings, delivery="podvisor-test-1")
    secret = secret_of(name)
    proof = host_of(name).signature.sign(
        body, secret=secret, delivery="podvisor-test-1", time=sent.NOW
    )
    delivery = Delivery(headers=headers | proof, body=body)
    assert fault(name, delivery.headers, body) == ""
    message = payloads.read(host_of(name).payload, delivery)
    assert concern(message, settings) == ""
    assert message.delivery == "podvisor-test-1"


# A corpus of forgeries: nothing that was changed in any way is taken


def mutations(name):
    """Deterministic changes of a signed delivery, in its body or in its signature."""
    body = sent.as_json(sent.PUSHES[name])
    headers = sent.headers(name, body)
    chance = random.Random(name)  # noqa: S311  # the same at every run
    proof = next(key for key in PROOFS if key in headers)
    for number in range(MUTATIONS_OF_EACH):
        changed_body, changed = bytearray(body), dict(headers)
        at = chance.randrange(len(body))
        value = headers[proof]
        match number % 12:
            case 0:
                changed_body[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed_body[at]
            case 2:
                changed_body.insert(at, chance.randrange(256))
            case 3:
                changed_body = changed_body[:at]
            case 4:
                changed_body += bytes([chance.randrange(256)])
            case 5:
                changed_body = bytearray(json.dumps(json.loads(body), indent=1).encode())
            case 6:
                changed[proof] = value[: chance.randrange(len(value))]
            case 7:
                place = chance.randrange(len(value))
                other = chance.choice(
                    [c for c in "0123456789abcdefXYZ" if c != value[place].lower()]
                )
                changed[proof] = value[:place] + other + value[place + 1 :]
            case 8:
                changed[proof] = chance.choice(["", " ", "sha256=", "v1,", "\xff", "0" * 64])
            case 9:
                changed[proof] = f"{value},{value}"
            case 10:
                changed[proof] = value.replace("sha256", "sha1").replace("v1", "v2") + " "
            case 11:
                del changed[proof]
        yield number, changed, bytes(changed_body)


PROOFS = (
    "x-forgejo-signature",
    "x-gitea-signature",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-gitlab-token",
    "webhook-signature",
    "x-signature",
)
SIGNED = [name for name in sent.PUSHES if name != "gitlab"]
CORPUS = [(name, *one) for name in SIGNED for one in mutations(name)]


def test_the_corpus_is_large_and_without_repeats():
    assert len(CORPUS) >= 200
    assert len({(name, str(sorted(h.items())), b) for name, _, h, b in CORPUS}) > 250


@pytest.mark.parametrize(("name", "number", "headers", "body"), CORPUS, ids=lambda v: "")
def test_no_forgery_is_taken(name, number, headers, body):
    if name in {"forgejo", "gitea"} and number % 12 == 11:
        # Another of their signatures is still there, and good.
        headers = {key: value for key, value in headers.items() if key not in PROOFS}
    assert fault(name, headers, body) != ""


@given(value=st.text(max_size=80), body=st.binary(max_size=80))
def test_nothing_that_is_made_up_is_taken(value, body):
    value = value.encode("utf-8", "replace").decode("latin-1")
    for name in sent.PUSHES:
        assert fault(name, dict.fromkeys(PROOFS, value), body) != ""
        more = {"webhook-id": value, "webhook-timestamp": value}
        assert fault(name, dict.fromkeys(PROOFS, value) | more, body) != ""


# Payloads


@pytest.mark.parametrize("name", sent.PUSHES)
def test_a_push_is_understood(name):
    message = read(name, sent.PUSHES[name])
    assert message.changes == (Change("refs/heads/main", sent.AFTER),)
    assert concern(message, source()) == ""
    assert concern(message, source(ref="main")) == ""
    assert "not of other" in concern(message, source(ref="other"))
    if name != "generic":
        assert "me/home, not of this" in concern(message, source("https://git.example.org/x/y"))


def test_a_push_to_bitbuckets_own_server_is_understood():
    message = read("bitbucket", sent.BITBUCKET_SERVER_PUSH, event="repo:refs_changed")
    assert message.changes == (Change("refs/heads/main", sent.AFTER),)
    assert message.repositories == ("ME/home",)


def test_a_tag_is_followed_where_the_settings_say_so():
    message = read("gitlab", sent.GITLAB_TAG)
    assert concern(message, source(ref="v1")) == ""
    assert concern(message, source()) == "it is of refs/tags/v1, not of main"


def test_a_branch_that_is_deleted_is_looked_at():
    change = {"new": None, "old": {"type": "branch", "name": "main"}, "closed": True}
    message = read("bitbucket", {**sent.BITBUCKET_PUSH, "push": {"changes": [change]}})
    assert concern(message, source(ref="main")) == ""


def test_one_of_many_branches_in_a_push_is_enough():
    many = [{"new": {"type": "branch", "name": name}} for name in ("a", "b", "main")]
    message = read("bitbucket", {**sent.BITBUCKET_PUSH, "push": {"changes": many}})
    assert concern(message, source(ref="main")) == ""


@pytest.mark.parametrize(
    ("name", "event", "payload"),
    [
        ("github", "ping", sent.GITHUB_PING),
        ("bitbucket", "diagnostics:ping", {"test": True}),
        ("generic", "ping", {}),
    ],
)
def test_pings(name, event, payload):
    assert read(name, payload, event=event).is_ping


@pytest.mark.parametrize(
    ("name", "event", "payload"),
    [
        ("github", "issues", {"action": "opened"}),
        ("forgejo", "create", {"ref": "v1", "ref_type": "tag"}),
        ("gitlab", "Pipeline Hook", {"object_kind": "pipeline"}),
        ("bitbucket", "pullrequest:created", {}),
    ],
)
def test_other_events_are_of_no_concern(name, event, payload):
    message = read(name, payload, event=event)
    assert "it is no push but" in concern(message, source())


def test_a_form_is_unwrapped():
    body = urlencode({"payload": json.dumps(sent.GITHUB_PUSH)}).encode()
    headers = sent.headers("github", body) | {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8"
    }
    message = payloads.read(HOSTS["github"].payload, Delivery(headers=headers, body=body))
    assert message.changes == (Change("refs/heads/main", sent.AFTER),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"ref": 1}',
        b'{"ref": "refs/heads/main"',
        b"\xff\xfe",
        b'{"repository": {"full_name": ["a"]}, "ref": "x"}',
        b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"}",
        b'{"push": {"changes": [' + b"{}," * 100_000 + b"{}]}}",
        b'{"ref": "a", "ref": ' + b"9" * 300_000 + b"}",
    ],
    ids=lambda body: f"{len(body)} bytes",
)
@pytest.mark.parametrize("name", sent.PUSHES)
def test_what_makes_no_sense_is_said_to_be_so(name, body):
    try:
        message = read(name, body)
    except Unreadable as error:
        why = str(error)
    else:
        why = concern(message, source())
    assert 0 < len(why) < 200


def test_many_fields_of_a_form_are_refused():
    body = b"&".join(b"a=1" for _ in range(50_000))
    headers = {"content-type": "application/x-www-form-urlencoded", "x-github-event": "push"}
    with pytest.raises(Unreadable):
        payloads.read(HOSTS["github"].payload, Delivery(headers=headers, body=body))


KEYS = st.sampled_from(
    ["ref", "after", "repository", "full_name", "project", "object_kind", "push", "changes", "new"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(payload=JSON, event=st.sampled_from(["push", "repo:push", "ping", "repo:refs_changed", "x"]))
def test_any_json_is_understood_or_refused(payload, event):
    for name in sent.PUSHES:
        try:
            message = read(name, payload, event=event)
        except Unreadable:
            continue
        assert isinstance(concern(message, source()), str)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/me/home.git",
        "https://github.com/Me/Home",
        "https://user:pw@github.com/me/home/",
        "ssh://git@github.com:2222/me/home.git",
        "git@github.com:me/home.git",
        "alias:me/home",
        "me/home",
    ],
)
def test_one_repository_by_many_names(url):
    assert repository_path(url) == "me/home"


def test_what_a_payload_says_is_shown_in_one_line():
    payload = {**sent.GITHUB_PUSH, "ref": "refs/heads/\x1b[31m\n" + "x" * 500}
    why = concern(read("github", payload, delivery="a\nb" * 100), source(ref="main"))
    assert why.isprintable()
    assert len(why) < 200


def test_messages_hold_no_body():
    body = b'{"ref": "topsecret" "x"}'
    with pytest.raises(Unreadable) as caught:
        read("github", body)
    assert "topsecret" not in str(caught.value)


def test_large_bodies_are_read_without_making_objects_of_them():
    import tracemalloc

    commits = [{**sent._COMMIT, "id": str(number)} for number in range(3_000)]
    body = sent.as_json({**sent.GITHUB_PUSH, "commits": commits})
    delivery = Delivery(headers=sent.headers("github", body), body=body)
    tracemalloc.start()
    payloads.read(HOSTS["github"].payload, delivery)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
