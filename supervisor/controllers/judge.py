"""Have Podman's generator judge candidates, and remember what it said.

Serves `controllers.desire`. A judgement is kept until the candidate, what it refers to, or the
generator changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from supervisor.controllers.ports import Generator, SourceReader
from supervisor.core.app_files import AppFiles
from supervisor.core.compose import candidate_of, references
from supervisor.core.names import QUADLET_KINDS, shapes_units
from supervisor.core.refusals import is_staged
from supervisor.core.secret_files import is_secret, read_secret_files
from supervisor.model.app import Candidate, DesiredApp
from supervisor.model.errors import Finding
from supervisor.model.source import TreeFile

_Identity = tuple[object, ...]
_LARGEST_AGE_FILE = 1 << 20


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator said of one candidate, and what that rests on."""

    identity: _Identity
    near: dict[str, _Identity | None]
    """Quadlet files of others that it mentions, each with the identity of the app that has it."""
    app: DesiredApp | None
    findings: tuple[Finding, ...]


class Judge:
    """Reads contents and runs the generator as little as it can."""

    def __init__(self, *, reader: SourceReader, generator: Generator) -> None:
        self._reader = reader
        self._generator = generator
        self._judged: dict[tuple[str, str], Judged] = {}
        """By app and revision."""
        self._version = ""

    async def is_new(self) -> bool:
        """Whether the generator is another one than when this was asked last."""
        version = await self._generator.version()
        is_new, self._version = version != self._version, version
        return is_new

    def known(self, one: Candidate) -> DesiredApp | None:
        """Return what is remembered of a candidate that was judged before."""
        judged = self._judged.get((one.name, one.revision))
        app = judged.app if judged else None
        return app if app and app.generator == self._version and is_made_of(app, one) else None

    def remember_only(self, revisions: Mapping[str, Collection[str]]) -> None:
        """Forget all but these revisions of these apps."""
        self._judged = {
            key: judged
            for key, judged in self._judged.items()
            if key[1] in revisions.get(key[0], ())
        }

    async def judge(
        self, candidates: Sequence[Candidate], others: Sequence[Candidate] = ()
    ) -> dict[str, Judged]:
        """Judge these; the generator is asked about those that are not known yet.

        `others` may be referred to, but are not judged themselves.
        """
        pool = {one.name: one for one in (*others, *candidates)}
        providers = _providers(pool)
        identities = {one.name: self._identity(one) for one in pool.values()}

        def near(mentions: Iterable[str]) -> dict[str, _Identity | None]:
            return {m: identities.get(providers.get(m, "")) for m in mentions}

        known = {
            one.name: judged
            for one in candidates
            if (judged := self._judged.get((one.name, one.revision)))
            and judged.identity == identities[one.name]
            and judged.near == near(judged.near)
        }
        fresh = [one for one in candidates if one.name not in known]
        if not fresh:
            return known
        staged, contents, mentions = await self._gather(fresh, pool, providers)
        beside = [one for name, one in staged.items() if one not in fresh]
        generated = await self._generator.generate(fresh, contents=contents, beside=beside)
        for one in fresh:
            secrets, findings = read_secret_files(AppFiles(one, contents))
            findings = (*generated.findings.get(one.name, ()), *findings)
            app = None
            if not any(finding.fatal for finding in findings):
                app = DesiredApp(
                    name=one.name,
                    source=one.source,
                    revision=one.revision,
                    root=one.root,
                    files=one.files,
                    units=generated.units.get(one.name, ()),
                    generator=self._version,
                    prune_volumes=one.name in generated.prune_volumes,
                    settle=generated.settle.get(one.name),
                    rollback=one.name not in generated.no_rollback,
                    after=generated.after.get(one.name, ()),
                    secrets=secrets,
                    overlay=one.overlay,
                    overlaid=one.overlaid,
                )
            known[one.name] = self._judged[one.name, one.revision] = Judged(
                identity=identities[one.name],
                near=near(mentions[one.name]),
                app=app,
                findings=findings,
            )
        return known

    async def texts(self, app: DesiredApp, others: Iterable[DesiredApp]) -> dict[str, str]:
        """Return the units that the generator makes of an app, by name."""
        pool = {one.name: candidate_of(one) for one in others}
        pool[app.name] = mine = candidate_of(app)
        staged, contents, _ = await self._gather([mine], pool, _providers(pool))
        beside = [one for name, one in staged.items() if name != app.name]
        return await self._generator.texts(mine, contents=contents, beside=beside)

    async def _gather(
        self,
        fresh: Iterable[Candidate],
        pool: Mapping[str, Candidate],
        providers: Mapping[str, str],
    ) -> tuple[dict[str, Candidate], dict[str, bytes], dict[str, frozenset[str]]]:
        """Find what has to be staged with these, directly or not: apps, contents, mentions."""
        contents: dict[str, bytes] = {}
        staged = {one.name: one for one in fresh}
        mentions: dict[str, frozenset[str]] = {}
        while new := [one for one in staged.values() if one.name not in mentions]:
            contents.update(await self._contents(new))
            for one in new:
                mentions[one.name] = _mentions(one, contents)
                for name in mentions[one.name]:
                    provider = providers.get(name)
                    if provider and provider not in staged:
                        staged[provider] = pool[provider]
        return staged, contents, mentions

    async def _contents(self, candidates: Iterable[Candidate]) -> dict[str, bytes]:
        """Contents of what the generator reads, and of what describes secrets."""
        contents: dict[str, bytes] = {}
        oids: dict[str, dict[str, None]] = {}
        for one in candidates:
            for file in one.files:
                if _is_read_by_generator(file):
                    oids.setdefault(one.source, {})[file.oid] = None
        for source, wanted in oids.items():
            contents.update(await self._reader.read(source, tuple(wanted)))
        return contents

    def _identity(self, one: Candidate) -> _Identity:
        files = tuple((file.path, file.oid, file.kind) for file in one.files)
        return (one.source, one.root, one.overlay, files, self._version)


def is_made_of(app: DesiredApp, one: Candidate) -> bool:
    """Whether it comes from the same folders of its source."""
    return (app.source, app.root, app.overlay) == (one.source, one.root, one.overlay)


def _providers(pool: Mapping[str, Candidate]) -> dict[str, str]:
    """Quadlet file to the app that has it."""
    return {
        file.path.rpartition("/")[2]: one.name
        for one in pool.values()
        for file in one.files
        if file.path.endswith(tuple(QUADLET_KINDS))
    }


def _is_read_by_generator(file: TreeFile) -> bool:
    return (
        shapes_units(file.path)
        or is_staged(file.path, file.kind)
        or file.path.endswith((".yaml", ".yml"))
        or is_secret(file.path)
        or (file.path.endswith(".age") and file.size <= _LARGEST_AGE_FILE)
    )


def _mentions(one: Candidate, contents: Mapping[str, bytes]) -> frozenset[str]:
    """Names of Quadlet files of other apps that this one's files mention."""
    own = {file.path.rpartition("/")[2] for file in one.files}
    return frozenset(
        name
        for file in one.files
        if shapes_units(file.path)
        for name in references(contents.get(file.oid, b""))
        if name not in own
    )
