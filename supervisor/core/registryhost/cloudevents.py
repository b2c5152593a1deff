"""CloudEvents over HTTP, in both forms: https://github.com/cloudevents/spec, HTTP protocol binding.

In the binary form the attributes are headers, `ce-type`, and the body is the data; in the
structured one, the body holds both.
"""

import msgspec

from supervisor.model.webhook import Delivery


class _Envelope(msgspec.Struct):
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


def read_event(delivery: Delivery) -> tuple[str, msgspec.Raw]:
    """Return the type of an event, and its data as JSON. Raises ValueError."""
    if kind := delivery.headers.get("ce-type"):
        return kind, msgspec.Raw(delivery.body)
    envelope = msgspec.json.decode(delivery.body, type=_Envelope)
    return envelope.type, envelope.data
