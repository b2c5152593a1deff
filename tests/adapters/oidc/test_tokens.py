"""Real RS256 signatures, by an issuer on this machine."""

import hashlib
import subprocess
import sys

import anyio
import pytest

from supervisor.adapters.oidc import tokens
from supervisor.adapters.oidc.tokens import TokenVerifier
from supervisor.adapters.oidc.verify import is_genuine
from supervisor.model.errors import Retry
from tests.fakes.answers import answer_here
from tests.fakes.issuer import CONFIGURATION, KEYS, Issuer, encoded, jwk, new_key, token

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture
def issuer(key):
    made = Issuer([jwk(key)])
    yield made
    made.web.close()


async def genuine(verifier, issuer, text, name="k1"):
    return await verifier.is_genuine(text, issuer=issuer.url, key_name=name)


@pytest.fixture(autouse=True)
def verifies_here(request, monkeypatch):
    if "in_processes" not in request.fixturenames:
        answer_here(monkeypatch, tokens, is_genuine)


@pytest.fixture
def in_processes():
    """Signatures are verified as the daemon has it."""


@pytest.mark.usefixtures("in_processes")
async def test_what_the_issuer_signed_is_genuine_and_its_keys_are_asked_for_once(issuer, key):
    verifier = TokenVerifier()
    assert await genuine(verifier, issuer, token(key))
    assert await genuine(verifier, issuer, token(key, "other.claims"))
    assert len(issuer.asked) == 2


async def test_anything_else_is_not(issuer, key):
    verifier = TokenVerifier()
    other = new_key()
    good = token(key)
    signature = good.rpartition(".")[2]
    assert not await genuine(verifier, issuer, token(other))
    assert not await genuine(verifier, issuer, good.replace("claims", "claimz"))
    assert not await genuine(verifier, issuer, f"head.claims.{signature[:-8]}")
    assert not await genuine(verifier, issuer, f"head.claims.{signature[4:]}{signature[:4]}")
    assert not await genuine(verifier, issuer, "head.claims.")


@pytest.mark.usefixtures("in_processes")
async def test_what_is_made_up_starts_no_process(issuer, key, monkeypatch):
    verifier = TokenVerifier()
    assert await genuine(verifier, issuer, token(key))
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    for number in range(100):
        signature = encoded(hashlib.sha512(str(number).encode()).digest() * 4)
        assert not await genuine(verifier, issuer, f"head.claims.{signature}")
    with pytest.raises(Retry):
        await genuine(verifier, issuer, token(key, "of.another"))


async def test_who_has_a_known_key_does_not_wait_for_an_issuer_that_hangs(issuer, key):
    verifier = TokenVerifier()
    assert await genuine(verifier, issuer, token(key))
    verifier._asked_at.clear()
    issuer.web.hang()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            failures = []

            async def unknown():
                try:
                    await genuine(verifier, issuer, token(key), "made-up")
                except Retry as failure:
                    failures.append(failure)

            for _ in range(20):
                tasks.start_soon(unknown)
            await anyio.sleep(0.05)
            assert await genuine(verifier, issuer, token(key, "another.one"))
            assert not failures
            issuer.web.answers[KEYS] = b"<html>"
            issuer.web.answer()
    assert len(failures) == 20
    assert issuer.asked.count(KEYS) == 2, "and those who wait ask once"


async def test_a_key_that_is_not_known_is_asked_for_seldom(issuer, key):
    verifier = TokenVerifier()
    assert not await genuine(verifier, issuer, token(key), "another")
    asked = len(issuer.asked)
    for number in range(50):
        assert not await genuine(verifier, issuer, token(key), f"made-up-{number}")
    assert len(issuer.asked) == asked
    assert await genuine(verifier, issuer, token(key))


@pytest.mark.parametrize(
    "more", [{"kty": "EC"}, {"use": "enc"}, {"alg": "RS512"}, {"n": ""}, {"kid": ""}]
)
async def test_keys_for_something_else_are_left_out(issuer, key, more):
    issuer.publish([jwk(key, **more)])
    assert not await genuine(TokenVerifier(), issuer, token(key))


@pytest.mark.usefixtures("in_processes")
async def test_keys_that_are_too_short_verify_nothing(issuer):
    short = new_key(bits=1024)
    issuer.publish([jwk(short)])
    with pytest.raises(Retry, match="its key is unusable"):
        await genuine(TokenVerifier(), issuer, token(short))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CONFIGURATION, b"<html>"),
        (CONFIGURATION, b"{}"),
        (CONFIGURATION, b"[" * 100_000),
        (CONFIGURATION, b" " * (1 << 20)),
        (
            CONFIGURATION,
            b'{"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}',
        ),
        (KEYS, b'{"keys": {}}'),
        (KEYS, b'{"keys": [{"kid": 5}]}'),
    ],
)
async def test_an_issuer_that_answers_oddly_verifies_nothing_yet(issuer, key, path, body):
    verifier = TokenVerifier()
    issuer.web.answers[path] = body
    with pytest.raises(Retry, match="cannot verify a token"):
        await genuine(verifier, issuer, token(key))
    issuer.publish([jwk(key)])
    assert await genuine(verifier, issuer, token(key)), "and is asked again at once"


async def test_an_issuer_that_is_not_there(issuer, key):
    issuer.web.close()
    with pytest.raises(Retry, match="cannot verify a token"):
        await genuine(TokenVerifier(), issuer, token(key))


def test_the_daemon_does_not_load_the_library():
    code = "import sys, supervisor.daemon; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
