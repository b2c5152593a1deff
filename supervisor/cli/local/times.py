"""Times as they are written on the command line: types for click."""

import time
from datetime import datetime

import click

from supervisor.kit.texts import parse_duration


def seconds(text: str) -> float:
    """Return a length of time, such as 30s or 10m."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def moment(text: str) -> float:
    """Return seconds since the epoch, of a length of time ago, or of a date."""
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        # Without a zone, as people mean it: local time.
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        message = f"“{text}” is neither like 2h or 7d nor like 2026-01-31 12:00"
        raise click.BadParameter(message) from None
