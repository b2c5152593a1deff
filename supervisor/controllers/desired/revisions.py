"""Apps' revisions that were tried here: which one it is, which it is held at, the way back.

Serves `controllers.desired.desired_state`.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from supervisor.controllers.desired.app_renderer import AppRenderer
from supervisor.controllers.isolate import each_now
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.core.health.gate import is_on
from supervisor.kit.texts import short_id
from supervisor.model.app import Candidate, DesiredApp
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import Manifest
from supervisor.model.rollout import Hold, Rollout
from supervisor.model.source import AppRevision, stored


class RevisionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Revisions that were tried here, as candidates again."""

    reader: SourceReader
    ledger: Ledger
    renderer: AppRenderer

    def as_tried(self, one: Candidate, manifest: Manifest | None) -> Candidate:
        """Return the candidate, at the revision that it was tried at if its content is the same.

        An app's revision is the one in which it last changed: a commit that touches one app of a
        hundred changes nothing for the others; and what failed does not come again by another name.
        """
        # What lies there ahead of a deploy, for its jobs, is no revision.
        if manifest and not manifest.ahead and one.content == manifest.content:
            return one.at(manifest)
        for other in reversed(self.ledger.rollouts(one.name)):
            if one.content == other.content:
                return one.at(other)
        # Other versions of its images are no other revision.
        if manifest and not manifest.ahead and one.base == manifest.base:
            return one.at(manifest)
        for other in reversed(self.ledger.rollouts(one.name)):
            if one.base == other.base:
                return one.at(other)
        return one

    def held(self, one: Candidate) -> tuple[Candidate, Hold | None]:
        """Return what an app is held at, if it is, else itself.

        A hold ends with anything newer, be it what it is held at: a revert.
        """
        hold = self.ledger.get(Hold, one.name)
        if hold is None:
            return one, None
        for other in self.ledger.rollouts(one.name):
            if other.release == hold.release and one.base == hold.base:
                return Candidate.of(other), hold
        return one, None

    async def lost(self, held: Iterable[Candidate]) -> dict[str, tuple[Finding, ...]]:
        """Say of those of these that are held, and of which the content is gone, that they are."""
        unknown = [one for one in held if self.renderer.known(one) is None]
        stored = {one.name for one in await self._stored(unknown)}
        return {
            one.name: (
                one.finding(
                    f"cannot bring it to {short_id(one.revision)}, where it is held:"
                    " its files are not stored any more",
                    hint=f"podvisor resume {one.name} brings it to what its source asks for",
                ),
            )
            for one in unknown
            if one.name not in stored
        }

    async def is_stored(self, tried: Rollout) -> bool:
        """Whether its whole content is still there."""
        return bool(await self._stored([Candidate.of(tried)]))

    async def last_good(
        self,
        manifests: Mapping[str, Manifest],
        wanted: Mapping[str, DesiredApp],
        candidates: Sequence[Candidate],
    ) -> dict[str, DesiredApp]:
        """The way back of each app that is here, as far as its content is still stored."""
        good: dict[str, DesiredApp] = {}
        others: list[Candidate] = []
        # Where a revision is empty, nothing but what its jobs need is here.
        here = [one for one in manifests.values() if one.revision]
        ways, _ = each_now(here, self.way_back, doing="looking for the way back of")
        for name, one in ways.items():
            now = wanted.get(name)
            if now and now.content == one.content:
                good[name] = now
            else:
                others.append(Candidate.of(one))
        return {**good, **await self._again(others, candidates)}

    async def on_trial(
        self,
        manifests: Mapping[str, Manifest],
        refused: Iterable[str],
        candidates: Sequence[Candidate],
    ) -> dict[str, DesiredApp]:
        """What of these apps is here on trial, as far as its content is still stored.

        A newer revision that is refused is no reason to take back one that is not.
        """
        here = [
            Candidate.of(one)
            for name in refused
            if (manifest := manifests.get(name)) and not manifest.ahead
            for one in self.ledger.rollouts(name)
            if one.content == manifest.content and is_on(one)
        ]
        return await self._again(here, candidates)

    async def _again(
        self, others: Sequence[Candidate], candidates: Sequence[Candidate]
    ) -> dict[str, DesiredApp]:
        """Judge what was tried, as far as it is stored and not known; `candidates` are the apps."""
        good: dict[str, DesiredApp] = {}
        unknown: list[Candidate] = []
        stored = await self._stored(others)
        for one in stored:
            if app := self.renderer.known(one):
                good[one.name] = app
            else:
                unknown.append(one)
        if unknown:
            # What leaves its source is still here for those who need it.
            held = {one.name for one in candidates}
            beside = [*candidates, *(one for one in stored if one.name not in held)]
            for name, judged in (await self.renderer.judge(unknown, beside)).items():
                if judged.app:
                    good[name] = judged.app
        return good

    def way_back(self, installed: Manifest) -> AppRevision:
        """Return what of an app passed its gate last; what is installed, where nothing has."""
        tried = self.ledger.rollouts(installed.name)
        applied = self.ledger.applied_app(installed.name)
        good = [one for one in tried if applied and one.release == applied.release]
        good = good or [one for one in tried if one.content == installed.content]
        return good[-1] if good else installed

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
        oids = stored(file for one in candidates for file in one.files).keys()
        try:
            return await self.reader.holds(source, oids)
        except Failure:
            return False
