"""Send messages by Apprise, in a process that ends. The `Messenger` port.

The URL, which is a secret, goes there through a pipe, and what comes back is told without it.
"""

from supervisor.adapters.notify.questions import Sending, Sent
from supervisor.core.status.masking import masked
from supervisor.kit import helper
from supervisor.kit.process import ProcessTimeout
from supervisor.model.errors import Retry, Stalled
from supervisor.model.notify import Message

_PROCESS = "supervisor.adapters.notify.apprise_process"
_TIMEOUT_SECONDS = 60.0
_ANSWER_LIMIT = 64 << 10
_REFUSED = frozenset((400, 401, 403, 404, 405, 410, 413, 422))
"""Answers that will be the same the next time."""


class AppriseMessenger:
    """Starts a process for each message."""

    async def send(self, url: bytes, message: Message) -> None:
        """Send it. Raises Retry or Stalled, without a word of the URL."""
        text = url.decode(errors="replace").strip()
        if not text.isprintable() or "://" not in text or " " in text:
            raise Stalled(
                "what is there is no URL of Apprise's",
                hint="write one URL alone in one line, such as ntfy://TOPIC or mailto://USER:PASSWORD@HOST",
            )
        try:
            done = await helper.ask(
                _PROCESS,
                Sending(url=text, message=message),
                Sent,
                timeout_seconds=_TIMEOUT_SECONDS,
                answer_limit=_ANSWER_LIMIT,
            )
        except helper.HelperError as error:
            if isinstance(error.__cause__, ProcessTimeout):
                raise Retry(f"there was no answer within {_TIMEOUT_SECONDS:g} s") from None
            raise Retry(f"Apprise did not do it: {masked(str(error), pieces(text))}") from None
        if done.is_sent:
            return
        why = masked(" ".join(done.why.split()), pieces(text)) or "Apprise does not say why"
        if not done.is_known:
            raise Stalled(
                f"Apprise cannot use the URL: {why}",
                hint="compare it with https://appriseit.com/services",
            )
        if done.status in _REFUSED:
            raise Stalled(why, hint="compare the URL with https://appriseit.com/services")
        raise Retry(why)


def pieces(url: str) -> list[bytes]:
    """Return all of a URL that may be secret: itself, and every part of it behind the scheme."""
    from urllib.parse import unquote  # noqa: PLC0415

    rest = url.partition("://")[2]
    for sign in "/@:?&=+#,;":
        rest = rest.replace(sign, " ")
    words = rest.split()
    return [one.encode() for one in (url, *words, *(unquote(word) for word in words)) if one]
