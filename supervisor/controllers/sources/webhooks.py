"""What webhooks are for: naming sources, and having these polled less often. Key `webhooks`.

The key's pass opens, moves or closes the listener. A delivery that proved itself to
`controllers.sources.webhook_receiver` names `source:NAME`, as a watch does: repeats and storms are
one pass. Nothing else comes of it, whatever it says.
"""

import logging
import math

import anyio
import msgspec

from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger, Listener
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.refusals import Refusals
from supervisor.core.githost.payloads import concern, pushed_revision
from supervisor.core.githost.poll_interval import Trust
from supervisor.kit.clock import Clock
from supervisor.kit.texts import one_line
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from supervisor.model.settings import Settings
from supervisor.model.webhook import Answer, ListenerStatus, Message, SourceWebhook, WebhookMemory

TEST_DELIVERY = "podvisor-test-"
"""How the deliveries are called that podvisor sends itself."""
_PING_SAID_AGAIN_SECONDS = 3_600.0

log = logging.getLogger(__name__)


class _Source(msgspec.Struct, kw_only=True):
    """What is known of one source's webhooks."""

    trust: Trust
    heard_at: float
    unsaid: int = 0
    """Deliveries of which the event log does not tell yet."""
    newest: str = ""
    newest_delivery: str = ""
    accepted: int = 0
    repeated: int = 0
    ignored: int = 0
    last: str = ""
    last_ignored: bool = False
    ping_said_at: float = -math.inf
    """When the event log told of one, by the event loop's clock."""


class WebhookController(msgspec.Struct, kw_only=True):
    """Hears what webhooks tell, and says how often sources are to be polled."""

    settings: CurrentSettings
    listener: Listener
    ledger: Ledger
    queue: WorkQueue
    clock: Clock
    refusals: Refusals
    _sources: dict[str, _Source] = {}
    _problem: str = ""

    def __post_init__(self) -> None:
        self.settings.subscribe(self._forget)

    def _forget(self, _: Settings) -> None:
        """Forget the sources that nobody is to tell of any more; they are polled as told."""
        gone = [name for name in self._sources if not self._may_hear(name)]
        for name in gone:
            del self._sources[name]
            if seconds := self.poll_seconds(name):
                self.queue.add_by_rhythm(Kind.SOURCE.key(name), seconds)

    async def reconcile(self, _: str) -> None:
        """Have the listener where the settings say. Raises Retry if it cannot be there."""
        before = self.listener.address
        try:
            await self.listener.move(self.settings.now.webhooks.listen)
        except Retry as failure:
            if str(failure) != self._problem:
                self._problem = str(failure)
                self.ledger.log(EventKind.WEBHOOK, ok=False, reason=self._problem)
            raise
        finally:
            now = self.listener.address
            if not now:
                self._poll_as_told()
        self._problem = ""
        if now != before:
            reason = f"listening on {now}" if now else "not listening any more"
            log.info("webhooks: %s", reason)
            self.ledger.log(EventKind.WEBHOOK, reason=reason)

    def _poll_as_told(self) -> None:
        """Poll as the settings say: nobody is heard now."""
        for one in self._sources.values():
            one.trust.stop_listening()
        for name, settings in self.settings.now.sources.items():
            if settings.poll and self._may_hear(name):
                self.queue.add_by_rhythm(Kind.SOURCE.key(name), float(settings.poll))

    # Reading a source

    def poll_seconds(self, name: str) -> float:
        """How often a source is to be polled at present; 0 is never."""
        settings = self.settings.now.sources.get(name)
        if settings is None or settings.folder:
            return 0.0
        if not self._may_hear(name):
            return float(settings.poll)
        trust = self._source(name).trust
        return trust.poll_seconds(float(settings.poll), listening=self.is_listening())

    def is_listening(self) -> bool:
        """Whether deliveries are heard.

        At the start it is yet to be opened; what matters is that it is not known to be shut.
        """
        return bool(self.settings.now.webhooks.listen) and not self._problem

    def hears_registries(self) -> bool:
        """Whether what registries tell is heard."""
        return self.is_listening() and bool(self.settings.now.webhooks.registries)

    def begin(self, name: str) -> None:
        """Say that a source is about to be read."""
        one = self._sources.get(name)
        if one is None:
            return
        if one.unsaid:
            more = f"; {one.unsaid} webhooks since the last look" if one.unsaid > 1 else ""
            reason, delivery = one.newest + more, one.newest_delivery
            self.ledger.log(EventKind.WEBHOOK, source=name, subject=delivery, reason=reason)
            one.unsaid = 0
        one.trust.begin_read()

    def read(self, name: str, *, changed: bool) -> bool:
        """Say that it was read without an error; returns whether its polls have another pace."""
        if not self._may_hear(name):
            return False
        one, listening = self._source(name), bool(self.listener.address)
        is_other = one.trust.end_read(
            changed=changed, listening=listening, now=anyio.current_time()
        )
        self._keep(name, one)
        if not is_other:
            return False
        reason = (
            "webhooks arrive: it is polled less often"
            if one.trust.works
            else "no webhook told of the newest change: it is polled as often as before"
        )
        self.ledger.log(EventKind.WEBHOOK, ok=one.trust.works, source=name, reason=reason)
        return True

    # What is told

    def hear(self, name: str, message: Message, repeated: bool) -> Answer:  # noqa: FBT001  # a callback
        """Take what a delivery told that proved itself; `repeated`, if it was there before."""
        one, now = self._source(name), anyio.current_time()
        one.last_ignored = False
        if message.is_ping:
            one.last = "a ping"
            if now >= one.ping_said_at + _PING_SAID_AGAIN_SECONDS:
                one.ping_said_at = now
                delivery = message.delivery
                self.ledger.log(EventKind.WEBHOOK, source=name, subject=delivery, reason="a ping")
            return Answer(status=200, text=f"podvisor hears of source {name}")
        if why := concern(message, self.settings.now.sources[name]):
            one.ignored += 1
            one.last_ignored = True
            one.last = f"ignored: {why}"
            return Answer(status=202, text=one.last)
        one.accepted += 1
        one.repeated += repeated
        one.unsaid += 1
        one.newest_delivery = message.delivery
        # A recording that is played again shows nothing, nor does what podvisor sent itself.
        is_own = message.delivery.startswith(TEST_DELIVERY)
        if is_own:
            one.newest = "a test of podvisor's own"
        else:
            told = f"pushed: {pushed_revision(message)} {one_line(message.changes[0].ref)}"
            one.newest = " ".join(told.split())
            one.heard_at = self.clock.now()
        one.trust.hear(is_new=not (is_own or repeated), now=now)
        one.last = one.newest
        self.queue.add_debounced(Kind.SOURCE.key(name))
        return Answer(status=202, text=f"podvisor looks at source {name}")

    def told(self, name: str) -> None:
        """Say that a registry told of a source, and it is yet to be found what."""
        self._source(name).trust.hear(is_new=True, now=anyio.current_time())

    # How it stands

    def status_of(self, name: str) -> SourceWebhook | None:
        """Return how the webhooks of a source stand; None if it takes none."""
        if not self._takes(name):
            return None
        one = self._source(name)
        return SourceWebhook(
            scheme=self.settings.now.sources[name].webhook,
            accepted=one.accepted,
            repeated=one.repeated,
            ignored=one.ignored,
            refused=self.refusals.by_target[name],
            heard_at=one.heard_at,
            last=one.last,
            last_ignored=one.last_ignored,
            works=one.trust.works,
            poll=self.poll_seconds(name),
            problem=self.refusals.problems.get(name, ""),
        )

    def status(self) -> ListenerStatus | None:
        """Return how the listener stands; None if there is to be none."""
        if not self.settings.now.webhooks.listen:
            return None
        return ListenerStatus(
            address=self.settings.now.webhooks.listen,
            open=bool(self.listener.address),
            refused=dict(self.refusals.by_reason),
        )

    def _takes(self, name: str) -> bool:
        settings = self.settings.now.sources.get(name)
        return settings is not None and bool(settings.webhook)

    def _may_hear(self, name: str) -> bool:
        """Whether anybody is to tell of it: its Git host, or the registry that it is in."""
        settings = self.settings.now.sources.get(name)
        if settings and settings.oci:
            return bool(self.settings.now.webhooks.registries)
        return self._takes(name)

    def _source(self, name: str) -> _Source:
        if name not in self._sources:
            memory = self.ledger.get(WebhookMemory, name) or WebhookMemory()
            trust = Trust(works=memory.works)
            self._sources[name] = _Source(trust=trust, heard_at=memory.heard_at)
        return self._sources[name]

    def _keep(self, name: str, one: _Source) -> None:
        memory = WebhookMemory(works=one.trust.works, heard_at=one.heard_at)
        if memory != WebhookMemory():
            self.ledger.put(memory, name)
