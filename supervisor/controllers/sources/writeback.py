"""Write the tags that policies chose back into Git, once they are good. Keys `writeback:SOURCE`.

A pass commits all that its source's files do not name yet. That the source is at the commit then is
no news: the files name what runs. What a person takes back stays back: an order pins it.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.keys import Kind
from supervisor.controllers.ports import Ledger, Registry, SourceReader, SourceWriter
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.files.unitfile import Refused
from supervisor.core.images.found import version_of
from supervisor.core.images.reference import name_and_tag
from supervisor.core.images.words import short_name
from supervisor.core.images.writeback import (
    as_read,
    is_ours,
    is_said,
    message,
    rewritten,
    tag_change,
)
from supervisor.kit.clock import Clock
from supervisor.kit.texts import short_id
from supervisor.kit.workqueue import WorkQueue
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import ImageOrder, ImageRule, ImageVersion, Pin, order_key
from supervisor.model.rollout import Outcome
from supervisor.model.settings import Settings, SourceSettings
from supervisor.model.source import FileKind, Snapshot
from supervisor.model.writeback import NewCommit, PushedBranch, PushedCommit, TagChange, WrittenBack

_GATHER_SECONDS = 5.0
"""Apps that pass their gates within are written back in one commit."""
_MOVED_SECONDS = 60.0


class _Line(NamedTuple):
    """What a file of a source says of an image that a policy moves, and what runs well."""

    app: str
    path: str
    rule: ImageRule
    good: tuple[Pin, ...]
    """Of the release that passed its gate; nothing while another one is wanted."""

    @property
    def tag(self) -> str:
        return name_and_tag(self.rule.question.image)[1]

    @property
    def key(self) -> str:
        return order_key(self.app, self.rule.question.key)


class WriteBackController(msgspec.Struct, kw_only=True):
    """Compares what runs with what the sources' files name."""

    desired_state: DesiredState
    reader: SourceReader
    writer: SourceWriter
    registry: Registry
    ledger: Ledger
    clock: Clock
    queue: WorkQueue
    settings: CurrentSettings
    _looked: dict[str, tuple[str, tuple[_Line, ...]]] = {}
    """As each source stood when it was looked at; the loop tries again what failed."""

    def __post_init__(self) -> None:
        self.settings.subscribe(self._forget)

    def arm(self) -> None:
        """Have the sources looked at of which something changed. Cheap, asks nobody."""
        for name, settings in self.settings.now.sources.items():
            if not settings.writeback:
                continue
            looked, stands = self._looked.get(name), self._stands(name)
            if looked and looked[0] != stands[0]:
                self.queue.add(Kind.WRITEBACK.key(name))  # a person's word is heard at once
            elif looked != stands:
                self.queue.add_in(Kind.WRITEBACK.key(name), _GATHER_SECONDS)

    def _forget(self, _: Settings) -> None:
        """Look anew at each source: the settings are other ones, and may not ask for it now."""
        self.queue.add(*Kind.WRITEBACK.keys(self._looked))
        self._looked.clear()

    async def reconcile(self, name: str) -> list[str]:
        """Hear what people took back, and commit what is to be named. Raises what that raises."""
        settings = self.settings.now.sources.get(name)
        if settings is None or not settings.writeback:
            self._looked.pop(name, None)
            return [Kind.PULL_REQUEST.key(name)]  # there was one, perhaps
        await self.desired_state.deployments()
        snapshot = self.desired_state.snapshot(name)
        revision, lines = self._looked[name] = self._stands(name)
        if snapshot is None:
            return []
        if heard := await self._hear(lines, revision, merged=bool(settings.writeback_branch)):
            self.desired_state.images_changed()
            return Kind.APP.keys(heard)
        pushed = self._pushed(name, settings, lines)
        changes = self._changes(lines, settings, pushed)
        refused = await self._write(snapshot, settings, changes, pushed)
        if settings.writeback_branch:
            self.queue.add(Kind.PULL_REQUEST.key(name))
        if refused:
            raise Stalled(
                f"cannot write an image's tag back to source {name}: {refused[0]}",
                hint=refused[0].hint,
            )
        return []

    def _stands(self, name: str) -> tuple[str, tuple[_Line, ...]]:
        """Return all that counts of a source, to be compared."""
        snapshot = self.desired_state.snapshot(name)
        return (snapshot.revision if snapshot else "", tuple(self._lines(name)))

    def _lines(self, name: str) -> Iterator[_Line]:
        latest = self.desired_state.latest()
        for app, rules in self.desired_state.images.rules.items():
            newest, one = self.desired_state.newest(app), latest.get(app)
            if newest is None or newest.source != name or one is None:
                continue
            wanted, good = one.wanted, one.last_good
            stands = wanted and good and wanted.content == good.content
            is_asked = stands and not (one.held or one.refusal or one.failure or one.keep)
            pins = wanted.pins if wanted and is_asked and wanted.base == newest.base else ()
            for rule in rules:
                if not rule.question.names_tag:
                    yield _Line(app, newest.source_path(rule.path), rule, pins)

    # What people say

    async def _hear(self, lines: Sequence[_Line], revision: str, *, merged: bool) -> list[str]:
        """Take what was committed and is not there any more for a person's word.

        Returns the apps of whose images something else is wanted now.
        """
        by_key: dict[str, list[_Line]] = {}
        for line in lines:
            by_key.setdefault(line.key, []).append(line)
        heard: dict[str, None] = {}
        for key, written in self.ledger.all(WrittenBack).items():
            if mine := by_key.get(key):
                if await self._hear_of(written, mine, revision, merged=merged):
                    heard[written.app] = None
            elif written.app not in self.desired_state.latest():
                self.ledger.drop(WrittenBack, key)
        return [*heard]

    async def _hear_of(
        self, written: WrittenBack, lines: list[_Line], revision: str, *, merged: bool
    ) -> bool:
        line = next((one for one in lines if one.tag != written.tag), lines[0])
        policy = line.rule.question.policy
        now = as_read(written, revision, line.tag, policy, merged=merged)
        order = self.ledger.get(ImageOrder, line.key)
        pinned = order.pinned if order else None
        if now == written:
            if written.stays_at and not pinned:
                self.ledger.drop(WrittenBack, line.key)  # a person let it go
            return False
        if now is None:
            self.ledger.drop(WrittenBack, line.key)
            if pinned and pinned.tag == written.stays_at:
                self.ledger.drop(ImageOrder, line.key)
                self._log(EventKind.RESUMED, line, f"Git names {line.tag}: it is followed again")
                return True
            return False
        is_own = pinned and written.stays_at and pinned.tag == written.stays_at
        if now.stays_at and (is_own or not pinned):
            version = await self._version(line)
            taken = written.was if merged and not written.is_seen else written.tag
            reason = f"a person took {taken} back in Git"
            with self.ledger.together():
                at = self.clock.now()
                self.ledger.put(
                    ImageOrder(app=line.app, question=line.rule.question.key, pinned=version,
                               at=at, reason=reason),
                    line.key,
                )  # fmt: skip
                self.ledger.put(now, line.key)
                self._log(EventKind.PINNED, line, f"{reason}: it stays at {version}")
            return True
        self.ledger.put(now, line.key)
        return False

    async def _version(self, line: _Line) -> ImageVersion:
        """Return what the tag stood for when it ran here, or stands for now."""
        question = line.rule.question
        for tried in reversed(self.ledger.rollouts(line.app)):
            for pin in tried.pins:
                if (pin.question, pin.tag) == (question.key, line.tag):
                    return ImageVersion(runs=pin.runs, tag=pin.tag)
        found = await self.registry.digest(question.image, authfile=question.authfile)
        return version_of(question.image, found, seen_at=self.clock.now())

    # What is written

    def _pushed(
        self, name: str, settings: SourceSettings, lines: Sequence[_Line]
    ) -> PushedBranch | None:
        """Return what stands in the branch of podvisor's own.

        Once the source's files say all of it, it is no proposal any more: the next begins anew.
        """
        pushed = self.ledger.get(PushedBranch, name)
        if not pushed or pushed.branch != settings.writeback_branch:
            return None
        tags = {(line.path, line.rule.question.key): line.tag for line in lines}
        if pushed.changes and is_said(pushed.changes, tags):
            pushed = msgspec.structs.replace(pushed, changes=())
            self.ledger.put(pushed, name)
        return pushed

    def _changes(
        self, lines: Sequence[_Line], settings: SourceSettings, pushed: PushedBranch | None
    ) -> list[TagChange]:
        proposed = {(one.path, one.question): one for one in (pushed.changes if pushed else ())}
        changes = []
        for line in lines:
            before = proposed.get((line.path, line.rule.question.key))
            if line.good or before is None:
                change = tag_change(line.app, line.path, line.rule, line.good)
                if change is None or not self._passed(line):
                    continue
            elif before.image == line.rule.question.image:
                # Another version is on trial: until that is decided, what was proposed stands.
                change = msgspec.structs.replace(before, line=line.rule.line)
            else:
                continue
            order = self.ledger.get(ImageOrder, line.key)
            written = self.ledger.get(WrittenBack, line.key)
            is_on_its_way = written and written.tag == change.tag and not written.is_seen
            if order and order.pinned:
                continue  # that is this host's own affair
            if is_on_its_way and not settings.writeback_branch:
                continue
            changes.append(change)
        return sorted(changes)

    def _passed(self, line: _Line) -> bool:
        """Whether a gate let what runs pass: what is installed may be on its first trial."""
        return any(
            one.outcome is Outcome.GOOD and one.pins == line.good
            for one in self.ledger.rollouts(line.app)
        )

    async def _write(
        self,
        snapshot: Snapshot,
        settings: SourceSettings,
        changes: list[TagChange],
        pushed: PushedBranch | None,
    ) -> list[Refused]:
        """Commit and push what is not there yet; returns what cannot be changed."""
        name = snapshot.source
        files, done, refused = await self._files(snapshot, changes)
        stands = pushed and pushed.changes == tuple(done) and pushed.ref == settings.ref
        if done and not stands:
            host = os.uname().nodename
            commit = NewCommit(
                onto=snapshot.revision,
                files=files,
                message=message(done, host),
                at=self.clock.now(),
                replaces=pushed.commit if pushed else "",
            )
            if commit_made := await self.writer.commit(name, settings, commit):
                self._written(snapshot, settings, done, commit_made)
            else:
                self.queue.add_in(Kind.WRITEBACK.key(name), _MOVED_SECONDS)
            self.queue.add(Kind.SOURCE.key(name))
        return refused

    async def _files(
        self, snapshot: Snapshot, changes: list[TagChange]
    ) -> tuple[dict[str, bytes], list[TagChange], list[Refused]]:
        """Return the files as they are to be, what changes in them, and what cannot be changed."""
        wanted = {one.path for one in changes}
        oids = {
            file.path: file.oid
            for file in snapshot.files
            if file.path in wanted and file.kind is not FileKind.SYMLINK
        }
        contents = await self.reader.read(snapshot.source, list(oids.values()))
        files: dict[str, bytes] = {}
        done, refused = [], []
        for one in changes:
            content = files.get(one.path, contents.get(oids.get(one.path, ""), b""))
            try:
                files[one.path] = rewritten(content, one)
            except Refused as why:
                refused.append(why)
            else:
                done.append(one)
        return files, done, refused

    def _written(
        self,
        snapshot: Snapshot,
        settings: SourceSettings,
        changes: list[TagChange],
        commit: PushedCommit,
    ) -> None:
        own = settings.writeback_branch
        with self.ledger.together():
            if own:
                pushed = PushedBranch(
                    branch=own,
                    commit=commit.oid,
                    ref=settings.ref,
                    onto=commit.branch,
                    changes=tuple(changes),
                )
                self.ledger.put(pushed, snapshot.source)
            for one in changes:
                was, key = name_and_tag(one.image)[1], order_key(one.app, one.question)
                before = self.ledger.get(WrittenBack, key)
                written = WrittenBack(
                    app=one.app,
                    question=one.question,
                    onto=snapshot.revision,
                    commit=commit.oid,
                    was=was,
                    was_ours=before is not None and is_ours(before, was),
                    tag=one.tag,
                )
                self.ledger.put(written, key)
                where = f"branch {own}" if own else "Git"
                says = f"{one.path} names {one.tag}, not {was}"
                why = f"written to {where} in {short_id(commit.oid)}: {says}"
                self.ledger.log(EventKind.IMAGE, app=one.app, subject=one.image, reason=why)

    def _log(self, kind: EventKind, line: _Line, why: str) -> None:
        image = line.rule.question.image
        reason = f"{short_name(image)}: {why}"
        self.ledger.log(kind, app=line.app, subject=image, reason=reason)
