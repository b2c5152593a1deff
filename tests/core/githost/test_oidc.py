import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.githost import oidc
from supervisor.core.githost.payloads import concern
from supervisor.model.git_url import GitUrl
from supervisor.model.settings import SourceSettings

ISSUER = "https://token.actions.githubusercontent.com"
NOW = 1_700_000_000.0
SETTINGS = SourceSettings(
    git=GitUrl("https://github.com/me/home"),
    webhook="github-actions",
    webhook_repository="me/home",
    webhook_audience="podvisor-home",
)
CLAIMS = {
    "jti": "example-id",
    "sub": "repo:me/home:ref:refs/heads/main",
    "aud": "podvisor-home",
    "ref": "refs/heads/main",
    "sha": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "repository": "me/home",
    "repository_owner": "me",
    "event_name": "push",
    "iss": ISSUER,
    "nbf": NOW - 600,
    "exp": NOW + 300,
    "iat": NOW,
}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(header=None, **claims):
    head = {"typ": "JWT", "alg": "RS256", "kid": "key-1"} | (header or {})
    return f"{part(head)}.{part(CLAIMS | claims)}.{part('signature')}"


def fault(text, *, settings=SETTINGS, times=(NOW,)):
    return oidc.fault(oidc.parse(text).claims, settings, issuer=ISSUER, times=times)


@pytest.mark.parametrize("claim", ["exp", "nbf"])
@pytest.mark.parametrize("moment", ["NaN", "Infinity", "-Infinity", "1e999", "true", '"1"', "null"])
def test_moments_that_are_none_make_no_token(claim, moment):
    claims = json.dumps(CLAIMS | {claim: "MOMENT"}).replace('"MOMENT"', moment)
    body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    head, _, signature = token().split(".")
    with pytest.raises(ValueError, match="that is no token"):
        oidc.parse(f"{head}.{body}.{signature}")


def test_a_token_for_this_source():
    parsed = oidc.parse(token())
    assert parsed.key_name == "key-1"
    assert fault(token()) == ""
    assert fault(token(aud=["x", "podvisor-home"])) == ""
    message = oidc.message(parsed.claims)
    assert concern(message, SETTINGS) == ""
    assert message.changes[0].revision == CLAIMS["sha"]


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"aud": "https://github.com/me"}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"repository": "you/home"}, "another repository"),
        ({"repository": "me/home2"}, "another repository"),
        ({"repository": "x/me/home"}, "another repository"),
        ({"repository": ""}, "another repository"),
        ({"exp": NOW - 61}, "expired"),
        ({"nbf": NOW + 61}, "expired"),
        ({"exp": 0}, "expired"),
    ],
)
def test_a_token_for_something_else(claims, said):
    assert said in fault(token(**claims))


def test_a_clock_that_is_wrong_does_not_make_it_deaf_where_the_other_is_right():
    assert fault(token(), times=(0.0, NOW)) == ""
    assert "expired" in fault(token(), times=(0.0, NOW * 2))


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": "rs256"}, {"kid": ""}, {"kid": "x" * 200}]
)
def test_only_rs256_with_a_named_key(header):
    with pytest.raises(ValueError, match="the token"):
        oidc.parse(token(header))


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "..", "a.b.c", "é.é.é", token() + ".x", token()[:-1] + "!", "x" * 9_000,
     f"{part([])}.{part({})}.", f"{part({'alg': 'RS256', 'kid': 1})}.{part({})}.",
     f"{part({'alg': 'RS256', 'kid': 'a'})}.{part({'exp': 10**400})}.",
     f"{part({'alg': 'RS256', 'kid': 'a'})}.{part({'aud': 5})}."],
)  # fmt: skip
def test_what_is_no_token(text):
    with pytest.raises(ValueError, match="token"):
        oidc.parse(text)


@given(st.text())
def test_any_text_is_a_token_or_none(text):
    try:
        oidc.parse(text)
    except ValueError:
        pass
    else:
        raise AssertionError


def test_another_branch_is_of_no_concern():
    claims = oidc.parse(token(ref="refs/pull/3/merge", event_name="pull_request")).claims
    assert "refs/pull/3/merge" in concern(oidc.message(claims), SETTINGS)
    nothing = oidc.message(msgspec.structs.replace(claims, ref=""))
    assert "no push" in concern(nothing, SETTINGS)
