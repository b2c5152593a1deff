"""The `Tokens` port; the real adapter with an issuer of our own."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from supervisor.adapters.oidc import tokens as adapter
from supervisor.adapters.oidc.tokens import TokenVerifier
from supervisor.controllers.ports import Tokens
from supervisor.model.errors import Retry
from tests.fakes.issuer import CONFIGURATION, Issuer, jwk, new_key, token
from tests.fakes.ports import FakeTokens

pytestmark = pytest.mark.anyio
KEY, OTHER = new_key(), new_key()


class FakeSide:
    def __init__(self) -> None:
        self.tokens = FakeTokens()
        self.issuer = "https://token.example"
        self.good, self.forged = "good.token", "forged.token"
        self.tokens.genuine.add(self.good)

    def is_gone(self) -> None:
        self.tokens.failure = Retry("cannot verify a token: no route to host")

    hangs = answers_oddly = is_gone

    def is_back(self) -> None:
        self.tokens.failure = None

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self) -> None:
        self.tokens = TokenVerifier()
        self.served = Issuer([jwk(KEY)])
        self.issuer = self.served.url
        self.good, self.forged = token(KEY), token(OTHER)

    def is_gone(self) -> None:
        self.served.web.close()

    def hangs(self) -> None:
        self.served.web.hang()

    def answers_oddly(self) -> None:
        self.served.web.answers[CONFIGURATION] = b"<html>"

    def is_back(self) -> None:
        self.served.web.answer()
        self.served.publish([jwk(KEY)])

    def close(self) -> None:
        self.served.web.close()


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any) -> Iterator[FakeSide | RealSide]:
    made = request.param()
    yield made
    made.close()


async def is_genuine(side: FakeSide | RealSide, text: str) -> bool:
    tokens: Tokens = side.tokens
    with anyio.fail_after(60):
        return await tokens.is_genuine(text, issuer=side.issuer, key_name="k1")


async def test_what_the_issuer_signed_is_genuine_and_nothing_else(
    side: FakeSide | RealSide,
) -> None:
    assert await is_genuine(side, side.good)
    for text in (side.forged, "", ".", "a.b.c", f"{side.good}x"):
        assert not await is_genuine(side, text)
    assert await is_genuine(side, side.good)


async def test_who_is_gone_is_asked_again(side: FakeSide | RealSide) -> None:
    side.is_gone()
    with pytest.raises(Retry, match="cannot verify a token"):
        await is_genuine(side, side.good)


@pytest.mark.parametrize("trouble", ["hangs", "answers_oddly"])
async def test_what_cannot_be_found_out_yet_can_be_later(
    side: FakeSide | RealSide, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    getattr(side, trouble)()
    with monkeypatch.context() as patched:
        if trouble == "hangs":
            patched.setattr(adapter, "_ASK_SECONDS", 0.1)
        with pytest.raises(Retry, match="cannot verify a token"):
            await is_genuine(side, side.good)
    side.is_back()
    assert await is_genuine(side, side.good)
