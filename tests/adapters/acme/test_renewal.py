"""When an issuer would have a certificate renewed: read strictly."""

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.acme.issuer import AcmeCertificates
from supervisor.adapters.acme.renewal import read
from supervisor.model.acme import AcmeIssuer
from supervisor.model.certificate import CertificateFacts
from supervisor.model.errors import Retry
from tests.fakes.web import Web
from tests.kit.http.test_pool import Server, serving

pytestmark = pytest.mark.anyio
START, END = "2026-12-01T00:00:00Z", "2026-12-01T02:00:00+01:00"


def answer(start: object = START, end: object = END, **more: object) -> bytes:
    return json.dumps({"suggestedWindow": {"start": start, "end": end}} | more).encode()


def facts(ari_id: str = "aki.serial") -> CertificateFacts:
    return CertificateFacts(
        serial="1", fingerprint="f", not_before=0, not_after=1, names=(), ari_id=ari_id
    )


def test_a_window_is_read_with_its_zones() -> None:
    found = read(answer(explanationURL="https://ca.example/why"), retry_after="", now=0)
    assert (found.start, found.end) == (1_796_083_200.0, 1_796_086_800.0)
    assert found.explanation == "https://ca.example/why"
    assert found.ask_again_seconds == 21_600.0


def test_null_is_no_explanation() -> None:
    assert read(answer(explanationURL=None), retry_after="", now=0).explanation == ""


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7200", 7_200.0),
        ("1", 60.0),
        ("999999999999", 86_400.0),
        ("-5", 21_600.0),
        ("soon", 21_600.0),
        ("Thu, 01 Jan 1970 01:00:00 GMT", 3_600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 60.0),
    ],
)
def test_when_to_ask_again_is_bounded(retry_after: str, seconds: float) -> None:
    assert read(answer(), retry_after=retry_after, now=0).ask_again_seconds == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        answer(start="2026-12-01T00:00:00"),  # in whose time?
        answer(start=1_796_083_200),
        answer(start="tomorrow"),
        answer(start=END, end=START),
        answer(end=START),
    ],
)
def test_what_is_no_window_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(body, retry_after="", now=0)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x/\n", "https://x/" + "a" * 600])
def test_an_explanation_is_a_url(url: str) -> None:
    assert read(answer(explanationURL=url), retry_after="", now=0).explanation == ""


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def issuer(web: Web) -> AcmeIssuer:
    web.answers["/directory"] = json.dumps({"renewalInfo": f"{web.url}/ari"}).encode()
    return AcmeIssuer(name="fake", directory=f"{web.url}/directory")


@pytest.fixture
def issuers(tmp_path: Path) -> AcmeCertificates:
    return AcmeCertificates(accounts=tmp_path)


async def test_the_directory_is_read_once(
    web: Web, issuer: AcmeIssuer, issuers: AcmeCertificates
) -> None:
    web.answers["/ari/aki.serial"] = answer()
    for _ in range(2):
        found = await issuers.renewal_info(issuer, facts())
        assert found
        assert found.start == 1_796_083_200.0
    assert [path for path, _ in web.asked] == ["/directory", *["/ari/aki.serial"] * 2]


async def test_questions_that_come_together_share_connections(issuers: AcmeCertificates) -> None:
    """Two hundred certificates are not two hundred connections, and none stays open."""
    window = answer()
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(window), window))
    async with serving(server) as url:
        directory = json.dumps({"renewalInfo": url}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(directory)
        server.answers.insert(0, head + directory)
        issuer = AcmeIssuer(name="fake", directory=url)
        assert await issuers.renewal_info(issuer, facts())
        first = server.connections
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(issuers.renewal_info, issuer, facts(f"aki.{number}"))
        assert server.connections <= first + 2
        with anyio.fail_after(10):
            while server.open:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert len(server.asked) == 22


async def test_issuers_may_say_nothing(
    web: Web, issuer: AcmeIssuer, issuers: AcmeCertificates
) -> None:
    assert await issuers.renewal_info(issuer, facts(ari_id="")) is None
    assert web.asked == []
    web.answers["/directory"] = b"{}"
    assert await issuers.renewal_info(issuer, facts()) is None


async def test_what_cannot_be_found_out_is_asked_later(
    web: Web, issuer: AcmeIssuer, issuers: AcmeCertificates
) -> None:
    for body in (b"<html>", b"[]", answer(end=START)):
        web.answers["/ari/aki.serial"] = body
        with pytest.raises(Retry, match="cannot ask fake when to renew: it answers oddly"):
            await issuers.renewal_info(issuer, facts())
    web.answers["/directory"] = json.dumps({"renewalInfo": "ftp://ca.example/"}).encode()
    with pytest.raises(Retry, match="no URL to trust"):
        await AcmeCertificates(accounts=issuers.accounts).renewal_info(issuer, facts())
    web.status, web.headers = 503, {"Retry-After": "90"}
    with pytest.raises(Retry, match="it answers 503") as failure:
        await issuers.renewal_info(issuer, facts())
    assert failure.value.after_seconds == 90.0
