"""Find out which versions of the apps' images there are. Keys `image-check:QUESTION`.

A pass asks one question, and writes down what came of it; if there is another version than before,
the desired state is worked out anew. A check that failed tells nothing: what was known is unknown
since the last one that did not.
"""

from collections.abc import Sequence

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.images.asking import Asking
from supervisor.controllers.images.hosts import LetAlone
from supervisor.controllers.images.memory import Memory
from supervisor.controllers.images.schedule import CheckSchedule
from supervisor.controllers.keys import Kind
from supervisor.core.images.concerns import host_of, repository_of
from supervisor.model.errors import Failure
from supervisor.model.events import Event, EventKind
from supervisor.model.image import ImageKnowledge, ImageQuestion, ImageVersion
from supervisor.model.status import UnknownImages

_MOST_SAID = 8
"""Different problems in a row that the event log tells of one image."""


class ImageChecker(msgspec.Struct, kw_only=True):
    """Asks the questions that are due."""

    schedule: CheckSchedule
    asking: Asking
    memory: Memory
    desired_state: DesiredState
    _said: dict[str, set[str]] = {}
    """Key of a question to the problems that the event log tells of, since it was answered."""

    def follow(self) -> None:
        """Take up what is asked now, and forget what is not; cheap if nothing changed."""
        gone = self.schedule.follow()
        for one in gone:
            self._said.pop(one.key, None)
            self.asking.forget(one)
        if gone:
            self.asking.hosts.keep_only(self.schedule.questions.hosts)

    def network_changed(self) -> None:
        """Let no registry alone that could not be reached: it may be now."""
        self.asking.hosts.network_changed()

    async def reconcile(self, key: str) -> list[str]:
        """Ask a question, and name what follows. Raises what asking raises."""
        question = self.schedule.begin(key)
        if question is None:
            return []
        told_at = self.schedule.told_at(key)
        try:
            if wait := self.asking.book(question, told_at=told_at):
                self.schedule.postpone(key, wait, told_at=told_at)
                return []
            answer = await self.asking.ask(
                question,
                told_at=told_at,
                known=self.memory.newest(key),
                along=self.schedule.questions.about(repository_of(question)),
            )
        except Failure as failure:
            self.schedule.queue.add(*await self._failed(question, failure))
            raise
        if key not in self.schedule.questions.by_key:
            return []
        before = self.memory.of(key)
        known = self.memory.answered(question, answer.version, answer.problem, answer.hint)
        is_news = before is None or _version(before.newest) != _version(known.newest)
        self.schedule.end(question, is_news=is_news)
        self._tell(question, before, known)
        return self._after(question, before, known)

    async def _failed(self, question: ImageQuestion, failure: Failure) -> list[str]:
        before = self.memory.of(question.key)
        instead = None
        if self.memory.newest(question.key) is None and not question.is_local:
            instead = await self.asking.instead(question.image)
        if question.key not in self.schedule.questions.by_key:
            return []
        known = self.memory.failed(question, failure, instead)
        self._told_of(question, before)
        if not isinstance(failure, LetAlone) and not self.schedule.look_again(question.key):
            self._tell_problem(question, before, known)
        return self._after(question, before, known)

    def _after(
        self, question: ImageQuestion, before: ImageKnowledge | None, known: ImageKnowledge
    ) -> list[str]:
        """Name what another answer, or another reason why there is none, is of concern for."""
        old = before.newest if before else None
        if _version(known.newest) != _version(old):
            self.desired_state.images_changed()
            return [Kind.CHANGED_APPS]
        if known.newest is None and known.problem != (before.problem if before else ""):
            self.desired_state.images_changed()  # who waits says why
            return Kind.APP.keys(self.schedule.questions.apps.get(question.key, ()))
        return []

    def unknown(self) -> tuple[UnknownImages, ...]:
        """Say of which images it is not known whether there is a newer version."""
        known = filter(None, map(self.memory.of, self.schedule.questions.by_key))
        unknown = [one for one in known if one.problem]
        if not unknown:
            return ()
        from supervisor.core.status.unknown_images import unknown_images  # noqa: PLC0415

        return unknown_images(unknown)

    # What the event log tells

    def _tell(
        self, question: ImageQuestion, before: ImageKnowledge | None, known: ImageKnowledge
    ) -> None:
        old, new = before.newest if before else None, known.newest
        if known.problem:
            self._tell_problem(question, before, known)
        elif self._told_of(question, before):
            host = (
                "" if question.is_local or not (before and before.failures) else host_of(question)
            )
            why = f"{host} answers again" if host else "there is a version again"
            self._log(EventKind.RECOVERED, question, why)
        if not known.problem:
            self._said.pop(question.key, None)
        if old and new and _version(old) != _version(new):
            self._log(EventKind.IMAGE, question, f"another version: {new}")

    def _told_of(self, question: ImageQuestion, before: ImageKnowledge | None) -> set[str]:
        """Return the problems that the event log tells of, those from before a start as well."""
        known = {before.problem} if before and before.problem else set()
        return self._said.setdefault(question.key, known)

    def _tell_problem(
        self, question: ImageQuestion, before: ImageKnowledge | None, known: ImageKnowledge
    ) -> None:
        """Log a problem once, however often it is met in a row, across restarts too."""
        said = self._told_of(question, before)
        if known.problem not in said and len(said) < _MOST_SAID:
            said.add(known.problem)
            self._log(EventKind.IMAGE, question, known.problem, ok=False, detail=known.hint)

    def _log(
        self,
        kind: EventKind,
        question: ImageQuestion,
        reason: str,
        *,
        ok: bool = True,
        detail: str = "",
    ) -> None:
        """Write it down for each app: who looks at the events of one sees it, too."""
        apps: Sequence[str] = sorted(self.schedule.questions.apps.get(question.key, ()))
        events = [
            Event(kind=kind, ok=ok, app=app, subject=question.image, reason=reason, detail=detail)
            for app in apps
        ]
        if events:
            self.memory.ledger.append(*events)


def _version(one: ImageVersion | None) -> tuple[str, str] | None:
    """What counts of a version: not when it was seen."""
    return (one.runs, one.tag) if one else None
