"""Apps' revisions that were tried here: which one it is, which it is held at, the way back.

Serves `controllers.desire`.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from supervisor.controllers.judge import Judge, is_made_of
from supervisor.controllers.orders import Orders
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.core.jobs import content_of
from supervisor.model.app import Candidate, DesiredApp
from supervisor.model.errors import Failure
from supervisor.model.observed import Manifest
from supervisor.model.rollout import Hold, Rollout


class Tried:
    """Revisions that were tried here, as candidates again."""

    def __init__(
        self, *, reader: SourceReader, ledger: Ledger, orders: Orders, judge: Judge
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._orders = orders
        self._judge = judge

    def as_tried(self, one: Candidate, manifest: Manifest | None) -> Candidate:
        """Return the candidate, at the revision that it was tried at if its content is the same.

        An app's revision is the one in which it last changed: a commit that touches one app of a
        hundred changes nothing for the others; and what failed does not come again by another name.
        """
        # What lies there ahead of a deploy, for its jobs, is no revision.
        known = () if manifest is None or manifest.ahead else (manifest,)
        for other in (*known, *reversed(self._ledger.rollouts(one.name))):
            if _same_content(one, other):
                return msgspec.structs.replace(one, revision=other.revision)
        return one

    def with_holds(
        self, candidates: Iterable[Candidate]
    ) -> tuple[list[Candidate], dict[str, Hold]]:
        """Put in the place of apps that are held what they are held at."""
        held: dict[str, Hold] = {}
        return [self._held(one, held) for one in candidates], held

    def _held(self, one: Candidate, held: dict[str, Hold]) -> Candidate:
        """Return what an app is held at, if it is; a hold ends with anything newer."""
        hold = self._orders.hold(one.name)
        if hold is None:
            return one
        if one.revision not in {hold.revision, hold.instead_of} and content_of(one) != hold.content:
            return one
        for other in self._ledger.rollouts(one.name):
            if other.revision == hold.revision:
                held[one.name] = hold
                return _candidate(other)
        return one

    async def last_good(
        self,
        manifests: Mapping[str, Manifest],
        wanted: Mapping[str, DesiredApp],
        candidates: Sequence[Candidate],
    ) -> dict[str, DesiredApp]:
        """The way back of each app that is here, as far as its content is still stored."""
        good: dict[str, DesiredApp] = {}
        others: list[Candidate] = []
        for name, manifest in manifests.items():
            if not manifest.revision:
                continue  # nothing but what its jobs need is here
            one = self._way_back(manifest)
            now = wanted.get(name)
            if now and now.revision == one.revision and is_made_of(now, one):
                good[name] = now
            else:
                others.append(one)
        unknown: list[Candidate] = []
        for one in await self._stored(others):
            if app := self._judge.known(one):
                good[one.name] = app
            else:
                unknown.append(one)
        if unknown:
            for name, judged in (await self._judge.judge(unknown, candidates)).items():
                if judged.app:
                    good[name] = judged.app
        return good

    def _way_back(self, manifest: Manifest) -> Candidate:
        """Return what of an app passed its gate last; what is installed, where nothing has."""
        tried = {one.revision: one for one in self._ledger.rollouts(manifest.app)}
        applied = self._ledger.applied().get(manifest.app)
        good = tried.get(applied.revision) if applied else None
        return _candidate(good or tried.get(manifest.revision) or manifest)

    async def _stored(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of which the whole content is still in the store: one question, if all is."""
        stored: list[Candidate] = []
        for source in {one.source for one in candidates}:
            mine = [one for one in candidates if one.source == source]
            if await self._holds(source, mine):
                stored.extend(mine)
            elif len(mine) > 1:
                stored.extend([one for one in mine if await self._holds(source, [one])])
        return stored

    async def _holds(self, source: str, candidates: Iterable[Candidate]) -> bool:
        oids = {file.oid for one in candidates for file in one.files}
        try:
            return await self._reader.holds(source, oids)
        except Failure:
            return False


def _candidate(one: Rollout | Manifest) -> Candidate:
    """Return what was installed as a candidate again."""
    return Candidate(
        name=one.app,
        source=one.source,
        revision=one.revision,
        root=one.root,
        files=one.files,
        overlay=one.overlay,
        overlaid=one.overlaid,
    )


def _same_content(one: Candidate, other: Rollout | Manifest) -> bool:
    if (one.source, one.root, one.overlay) != (other.source, other.root, other.overlay):
        return False
    mine = [(file.path, file.oid, file.kind) for file in one.files]
    return mine == [(file.path, file.oid, file.kind) for file in other.files]
