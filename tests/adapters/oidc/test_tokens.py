"""Real RS256 signatures, by an issuer on this machine."""

import base64
import hashlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from supervisor.adapters.oidc.tokens import TokenVerifier
from supervisor.model.errors import Retry

pytestmark = pytest.mark.anyio


def encoded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key, name="k1", **more):
    numbers = key.public_key().public_numbers()
    n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
    return {
        "kid": name,
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "x5t": "x",
        "x5c": ["x"],
        "n": encoded(n),
        "e": "AQAB",
        **more,
    }


def token(key, text="head.claims"):
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


class Issuer:
    """Serves its configuration and its keys."""

    def __init__(self, keys):
        self.keys = keys
        self.asked = []
        self.odd = {}
        self.hangs = threading.Event()
        self.hangs.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked.append(self.path)
                issuer.hangs.wait(20)
                body = issuer.odd.get(self.path)
                if body is None and self.path.endswith("openid-configuration"):
                    place = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                    body = json.dumps(place).encode()
                elif body is None:
                    body = json.dumps({"keys": issuer.keys}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/_services/token"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def issuer(key):
    made = Issuer([jwk(key)])
    yield made
    made.server.shutdown()
    made.server.server_close()


async def genuine(verifier, issuer, text, name="k1"):
    return await verifier.is_genuine(text, issuer=issuer.url, key_name=name)


async def test_what_the_issuer_signed_is_genuine_and_its_keys_are_asked_for_once(issuer, key):
    verifier = TokenVerifier()
    assert await genuine(verifier, issuer, token(key))
    assert await genuine(verifier, issuer, token(key, "other.claims"))
    assert len(issuer.asked) == 2


async def test_anything_else_is_not(issuer, key):
    verifier = TokenVerifier()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = token(key)
    signature = good.rpartition(".")[2]
    assert not await genuine(verifier, issuer, token(other))
    assert not await genuine(verifier, issuer, good.replace("claims", "claimz"))
    assert not await genuine(verifier, issuer, f"head.claims.{signature[:-8]}")
    assert not await genuine(verifier, issuer, f"head.claims.{signature[4:]}{signature[:4]}")
    assert not await genuine(verifier, issuer, "head.claims.")


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
    issuer.hangs.clear()
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
            issuer.odd["/_services/token/keys"] = b"<html>"
            issuer.hangs.set()
    assert len(failures) == 20
    assert issuer.asked.count("/_services/token/keys") == 2, "and those who wait ask once"


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
    issuer.keys = [jwk(key, **more)]
    assert not await genuine(TokenVerifier(), issuer, token(key))


async def test_keys_that_are_too_short_verify_nothing(issuer):
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # that is the point
    issuer.keys = [jwk(short)]
    with pytest.raises(Retry, match="its key is unusable"):
        await genuine(TokenVerifier(), issuer, token(short))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_services/token/.well-known/openid-configuration", b"<html>"),
        ("/_services/token/.well-known/openid-configuration", b"{}"),
        ("/_services/token/.well-known/openid-configuration", b"[" * 100_000),
        ("/_services/token/.well-known/openid-configuration", b" " * (1 << 20)),
        (
            "/_services/token/.well-known/openid-configuration",
            b'{"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}',
        ),
        ("/_services/token/keys", b'{"keys": {}}'),
        ("/_services/token/keys", b'{"keys": [{"kid": 5}]}'),
    ],
)
async def test_an_issuer_that_answers_oddly_verifies_nothing_yet(issuer, key, path, body):
    verifier = TokenVerifier()
    issuer.odd[path] = body
    with pytest.raises(Retry, match="cannot verify a token"):
        await genuine(verifier, issuer, token(key))
    issuer.odd.clear()
    assert await genuine(verifier, issuer, token(key)), "and is asked again at once"


async def test_an_issuer_that_is_not_there(issuer, key):
    issuer.server.shutdown()
    issuer.server.server_close()
    with pytest.raises(Retry, match="cannot verify a token"):
        await genuine(TokenVerifier(), issuer, token(key))


def test_the_daemon_does_not_load_the_library():
    code = "import sys, supervisor.daemon; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
