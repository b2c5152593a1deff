"""Pages of the event log: where the next one is.

A page is told by the id of its last entry, so none is missed or told twice while more are written.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from supervisor.model.events import Event, EventQuery


def one_more(query: EventQuery) -> EventQuery:
    """Return what is to be read for a page: one entry more tells whether there is another."""
    return msgspec.structs.replace(query, limit=query.limit + 1)


def page(query: EventQuery, found: Sequence[Event]) -> tuple[Sequence[Event], str]:
    """Return the page of what was read by `one_more`, and a link to the next (RFC 8288), if any.

    Pages go back in time, or on from `after_id`; within each, entries are in ascending order.
    """
    if len(found) <= query.limit:
        return found, ""
    if query.goes_forward:
        shown = found[: query.limit]
        following = msgspec.structs.replace(query, after_id=shown[-1].id)
    else:
        shown = found[-query.limit :]
        following = msgspec.structs.replace(query, before_id=shown[0].id)
    said = {
        field.encode_name: _in_query(value)
        for field in msgspec.structs.fields(following)
        if (value := getattr(following, field.name)) != field.default
    }
    # Relative, so that it holds behind a reverse proxy with a path of its own, too.
    return shown, f'<?{urlencode(said)}>; rel="next"'


def _in_query(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
