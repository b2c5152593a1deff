"""Ask an issuer when a certificate is to be renewed (RFC 9773, section 4); read strictly.

`issuer` calls it in the daemon, for a question that costs no process.
"""

import email.utils
import ssl
import time
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from supervisor import __version__
from supervisor.adapters.acme import replies
from supervisor.kit.http.connection import HttpError
from supervisor.kit.http.pool import Pool, Wanted
from supervisor.kit.texts import one_line
from supervisor.model.acme import AcmeIssuer, RenewalInfo
from supervisor.model.errors import Retry

_LEAST_SECONDS, _MOST_SECONDS = 60.0, 86_400.0
_USUAL_SECONDS = 21_600.0
_LONGEST_URL = 500
_ASK_SECONDS = 30.0
_LARGEST_ANSWER = 256 << 10
_DIRECTORY_SECONDS = 86_400.0
_OK, _NOT_FOUND = 200, 404
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Window(msgspec.Struct, frozen=True):
    start: _Moment
    end: _Moment


class _Answer(msgspec.Struct, frozen=True):
    window: _Window = msgspec.field(name="suggestedWindow")
    explanation: str = msgspec.field(name="explanationURL", default="")


class _Directory(msgspec.Struct, frozen=True):
    renewal_info: str = msgspec.field(name="renewalInfo", default="")


class Askers:
    """Asks issuers; questions that come together share connections, and nothing stays open."""

    def __init__(self) -> None:
        self._directories: dict[str, tuple[str, float]] = {}
        """URL of a directory to where the issuer tells when to renew, and when that was read."""
        self._at_work = 0
        self._pool = Pool()
        self._contexts: dict[str, ssl.SSLContext] = {}
        """PEM of who is trusted to what trusts it."""

    async def suggested(self, issuer: AcmeIssuer, ari_id: str) -> RenewalInfo | None:
        """Return what it says of this certificate; None where it says nothing. Raises Retry."""
        self._at_work += 1
        try:
            return await self._suggested(issuer, ari_id)
        except (ValueError, RecursionError) as error:
            why = f"it answers oddly: {one_line(str(error), 200)}"
            raise Retry(f"cannot ask {issuer.name} when to renew: {why}") from error
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._contexts.clear()
                await self._pool.close()

    async def _suggested(self, issuer: AcmeIssuer, ari_id: str) -> RenewalInfo | None:
        now = time.time()
        place, read_at = self._directories.get(issuer.directory, ("", 0.0))
        if not read_at <= now < read_at + _DIRECTORY_SECONDS:
            body, _ = await self._get(issuer, issuer.directory)
            place = replies.read(body, _Directory).renewal_info
            self._directories[issuer.directory] = place, now
        if not place:
            return None
        body, retry_after = await self._get(issuer, f"{place.rstrip('/')}/{ari_id}")
        return read(body, retry_after=retry_after, now=now) if body else None

    async def _get(self, issuer: AcmeIssuer, url: str) -> tuple[bytes, str]:
        """Return a body, empty if there is nothing, and its `Retry-After`. Raises Retry."""
        about = f"cannot ask {issuer.name} when to renew"
        scheme = urlsplit(url).scheme
        if scheme != "https" and not scheme == urlsplit(issuer.directory).scheme == "http":
            raise Retry(f"{about}: {one_line(url)} is no URL to trust")
        try:
            reply = await self._pool.ask(
                "GET",
                url,
                headers={"User-Agent": f"podvisor/{__version__}"},
                context=self._context(issuer) if issuer.authority else None,
                wanted=Wanted(_LARGEST_ANSWER, _ASK_SECONDS),
            )
        except HttpError as error:
            raise Retry(f"{about}: {one_line(str(error), 200)}") from error
        retry_after = reply.headers.get("retry-after", "")
        if reply.status == _OK and reply.body:
            return reply.body, retry_after
        if reply.status == _NOT_FOUND:
            return b"", retry_after
        seconds = min(_seconds_of(retry_after, now=time.time()) or 0.0, _MOST_SECONDS)
        raise Retry(f"{about}: it answers {reply.status}", after_seconds=seconds)

    def _context(self, issuer: AcmeIssuer) -> ssl.SSLContext:
        if issuer.authority not in self._contexts:
            self._contexts[issuer.authority] = _context(issuer)
        return self._contexts[issuer.authority]


def read(body: bytes, *, retry_after: str, now: float) -> RenewalInfo:
    """Read what an issuer suggests. Raises ValueError, with a sentence."""
    answer = replies.read(body, _Answer)
    start, end = answer.window.start.timestamp(), answer.window.end.timestamp()
    if end <= start:
        raise ValueError("its window ends before it begins")
    url = answer.explanation
    is_url = url.startswith(("https://", "http://")) and url.isprintable()
    seconds = _seconds_of(retry_after, now=now)
    return RenewalInfo(
        start=start,
        end=end,
        explanation=url if is_url and len(url) <= _LONGEST_URL else "",
        ask_again_seconds=_USUAL_SECONDS
        if seconds is None
        else min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS),
    )


def _seconds_of(retry_after: str, *, now: float) -> float | None:
    """Return the seconds of a `Retry-After`; None if there are none."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _context(issuer: AcmeIssuer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=issuer.authority)
    except (ssl.SSLError, ValueError) as error:
        hint = "`authority` names the PEM of who signed the directory's own certificate"
        raise Retry(f"cannot trust {issuer.name} by its authority: {error}", hint) from error
    # An authority made by hand seldom has all that RFC 5280 asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
