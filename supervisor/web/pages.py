"""Draws pages: HTML by Jinja's templates, in which every word from outside is escaped."""

import time
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from supervisor import __version__
from supervisor.core.status.in_words import health_in_words, short, trouble_in_words
from supervisor.core.status.overview import overview
from supervisor.kit.texts import relative


class Pages:
    """One for the process."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("supervisor.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(version=__version__)

    def render(self, template: str, **values: Any) -> str:
        """Return the page."""
        now = time.time()
        return self._environment.get_template(template).render(
            now=now,
            overview=lambda status: overview(status, now),
            ago=lambda moment: relative(moment, now=now),
            clock=_clock,
            short=short,
            health=lambda unit: health_in_words(unit, now),
            trouble=lambda unit: trouble_in_words(unit, now),
            **values,
        )


def _clock(moment: float) -> str:
    """Write a moment as this machine's clock has it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
