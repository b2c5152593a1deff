"""Draws pages: HTML by Jinja's templates, in which every word from outside is escaped."""

import time
from functools import cache, partial
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from supervisor import __version__
from supervisor.core.status.in_words import (
    apps_in_words,
    event_name,
    health_in_words,
    trouble_in_words,
)
from supervisor.core.status.overview import overview
from supervisor.kit.clock import follow_time_zone
from supervisor.kit.texts import format_duration, quoted, relative, rough_size, short_id
from supervisor.web import words
from supervisor.web.chart import chart
from supervisor.web.event_page import SPANS
from supervisor.web.orders import templates_of
from supervisor.web.visitor import VISITOR, once

_WORTH_PACKING = 4_000


class Pages:
    """One for the process."""

    def __init__(self) -> None:
        self._environment = _environment()

    def answer(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Return the page as an answer, packed if that is worth it.

        What is packed tells by its length what is in it: a form's proof might be guessed (BREACH).
        """
        text = self.render(template, **values)
        response = web.Response(text=text, status=status, content_type="text/html")
        if len(text) > _WORTH_PACKING and not VISITOR.get().is_known:
            response.enable_compression()
        return response

    def render(self, template: str, **values: Any) -> str:
        """Return the page."""
        follow_time_zone()
        now = time.time()
        return self._environment.get_template(template).render(
            now=now,
            overview=lambda status: overview(status, now),
            wrong_after=lambda reply, app: words.wrong_after(reply, app, now),
            since=partial(_since, now),
            moment=_moment,
            clock=_clock,
            chart=chart,
            size=rough_size,
            duration=lambda seconds: format_duration(round(seconds)),
            health=lambda unit: health_in_words(unit, now),
            trouble=lambda unit: trouble_in_words(unit, now),
            update=lambda image: words.update(image, now),
            unknown=lambda image: words.unknown(image, now),
            visitor=VISITOR.get(),
            **values,
        )


@cache  # with its templates, of which each is compiled once
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("supervisor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = words.line
    made.globals.update(
        version=__version__,
        spans=SPANS,
        short_id=short_id,
        apps_in_words=apps_in_words,
        event_name=event_name,
        percent=words.percent,
        commit_link=words.commit_link,
        quoted=quoted,
        healths=words.healths,
        image_words=words.image_words,
        version_words=words.version_words,
        releases_of=words.releases_of,
        templates_of=templates_of,
        once=once,
    )
    return made


def _printable(value: Any) -> Any:
    """Show in its place what has no shape of its own, or would turn what follows around."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return words.printable(value)
    return value


def _moment(moment: float) -> Markup:
    """Write a moment as this machine's clock has it; `never` for 0."""
    if not moment:
        return Markup("never")
    there = time.localtime(moment)
    exact = time.strftime("%Y-%m-%dT%H:%M:%S%z", there)
    return Markup('<time datetime="{}">{}</time>').format(exact, _clock(moment))


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _since(now: float, moment: float) -> Markup:
    """Write how long ago it was, with the moment itself for who points at it; `never` for 0."""
    if not moment:
        return Markup("never")
    return Markup('<time title="{}">{}</time>').format(_clock(moment), relative(moment, now=now))
