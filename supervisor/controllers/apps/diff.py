"""What would change, as texts: the installed files beside those that are wanted.

Serves `controllers.operator.service`. Texts are compared by whoever asks: that may take long.
"""

from collections.abc import Collection

import msgspec

from supervisor.controllers.desired.contents import contents_of
from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.ports import Folder, SourceReader
from supervisor.core.status.diff import LIMIT, pair, too_large
from supervisor.model.app import Deployment, DesiredApp
from supervisor.model.diff import AppDiff, TextPair
from supervisor.model.source import TreeFile


class Differ(msgspec.Struct, frozen=True, kw_only=True):
    """Reads both sides."""

    desired_state: DesiredState
    reader: SourceReader
    folder: Folder

    async def diff(self, names: Collection[str], *, units: bool) -> tuple[AppDiff, ...]:
        """Compare these apps (all, if empty). Raises what reading raises."""
        everything = await self.desired_state.deployments()
        chosen = [everything[name] for name in names or everything]
        return tuple([await self._app(one, units=units) for one in chosen])

    async def _app(self, one: Deployment, *, units: bool) -> AppDiff:
        last, wanted = one.last_good, one.wanted
        there = await self.folder.observe(
            one.name, wanted=[file.path for file in wanted.files] if wanted else ()
        )
        stays = wanted is None and (one.keep or any(found.fatal for found in one.findings))
        texts = () if stays else await self._files(one, there.files)
        return AppDiff(
            app=one.name,
            revision=there.manifest.revision if there.manifest else "",
            wanted_revision=wanted.revision if wanted else "",
            held=one.held,
            files=texts,
            units=await self._units(last, wanted) if units and not stays else (),
            findings=one.findings,
        )

    async def _files(self, one: Deployment, there: Collection[TreeFile]) -> tuple[TextPair, ...]:
        """Compare what is on disk, whoever wrote it, with what is wanted."""
        old = {file.path: file for file in there}
        new = {file.path: file for file in one.wanted.files} if one.wanted else {}
        paths = [
            path
            for path in sorted({*old, *new})
            if path not in old
            or path not in new
            or (old[path].oid, old[path].kind) != (new[path].oid, new[path].kind)
        ]
        contents = await self.folder.contents(
            one.name, [path for path in paths if path in old], limit=LIMIT + 1
        )
        wanted = {}
        if one.wanted:
            small = [new[path] for path in paths if path in new and new[path].size <= LIMIT]
            wanted = await contents_of(self.reader, one.wanted.source, small)
        return tuple(
            too_large(path, is_here=path in old)
            if path in new and new[path].oid not in wanted
            else pair(
                path,
                contents.get(path, b"") if path in old else None,
                wanted.get(new[path].oid) if path in new else None,
            )
            for path in paths
        )

    async def _units(
        self, last: DesiredApp | None, wanted: DesiredApp | None
    ) -> tuple[TextPair, ...]:
        """Compare what the generator makes of the last good state and of the wanted one."""
        old = await self.desired_state.unit_texts(last) if last else {}
        new = await self.desired_state.unit_texts(wanted) if wanted else {}
        return tuple(
            TextPair(path=name, old=old.get(name), new=new.get(name))
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        )
