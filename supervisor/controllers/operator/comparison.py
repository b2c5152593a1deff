"""What two releases of an app differ in, as the store and the ledger have them.

Part of `controllers.operator.service`. Texts are compared by whoever asks: that may take long.
"""

from collections.abc import Collection, Sequence

import msgspec

from supervisor.controllers.desired.contents import contents_of
from supervisor.controllers.operator.app_names import AppNames
from supervisor.controllers.ports import Ledger, SourceReader
from supervisor.core.status.diff import LIMIT, pair, too_large
from supervisor.model.comparison import CompareQuery, Comparison, ImagePair
from supervisor.model.diff import TextPair
from supervisor.model.errors import Stalled
from supervisor.model.rollout import Rollout
from supervisor.model.source import TreeFile, stored


class Comparer(msgspec.Struct, frozen=True, kw_only=True):
    """For one question."""

    names: AppNames
    ledger: Ledger
    reader: SourceReader

    async def compare(self, query: CompareQuery) -> Comparison:
        """Compare them. Raises Stalled for an app or a release that is not there."""
        self.names.check([query.app])
        rollouts = self.ledger.rollouts(query.app)
        old, new = (_find(rollouts, query.app, word) for word in (query.old, query.new))
        return Comparison(
            app=query.app,
            old=old.release,
            new=new.release,
            old_revision=old.revision,
            new_revision=new.revision,
            old_author=old.author,
            new_author=new.author,
            files=await self._files(old, new),
            images=_images(old, new),
        )

    async def _files(self, old: Rollout, new: Rollout) -> tuple[TextPair, ...]:
        before = {file.path: file for file in old.files}
        after = {file.path: file for file in new.files}
        paths = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        olds = await self._contents(old.source, [before[one] for one in paths if one in before])
        news = await self._contents(new.source, [after[one] for one in paths if one in after])
        return tuple(_pair(path, before.get(path), after.get(path), olds, news) for path in paths)

    async def _contents(self, source: str, files: Collection[TreeFile]) -> dict[str, bytes]:
        """Return what is stored of these, but for what is too large to be shown, by blob id."""
        small = [file for file in files if file.size <= LIMIT]
        if await self.reader.holds(source, tuple(stored(small))):
            return await contents_of(self.reader, source, small)
        there = [file for file in small if await self.reader.holds(source, tuple(stored([file])))]
        return await contents_of(self.reader, source, there)


def _find(rollouts: Sequence[Rollout], app: str, word: str) -> Rollout:
    found = [one for one in rollouts if one.release.startswith(word)]
    if len(found) != 1:
        many = "more than one release" if found else "no release"
        raise Stalled(
            f"{many} of {app} begins with “{word}”", hint=f"podvisor history {app} shows them"
        )
    return found[0]


def _pair(
    path: str,
    old: TreeFile | None,
    new: TreeFile | None,
    olds: dict[str, bytes],
    news: dict[str, bytes],
) -> TextPair:
    for file, contents in ((old, olds), (new, news)):
        if file and file.size > LIMIT:
            return too_large(path, is_here=old is not None, is_wanted=new is not None)
        if file and file.oid not in contents:
            there = {"old": "" if old else None, "new": "" if new else None}
            return TextPair(path=path, hidden="not stored any more", **there)
    return pair(path, olds[old.oid] if old else None, news[new.oid] if new else None)


def _images(old: Rollout, new: Rollout) -> tuple[ImagePair, ...]:
    return tuple(
        ImagePair(image=image, old=old.images.get(image, ""), new=new.images.get(image, ""))
        for image in sorted({*old.images, *new.images})
        if old.images.get(image) != new.images.get(image)
    )
