"""When each question is asked: in rounds, and at once where somebody names an image.

All that are due in the same time are due together: one waking for a round. Whoever names an image,
a webhook, Podman's signs or a person, says nothing about it that is believed.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping

import anyio
import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.memory import Memory
from supervisor.controllers.images.questions import Questions
from supervisor.controllers.keys import Kind
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.controllers.webhooks.looks import LooksAgain
from supervisor.core.images.check_pace import first_wait, period
from supervisor.kit import alarm
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.app import Deployment
from supervisor.model.image import ImageKnowledge, ImageQuestion
from supervisor.model.podman import PodmanEvent
from supervisor.model.settings import Settings


class CheckSchedule(msgspec.Struct, kw_only=True):
    """Knows the questions that there are, and names their keys."""

    desired_state: DesiredState
    memory: Memory
    queue: WorkQueue
    settings: CurrentSettings
    listening: Callable[[], bool]
    """Whether webhooks of registries are heard."""
    questions: Questions = msgspec.field(default_factory=Questions)
    _followed: Mapping[str, Deployment] | None = None
    _stale: bool = False
    """Whether something else changed by which it is known what to ask when."""
    _listened: bool = False
    _stored: set[str] = set()
    """Keys of the questions of which the ledger may know something."""
    _looks: LooksAgain = msgspec.field(default_factory=LooksAgain)
    """At keys of questions of which a webhook told."""
    _told: dict[str, float] = {}
    """Key of a question that somebody has asked to when, by the event loop's clock."""
    _postponed: set[str] = set()
    """Keys of questions that are not asked yet, as their registry is asked much."""

    def __post_init__(self) -> None:
        # Before anything was worked out, nothing is known of what is asked.
        self._followed = self.desired_state.latest()
        self._listened = self.listening()
        self._stored = set(self.memory.stored())
        self.settings.subscribe(self._take)

    def _take(self, _: Settings) -> None:
        self._stale = True

    def follow(self) -> Collection[ImageQuestion]:
        """Take up what is asked now, if that may be something else; cheap otherwise.

        Returns what nobody asks any more.
        """
        if self._listened != self.listening():
            self._listened, self._stale = not self._listened, True
        deployments = self.desired_state.latest()
        if deployments is self._followed and not self._stale:
            return ()
        old, anew = self.questions, self._stale
        self._followed, self._stale = deployments, False
        self.questions = Questions.of(deployments, self.settings.now.images)
        for key, question in self.questions.by_key.items():
            if anew or key not in old.by_key:
                self._begin(question)
        gone = old.by_key.keys() - self.questions.by_key.keys()
        self._forget(gone)
        return [old.by_key[key] for key in gone]

    def _begin(self, question: ImageQuestion) -> None:
        """Ask a question that is new here; one that was answered not long ago, later."""
        key, known = Kind.IMAGE_CHECK.key(question.key), self.memory.of(question.key)
        self.queue.forget(key)
        every = self._every(question, known)
        wait = first_wait(known, every, now=self.memory.clock.now())
        # Nobody could tell before now, or what was told was lost with the process that heard it.
        missed = self.listening() and not (known and known.failures)
        if question.is_local or wait == 0.0 or missed or question.key in self._told:
            self.queue.add(key)
        elif wait is not None:
            self.queue.add_in(key, wait, slack=alarm.slack(every))

    def _forget(self, gone: Iterable[str]) -> None:
        """Ask these no more; what is known of them is lost, if it is sure that nobody asks."""
        for key in gone:
            self.queue.forget(Kind.IMAGE_CHECK.key(key))
            self._told.pop(key, None)
            self._looks.end(key)
            self._postponed.discard(key)
        self._stored |= self.questions.by_key.keys()
        if self.questions.whole:
            for key in self._stored - self.questions.by_key.keys():
                self.memory.forget(key)
            self._stored &= self.questions.by_key.keys()

    # Who names images

    def told(self, names: Iterable[str]) -> tuple[str, ...]:
        """Ask what concerns these images, `HOST/NAME[:TAG]`, of which a webhook told.

        Returns the keys, none for images of which nobody asks; a storm is asked about seldom.
        """
        questions = list(self.questions.named(names))
        self._looks.told(one.key for one in questions)
        return self._name_debounced(questions)

    def seen_here(self, event: PodmanEvent) -> None:
        """Ask what this host's own images answer, if the event may be about them."""
        if event.type == "image":
            self._name_debounced(self.questions.seen_here(event, self._is_unknown))

    def ask_now(self, questions: Iterable[str]) -> tuple[str, ...]:
        """Ask these at once, by their keys, for a person; returns the keys of the queue."""
        known = [key for key in questions if key in self.questions.by_key]
        self._told.update(dict.fromkeys(known, anyio.current_time()))
        named = tuple(Kind.IMAGE_CHECK.keys(known))
        self.queue.add(*named)
        return named

    async def ask(self, questions: Collection[str]) -> None:
        """Have these asked for a person, by their keys, and wait until they are answered.

        Or it is known why they are not: many questions to one registry take their time.
        """
        await self.queue.wait_for_pass(self.ask_now(questions))
        while late := self._postponed.intersection(questions):
            keys = set(Kind.IMAGE_CHECK.keys(late))
            await anyio.sleep(max(self.queue.due_in(key) or 0.0 for key in keys))
            still = set(Kind.IMAGE_CHECK.keys(self._postponed & late))
            self.queue.expedite(still.__contains__)
            await self.queue.wait_idle(keys.__contains__, bursts=False)

    def _name_debounced(self, questions: Iterable[ImageQuestion]) -> tuple[str, ...]:
        keys = [one.key for one in questions]
        self._told.update(dict.fromkeys(keys, anyio.current_time()))
        named = tuple(Kind.IMAGE_CHECK.keys(keys))
        self.queue.add_debounced(*named)
        return named

    def _is_unknown(self, question: ImageQuestion) -> bool:
        return self.memory.newest(question.key) is None

    # A pass

    def begin(self, key: str) -> ImageQuestion | None:
        """Arm the next round of a question that is about to be asked; None if nobody asks it."""
        question = self.questions.by_key.get(key)
        if question:
            self._arm(question)
        return question

    def told_at(self, key: str) -> float:
        """When somebody had it asked since its last pass; minus infinity for a round's."""
        self._postponed.discard(key)
        return self._told.pop(key, -math.inf)

    def postpone(self, key: str, seconds: float, *, told_at: float) -> None:
        """Ask it in some time instead, when its registry may be asked again."""
        self._postponed.add(key)
        self._ask_in(key, seconds, told_at=told_at)

    def _ask_in(self, key: str, seconds: float, *, told_at: float) -> None:
        if told_at > -math.inf:
            self._told.setdefault(key, told_at)
        self.queue.add_in(Kind.IMAGE_CHECK.key(key), seconds)

    def end(self, question: ImageQuestion, *, is_news: bool) -> None:
        """Say that it was answered: its next round may have another pace now."""
        if is_news and self._looks.end(question.key):
            # A webhook of which nothing comes is no sign: whoever knows its path can send it again.
            self.memory.told(question)
        self.queue.forget(Kind.IMAGE_CHECK.key(question.key))
        self._arm(question)
        if not is_news:
            self.look_again(question.key)

    def look_again(self, key: str) -> bool:
        """Ask again shortly what a webhook told of, if nothing came of it yet; tells if it is."""
        if seconds := self._looks.next_in(key):
            self._ask_in(key, seconds, told_at=anyio.current_time())
        return bool(seconds)

    def next_check_in(self, question: str) -> float | None:
        """Seconds until a question is asked; None if it is not, but when somebody names it."""
        key = Kind.IMAGE_CHECK.key(question)
        return 0.0 if self.queue.is_busy(key.__eq__) else self.queue.due_in(key)

    def _arm(self, question: ImageQuestion) -> None:
        key = Kind.IMAGE_CHECK.key(question.key)
        every = self._every(question, self.memory.of(question.key))
        if not every:
            return
        self.queue.add_by_rhythm(key, every)
        next_round = self.queue.due_in(key) or 0.0
        if next_round < every / 2:  # it is asked just now, out of the rounds
            self.queue.forget(key)
            self.queue.add_in(key, next_round + every, slack=alarm.slack(every))

    def _every(self, question: ImageQuestion, known: ImageKnowledge | None) -> float:
        settings = self.settings.now
        if question.is_local:
            return float(settings.repair.resync)  # should a sign be lost
        return period(known, float(settings.images.interval), listening=self.listening())
