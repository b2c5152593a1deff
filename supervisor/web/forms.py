"""Reads what is sent here: in time, not too large, nothing that is not asked for."""

import asyncio
import hmac
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from supervisor.web.visitor import VISITOR

LARGEST = 64 << 10
"""Bytes of a body."""
_SECONDS = 10.0
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 20
_ALWAYS = ("proof", "once")


async def form(request: web.Request, known: Collection[str]) -> Mapping[str, str]:
    """Return the fields of a form, each of them once. Raises an error of HTTP."""
    if request.content_type != _FORM:
        raise web.HTTPUnsupportedMediaType(text=f"a form is sent as {_FORM}")
    try:
        text = (await body(request)).decode("ascii")
        fields = parse_qsl(
            text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise web.HTTPBadRequest(text="cannot read the form") from error
    given = dict(fields)
    if len(given) < len(fields):
        raise web.HTTPBadRequest(text="a field of the form is there twice")
    if unknown := given.keys() - {*known, *_ALWAYS}:
        raise web.HTTPBadRequest(text=f"there is no field “{min(unknown)[:40]}” in this form")
    return given


async def body(request: web.Request) -> bytes:
    """Return the whole body. Raises an error of HTTP."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="it took too long") from None


def check_proof(given: Mapping[str, str]) -> None:
    """Raise an error of HTTP if a form is not one of this visitor's own."""
    proof = given.get("proof", "").encode(errors="replace")
    if not hmac.compare_digest(proof, VISITOR.get().proof.encode()):
        text = "This form is of another session: go back, load the page anew, and try once more."
        raise web.HTTPForbidden(text=text)
