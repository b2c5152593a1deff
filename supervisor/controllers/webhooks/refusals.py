"""Who is refused on the listener for webhooks, how often that may be, and what is told of it.

Asked by `controllers.webhooks.router` and its receivers. Limits are counted by the event loop's
clock.
"""

import logging
from collections import Counter

import anyio

from supervisor.controllers.ports import Events
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.githost.client_address import rate_limit_key
from supervisor.kit.rates import Throttle, TokenBuckets
from supervisor.kit.texts import one_line
from supervisor.model.errors import Failure, Finding
from supervisor.model.events import EventKind
from supervisor.model.settings import Settings
from supervisor.model.webhook import Answer, Refusal, Sender

_SAID_AGAIN_SECONDS = 3_600.0
_SHOWN_PARTS = 4
"""Of a path: `/hooks/images/NAME`. What follows may be somebody's token."""
_SAID_PER_MINUTE = 10
"""Of all addresses together, so that nobody can fill the event log."""
_STATUS = {
    Refusal.PATH: 404,
    Refusal.SIGNATURE: 401,
    Refusal.SIZE: 413,
    Refusal.SLOW: 408,
    Refusal.LIMIT: 429,
    Refusal.PAYLOAD: 400,
    Refusal.SECRET: 503,
}
TOO_OFTEN = "it was refused too often"

log = logging.getLogger(__name__)


class Refusals:
    """Counts what was refused since the daemon started."""

    def __init__(self, *, ledger: Events, settings: CurrentSettings) -> None:
        self._ledger = ledger
        self.by_reason: Counter[str] = Counter()
        self.by_target: Counter[str] = Counter()
        """Of those that named one: a source, or `images/NAME` for a registry."""
        self.problems: dict[str, str] = {}
        """Why the deliveries for a target cannot be checked now."""
        self._allowances = TokenBuckets(per_minute=settings.now.webhooks.refusals_per_minute)
        self._seldom = Throttle(seconds=_SAID_AGAIN_SECONDS)
        self._sayings = TokenBuckets(per_minute=_SAID_PER_MINUTE)
        settings.subscribe(self._take)

    def _take(self, settings: Settings) -> None:
        self._allowances.per_minute = settings.webhooks.refusals_per_minute
        self.problems.clear()

    def is_spent(self, sender: Sender) -> bool:
        """Whether a sender was refused too often lately."""
        return self._allowances.left(rate_limit_key(sender.address), now=anyio.current_time()) < 1

    def refuse(
        self, sender: Sender, why: Refusal, text: str, target: str = "", *, blame: bool = True
    ) -> Answer:
        """Return the refusal of a request, counted; not against its sender without `blame`."""
        if blame and self.is_spent(sender):
            why, text = Refusal.LIMIT, TOO_OFTEN
        now, whose = anyio.current_time(), rate_limit_key(sender.address)
        self.by_reason[why] += 1
        if target:
            self.by_target[target] += 1
        if blame and why is not Refusal.LIMIT:
            self._allowances.take(whose, now=now)
        # Once an hour for each kind and address: what is counted need not be told again.
        if self._sayings.left("", now=now) >= 1 and self._seldom.passes(f"{why} {whose}", now=now):
            self._sayings.take("", now=now)
            log.warning("webhook of %s refused: %s", sender.address, text)
            self._ledger.log(
                EventKind.WEBHOOK,
                ok=False,
                source=target,
                subject=sender.address,
                reason=f"refused: {text}",
                detail=self.problems.get(target, "") if why is Refusal.SECRET else "",
            )
        return Answer(status=_STATUS[why], text=f"refused: {text}")

    def refuse_path(self, sender: Sender, path: str) -> Answer:
        """Return the refusal of a request that is for nobody here."""
        parts = path.split("/")
        shown = "/".join([*parts[:_SHOWN_PARTS], "…"]) if len(parts) > _SHOWN_PARTS else path
        return self.refuse(sender, Refusal.PATH, f"nobody takes webhooks on {one_line(shown)}")

    def refuse_unproved(self, sender: Sender, fault: str, target: str) -> Answer | None:
        """Return the refusal of a delivery that was checked; None if it has no `fault`."""
        self.note_problem(target, "")
        return self.refuse(sender, Refusal.SIGNATURE, fault, target) if fault else None

    def refuse_unchecked(self, sender: Sender, failure: Failure, target: str) -> Answer:
        """Return the refusal of a delivery whose secret cannot be read; its sender is blameless.

        Where secrets are, and why they cannot be read, is nobody's business outside.
        """
        self.note_problem(target, str(Finding.of(failure)))
        text = "it cannot be checked at present"
        return self.refuse(sender, Refusal.SECRET, text, target, blame=False)

    def note_problem(self, target: str, problem: str) -> None:
        """Note why the deliveries for a target cannot be checked now; empty if they can."""
        if problem:
            self.problems[target] = problem
        else:
            self.problems.pop(target, None)
