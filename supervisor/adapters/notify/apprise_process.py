"""Send one message by Apprise, and end: 48 MB of plugins are not for the daemon.

Only what Apprise 1.9 and 2 have in common is used: `Apprise().add` and `.notify`.
"""

import logging
import re

from supervisor.adapters.notify.questions import Sending, Sent
from supervisor.kit.helper import serve

_STATUS = re.compile(r"\berror[=: ]+(\d{3})\b")
_MOST_WORDS = 300


class _Words(logging.Handler):
    """Keeps what Apprise complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    @property
    def text(self) -> str:
        """The first complaint: what comes after it says less."""
        return self.said[0][:_MOST_WORDS] if self.said else ""


def send(question: Sending) -> Sent:
    """Send it; whatever happens is answered."""
    words = _Words()
    logger = logging.getLogger("apprise")
    logger.addHandler(words)
    logger.propagate = False
    message = question.message
    try:
        from apprise import Apprise  # noqa: PLC0415

        sender = Apprise()
        if not sender.add(question.url):
            return Sent(is_known=False, why=words.text)
        is_sent = sender.notify(
            body=message.body,
            title=message.title,
            notify_type=str(message.type),
            body_format="text",
        )
    except Exception as error:  # noqa: BLE001  # of 140 plugins, each with a way of its own
        return Sent(why=f"{type(error).__name__}: {error}"[:_MOST_WORDS])
    status = next((int(found[1]) for one in words.said if (found := _STATUS.search(one))), 0)
    return Sent(is_sent=bool(is_sent), why=words.text, status=status)


if __name__ == "__main__":
    serve(send, Sending)
