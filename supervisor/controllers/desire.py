"""Desired state of all apps, kept in step with the sources: from snapshots to deployments.

Before it: `controllers.source` hands in snapshots. After it: `controllers.app` plans the
deployments. What Podman's generator made of an app is kept until the app, what it refers to, or
the generator changes.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import anyio
import msgspec

from supervisor.controllers.orders import Orders
from supervisor.controllers.ports import Folder, Generator, Ledger, SourceReader
from supervisor.core.app_files import AppFiles
from supervisor.core.compose import Composition, candidate_of, compose, references
from supervisor.core.conflicts import app_conflicts, unit_conflicts
from supervisor.core.moves import units_by_source
from supervisor.core.names import QUADLET_KINDS, runtime_names, shapes_units
from supervisor.core.order import refused_for_order
from supervisor.core.refusals import is_staged
from supervisor.core.secret_files import is_secret, read_secret_files
from supervisor.model.app import Candidate, Deployment, DesiredApp, DesiredUnit
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import Manifest
from supervisor.model.rollout import Hold, Rollout
from supervisor.model.settings import Settings
from supervisor.model.source import Snapshot, TreeFile

_Identity = tuple[object, ...]
_LARGEST_AGE_FILE = 1 << 20


class _Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator said of one candidate, and what that rests on."""

    identity: _Identity
    near: dict[str, _Identity | None]
    """Quadlet files of others that it mentions, each with the identity of the app that has it."""
    app: DesiredApp | None
    findings: tuple[Finding, ...]


class Desires:
    """What every app should be now. Reads contents and runs the generator as little as it can."""

    def __init__(
        self,
        *,
        reader: SourceReader,
        generator: Generator,
        folder: Folder,
        ledger: Ledger,
        orders: Orders,
        settings: Settings,
        specifiers: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.settings = settings
        self._reader = reader
        self._generator = generator
        self._folder = folder
        self._ledger = ledger
        self._orders = orders
        self._specifiers = specifiers
        self._snapshots: dict[str, Snapshot] = {}
        self._judged: dict[tuple[str, str], _Judged] = {}
        self._current: dict[str, Deployment] | None = None
        self._working = anyio.Lock()
        self._news = 0
        self._previous: dict[str, Deployment] = {}
        self._told: dict[str, Deployment] = {}
        """As they were when somebody asked for the news."""
        self._generator_version = ""
        self._indexed: Mapping[str, Deployment] | None = None
        self._index: dict[str, dict[str, None]] = {}
        """Units to their apps; an entry too many only names a key too many."""
        self.prune_allowed: set[str] = set()
        """Sources of which a person said that all their apps may be removed."""
        self.source_findings: dict[str, tuple[Finding, ...]] = {}
        """What was found in each source that belongs to no app."""

    def put(self, snapshot: Snapshot) -> bool:
        """Take a source's newest snapshot; returns whether it says anything new."""
        old = self._snapshots.get(snapshot.source)
        self._snapshots[snapshot.source] = snapshot
        if old and (old.revision, old.findings) == (snapshot.revision, snapshot.findings):
            return False
        self._forget()
        return True

    def invalidate(self) -> None:
        """Work everything out anew at the next look: settings changed, or the owned folder did."""
        self._snapshots = {
            name: one for name, one in self._snapshots.items() if name in self.settings.sources
        }
        self._forget()

    def _forget(self) -> None:
        self._current = None
        self._news += 1

    async def deployments(self) -> dict[str, Deployment]:
        """Every app that should be, or that is still here, by name."""
        async with self._working:
            version = await self._generator.version()
            while self._current is None or version != self._generator_version:
                # What comes in while this is worked out must not be lost under its result.
                news = self._news
                self._generator_version = version
                current = await self._work_out()
                if news == self._news:
                    self._current = self._previous = current
        return self._current

    async def news(self) -> tuple[str, ...]:
        """Apps of which something else is asked than when this was called last, or nothing now."""
        told, self._told = self._told, dict(await self.deployments())
        names = sorted({*told, *self._told})
        return tuple(name for name in names if _asks(told.get(name)) != _asks(self._told.get(name)))

    def applied(self, name: str) -> None:
        """Say that an app stands as wanted now: it is its own last good."""
        self._news += 1
        if self._current and (one := self._current.get(name)):
            self._current[name] = msgspec.structs.replace(one, last_good=one.wanted)

    def removed(self, name: str) -> None:
        """Say that an app is gone."""
        self._news += 1
        if self._current:
            self._current.pop(name, None)

    def latest(self) -> Mapping[str, Deployment]:
        """Every app as it was worked out last, without working anything out."""
        return self._current or self._previous

    def known(self) -> dict[str, tuple[DesiredUnit, ...]]:
        """Units of every app, as far as they were worked out; for watches, which only name keys."""
        return {
            name: tuple(
                unit
                for app in (one.wanted, one.last_good if one.last_good is not one.wanted else None)
                for unit in (app.units if app else ())
            )
            for name, one in self.latest().items()
        }

    def secrets(self) -> dict[str, str]:
        """Secrets that some app describes, each with that app."""
        return {
            secret.name: name
            for name, one in self.latest().items()
            for app in (one.last_good, one.wanted)
            for secret in (app.secrets if app and (one.wanted or one.keep or one.findings) else ())
        }

    def apps_of_unit(self, unit: str) -> Collection[str]:
        """Names of the apps that have this unit; for watches, which only name keys."""
        current = self.latest()
        if self._indexed is not current:
            self._indexed, self._index = current, {}
            for app, units in self.known().items():
                for one in units:
                    for name in runtime_names(one.name, one.instances):
                        self._index.setdefault(name, {})[app] = None
        return self._index.get(unit, ())

    async def _work_out(self) -> dict[str, Deployment]:
        manifests = await self._manifests()
        holders = {name: one.source for name, one in manifests.items()}
        refused: dict[str, tuple[Finding, ...]] = {}
        candidates: list[Candidate] = []
        self.source_findings = {}
        for name, snapshot in self._snapshots.items():
            composition = self._compose(name, snapshot)
            self.source_findings[name] = composition.findings
            candidates.extend(composition.candidates)
            refused.update(composition.refused)
        candidates, clashes = app_conflicts(candidates, holders)
        for name, findings in clashes.items():
            source, slash, _ = name.partition("/")
            if slash:
                self.source_findings[source] = (*self.source_findings[source], *findings)
            else:
                refused[name] = findings
        candidates = [one for one in candidates if one.name not in refused]
        candidates = [self._as_tried(one, manifests.get(one.name)) for one in candidates]
        newest = {one.name: one.revision for one in candidates}
        held: dict[str, Hold] = {}
        candidates = [self._held(one, held) for one in candidates]
        judged = await self._judge(candidates)
        warnings: dict[str, tuple[Finding, ...]] = {}
        for name, one in judged.items():
            if one.findings:
                (warnings if one.app else refused)[name] = one.findings
        able = {name: one.app for name, one in judged.items() if one.app and name not in refused}
        good = await self._last_good(manifests, able, candidates)
        kept = self._kept(manifests, {*able, *refused}, units_by_source(able.values()))
        unordered = refused_for_order(able, {*able, *refused, *kept})
        refused.update(unordered)
        able = {name: one for name, one in able.items() if name not in unordered}
        kept = self._kept(manifests, {*able, *refused}, units_by_source(able.values()))
        standing = [one for name, one in good.items() if name in refused or name in kept]
        refused.update(unit_conflicts(able, holders, standing))
        wanted = {name: one for name, one in able.items() if name not in refused}
        revisions = {name: {one.revision} for name, one in manifests.items()}
        for name, app in good.items():
            revisions.setdefault(name, set()).add(app.revision)
        for candidate in candidates:
            revisions.setdefault(candidate.name, set()).add(candidate.revision)
        self._judged = {
            key: judged
            for key, judged in self._judged.items()
            if key[1] in revisions.get(key[0], ())
        }
        return {
            name: Deployment(
                name=name,
                wanted=wanted.get(name),
                last_good=good.get(name),
                findings=refused.get(name) or warnings.get(name, ()),
                newest=newest.get(name, ""),
                subject=self._subject(newest.get(name, "")),
                held=held.get(name),
                keep=name in kept,
                keep_reason=kept.get(name, ""),
            )
            for name in sorted({*wanted, *refused, *manifests})
        }

    def _compose(self, name: str, snapshot: Snapshot) -> Composition:
        settings = self.settings.sources[name]
        specifiers = self._specifiers() if settings.overlay else {}
        return compose(snapshot, settings, self.settings.limits, specifiers=specifiers)

    async def _manifests(self) -> dict[str, Manifest]:
        manifests = await self._folder.manifests()
        return {name: one for name, one in manifests.items() if one.files or one.units}

    def _as_tried(self, one: Candidate, manifest: Manifest | None) -> Candidate:
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

    def _subject(self, revision: str) -> str:
        for one in self._snapshots.values():
            if one.revision == revision:
                return one.subject
        return ""

    def _held(self, one: Candidate, held: dict[str, Hold]) -> Candidate:
        """Return what an app is held at, if it is; a hold ends with anything newer."""
        hold = self._orders.hold(one.name)
        if hold is None or one.revision not in {hold.revision, hold.instead_of}:
            return one
        for other in self._ledger.rollouts(one.name):
            if other.revision == hold.revision:
                held[one.name] = hold
                return _candidate(other)
        return one

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

    def _kept(
        self,
        manifests: Mapping[str, Manifest],
        held: Collection[str],
        units: Mapping[str, frozenset[str]],
    ) -> dict[str, str]:
        """Apps that left their source but stay, with the reason: nothing prunes everything.

        An app of which another of its source has a unit now (`units`, by source) is not lost: it
        goes by another name.
        """
        kept = {}
        by_source: dict[str, list[str]] = {}
        for name, manifest in manifests.items():
            by_source.setdefault(manifest.source, []).append(name)
        for source, names in by_source.items():
            leaving = [name for name in names if name not in held]
            if source in self.prune_allowed or not leaving:
                continue
            if source not in self.settings.sources:
                reason = f"source {source} is no longer in the settings"
            elif source not in self._snapshots:
                reason = f"source {source} could not be read yet"
            elif len(leaving) == len(names):
                reason = f"source {source} no longer holds any of its {len(names)} apps"
                taken = units.get(source, frozenset())
                leaving = [name for name in leaving if taken.isdisjoint(manifests[name].units)]
            else:
                continue
            kept.update(dict.fromkeys(leaving, reason))
        return kept

    async def _judge(
        self, candidates: Sequence[Candidate], others: Sequence[Candidate] = ()
    ) -> dict[str, _Judged]:
        """Have the generator judge the candidates whose judgement is not known yet.

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
                    generator=self._generator_version,
                    prune_volumes=one.name in generated.prune_volumes,
                    settle=generated.settle.get(one.name),
                    rollback=one.name not in generated.no_rollback,
                    after=generated.after.get(one.name, ()),
                    secrets=secrets,
                    overlay=one.overlay,
                    overlaid=one.overlaid,
                )
            known[one.name] = self._judged[one.name, one.revision] = _Judged(
                identity=identities[one.name],
                near=near(mentions[one.name]),
                app=app,
                findings=findings,
            )
        return known

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

    async def unit_texts(self, app: DesiredApp) -> dict[str, str]:
        """Return the units that the generator makes of an app, by name."""
        others = (one.wanted or one.last_good for one in self.latest().values())
        pool = {one.name: candidate_of(one) for one in others if one}
        pool[app.name] = mine = candidate_of(app)
        staged, contents, _ = await self._gather([mine], pool, _providers(pool))
        beside = [one for name, one in staged.items() if name != app.name]
        return await self._generator.texts(mine, contents=contents, beside=beside)

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
        return (one.source, one.root, one.overlay, files, self._generator_version)

    async def _last_good(
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
            if now and now.revision == one.revision and _is_made_of(now, one):
                good[name] = now
            else:
                others.append(one)
        unknown: list[Candidate] = []
        for one in await self._stored(others):
            known = self._judged.get((one.name, one.revision))
            app = known.app if known else None
            if app and app.generator == self._generator_version and _is_made_of(app, one):
                good[one.name] = app
            else:
                unknown.append(one)
        if unknown:
            for name, judged in (await self._judge(unknown, candidates)).items():
                if judged.app:
                    good[name] = judged.app
        return good


def _asks(one: Deployment | None) -> tuple[object, ...] | None:
    """What a deployment asks; not what it is at, which a pass itself makes another."""
    if one is None:
        return None
    return (one.wanted, one.newest, one.held, one.findings, one.keep, one.keep_reason)


def _is_made_of(app: DesiredApp, one: Candidate) -> bool:
    """Whether it comes from the same folders of its source."""
    return (app.source, app.root, app.overlay) == (one.source, one.root, one.overlay)


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
