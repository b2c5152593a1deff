"""What is known of the answers, written down when that is worth it.

That a question was asked once more, and the answer is as before, is kept in memory: an idle host
writes nothing but once a day.
"""

import msgspec
from msgspec.structs import replace

from supervisor.controllers.images.hosts import LetAlone
from supervisor.controllers.ports import Ledger
from supervisor.kit.clock import Clock
from supervisor.model.errors import Failure
from supervisor.model.image import ImageKnowledge, ImageQuestion, ImageVersion

_DAY = 86_400.0


class Memory(msgspec.Struct, kw_only=True):
    """The one place that puts `ImageKnowledge` into the ledger."""

    ledger: Ledger
    clock: Clock
    _known: dict[str, ImageKnowledge] = {}
    _written: dict[str, ImageKnowledge] = {}
    """As the ledger has it, of what this daemon has written."""

    def of(self, key: str) -> ImageKnowledge | None:
        """Return what is known, by the key of the question; None if that was never asked."""
        if key not in self._known:
            stored = self.ledger.get(ImageKnowledge, key)
            if stored is None:
                return None
            self._known[key] = stored
        return self._known[key]

    def newest(self, key: str) -> ImageVersion | None:
        """Return the newest version that is known, by the key of the question; None if none is."""
        known = self.of(key)
        return known.newest if known else None

    def stored(self) -> frozenset[str]:
        """Return the keys of the questions of which the ledger knows something."""
        return frozenset(self.ledger.all(ImageKnowledge))

    def told(self, question: ImageQuestion) -> None:
        """Note that a webhook told of its newest version."""
        known = self._of(question)
        self._known[question.key] = replace(known, told_at=self.clock.now())

    def answered(
        self, question: ImageQuestion, version: ImageVersion | None, problem: str, hint: str
    ) -> ImageKnowledge:
        """Take an answer; without a version, what was the newest before still is."""
        now, known = self.clock.now(), self._of(question)
        return self._put(
            replace(
                known,
                newest=seen(version, known.newest, now) if version else known.newest,
                asked_at=now,
                answered_at=now,
                problem=problem,
                hint=hint,
                failures=0,
            )
        )

    def failed(
        self, question: ImageQuestion, failure: Failure, instead: ImageVersion | None
    ) -> ImageKnowledge:
        """Take that there was no answer; `instead` is the version that is here, if none is known.

        Of that, only the problem is told: it is not known whether there is a newer one.
        """
        now, known = self.clock.now(), self._of(question)
        return self._put(
            replace(
                known,
                newest=seen(instead, known.newest, now) if instead else known.newest,
                asked_at=known.asked_at if isinstance(failure, LetAlone) else now,
                problem=str(failure),
                hint=failure.hint,
                failures=known.failures + 1,
            )
        )

    def forget(self, key: str) -> None:
        """Forget a question that nobody asks."""
        self._known.pop(key, None)
        self._written.pop(key, None)
        self.ledger.drop(ImageKnowledge, key)

    def keep(self) -> None:
        """Write down what is not yet: the daemon ends."""
        with self.ledger.together():
            for key, one in self._known.items():
                if one != self._written.get(key):
                    self._write(one)

    def _of(self, question: ImageQuestion) -> ImageKnowledge:
        known = self.of(question.key)
        # The tag that the unit names may have become another one.
        return replace(known, question=question) if known else ImageKnowledge(question=question)

    def _put(self, known: ImageKnowledge) -> ImageKnowledge:
        self._known[known.question.key] = known
        written = self._written.get(known.question.key)
        # The first answer after a start is written, too: a daemon that is killed again and again
        # must not ask again and again.
        if (
            written is None
            or _says(written) != _says(known)
            or not 0 <= known.asked_at - written.asked_at < _DAY
        ):
            self._write(known)
        return known

    def _write(self, known: ImageKnowledge) -> None:
        self.ledger.put(known, known.question.key)
        self._written[known.question.key] = known


def _says(known: ImageKnowledge) -> tuple[object, ...]:
    return (known.newest, known.problem, known.hint)


def seen(new: ImageVersion, old: ImageVersion | None, now: float) -> ImageVersion:
    """Return a version with the time at which this host saw it first; that is never in future."""
    if old is None or old.runs != new.runs:
        return replace(new, seen_at=now)
    pushed_at = old.pushed_at or new.pushed_at
    return replace(new, seen_at=min(old.seen_at, now), pushed_at=pushed_at)
