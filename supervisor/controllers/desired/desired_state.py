"""Desired state of all apps, kept in step with the sources: from snapshots to deployments.

Before it: `controllers.sources.source` hands in snapshots. After it: `controllers.apps.reconciler`
plans the deployments. What Podman's generator made of an app is kept until the app, what it refers
to, or the generator changes. What cannot be read or judged of one app or source is its own affair:
all others are worked out.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import anyio
import msgspec

from supervisor.controllers.desired.app_renderer import AppRenderer
from supervisor.controllers.desired.compositions import Compositions
from supervisor.controllers.desired.image_pins import ImagePins
from supervisor.controllers.desired.revisions import RevisionHistory
from supervisor.controllers.desired.said import Said
from supervisor.controllers.desired.scales import Scales
from supervisor.controllers.desired.unit_index import UnitIndex
from supervisor.controllers.isolate import each_now
from supervisor.controllers.ports import Folder
from supervisor.controllers.state.current_settings import CurrentSettings
from supervisor.core.desired.certificate_users import (
    doubtful_users,
    misplaced_uses,
    with_named_users,
)
from supervisor.core.desired.conflicts import app_conflicts, unit_conflicts
from supervisor.core.desired.dependencies import refused_for_order
from supervisor.core.desired.discovery import Composition, told
from supervisor.core.desired.news import asks, says
from supervisor.core.desired.prune_guard import Permit, PruneGuard
from supervisor.core.desired.unit_moves import leaned_on, still_needed
from supervisor.core.desired.unread import all_left_out, leaving, unread_apps
from supervisor.core.files.published_ports import port_findings
from supervisor.model.app import Candidate, Deployment, DesiredApp
from supervisor.model.errors import Failure, Finding
from supervisor.model.observed import Manifest
from supervisor.model.rollout import Hold
from supervisor.model.settings import Settings
from supervisor.model.source import Snapshot


class DesiredState(msgspec.Struct, kw_only=True):
    """What every app should be now. Reads contents and runs the generator as little as it can."""

    current_settings: CurrentSettings
    divisions: Compositions
    history: RevisionHistory
    renderer: AppRenderer
    images: ImagePins
    scales: Scales
    folder: Folder
    _snapshots: dict[str, Snapshot] = {}
    _undivided: Mapping[str, Failure] = {}
    """Sources that could not be divided into apps."""
    _current: dict[str, Deployment] | None = None
    _working: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    _news: int = 0
    _previous: dict[str, Deployment] = {}
    _told: dict[str, Deployment] = {}
    """As they were when somebody asked for the news."""
    _covered: frozenset[str] | None = None
    """Sources of which it knows every app; None at first."""
    _index: UnitIndex = msgspec.field(default_factory=UnitIndex)
    _newest: dict[str, Candidate] = {}
    _permits: list[Permit] = []
    """One for each request that is under way."""
    source_findings: dict[str, tuple[Finding, ...]] = {}
    """What was found in each source that belongs to no app."""
    compositions: Mapping[str, Composition] = {}
    """Each source as it was divided into apps last."""

    def __post_init__(self) -> None:
        self.current_settings.subscribe(lambda _: self.invalidate())

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self.current_settings.now

    def put(self, snapshot: Snapshot) -> bool:
        """Take a source's newest snapshot; returns whether it says anything new.

        That of a source which the settings do not know (any more) is passed over.
        """
        if snapshot.source not in self.settings.sources:
            return False
        old = self._snapshots.get(snapshot.source)
        self._snapshots[snapshot.source] = snapshot
        if snapshot.source in self._undivided:
            old = None
        if old and says(old) == says(snapshot):
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

    def ask_again(self, apps: Collection[str]) -> None:
        """Have those of these apps worked out anew for which that failed."""
        latest = self.latest()
        if any(name in latest and latest[name].failure for name in apps):
            self._forget()

    def failed(self, source: str) -> tuple[str, ...]:
        """Apps of a source that could not be judged."""
        return tuple(
            name
            for name, one in self.latest().items()
            if one.failure and name in self._newest and self._newest[name].source == source
        )

    @contextmanager
    def pruning(self, apps: Collection[str]) -> Iterator[None]:
        """Let these apps (any, if none is named) go for the time of a person's request.

        That holds for what each source says now: one that says something else meanwhile, as by a
        push that empties it, is guarded again.
        """
        permit = Permit.given_now(apps, self._snapshots)
        self._permits.append(permit)
        self._forget()
        try:
            yield
        finally:
            self._permits.remove(permit)
            self._forget()

    async def deployments(self) -> dict[str, Deployment]:
        """Every app that should be, or that is still here, by name."""
        async with self._working:
            if await self.renderer.is_new() or self.images.is_due():
                self._forget()
            while self._current is None:
                # What comes in while this is worked out must not be lost under its result.
                news = self._news
                current = await self._work_out()
                if news == self._news:
                    self._current = self._previous = current
                    self._covered = frozenset(self.compositions)
        return self._current

    async def news(self) -> tuple[str, ...]:
        """Apps of which something else is asked than when this was called last, or nothing now."""
        old, self._told = self._told, dict(await self.deployments())
        new = self._told
        others = sorted(name for name in {*old, *new} if old.get(name) is not new.get(name))
        return tuple(name for name in others if asks(old.get(name)) != asks(new.get(name)))

    def applied(self, name: str) -> None:
        """Say that an app stands as wanted now: it is its own last good."""
        self._news += 1
        if self._current and (one := self._current.get(name)):
            stands = msgspec.structs.replace(one, last_good=one.wanted)
            if one.last_good and one.last_good != one.wanted:
                self._current = self._previous = {**self._current, name: stands}
            else:
                self._current[name] = stands
            if one.refusal or one.updates or one.scales or (one.held and name in self.images.rules):
                # Nothing is wanted beside what is refused now; and its images may move, or wait.
                self._current = None

    def images_changed(self) -> None:
        """Say that something else is known of images, or of what came of a version of one."""
        self._forget()

    def removed(self, name: str) -> None:
        """Say that an app is gone."""
        self._news += 1
        if self._current:
            left = {one: asked for one, asked in self._current.items() if one != name}
            self._current = self._previous = left

    def latest(self) -> Mapping[str, Deployment]:
        """Every app as it was worked out last; another mapping wherever something went."""
        return self._current or self._previous

    @property
    def is_whole(self) -> bool:
        """Whether `latest` knows of every source which apps it holds, and of each what it asks."""
        if self._covered is None or not self._covered >= self.settings.sources.keys():
            return False
        return not any(one.failure for one in self.latest().values())

    def targets(self) -> frozenset[str]:
        """What the `[Install]` of any unit names."""
        return self._index.follow(self.latest()).targets

    def newest(self, app: str) -> Candidate | None:
        """What the source asks of an app, be it held back or refused; None if it holds none."""
        return self._newest.get(app)

    def snapshot(self, source: str) -> Snapshot | None:
        """Return what a source held when it was read last."""
        return self._snapshots.get(source)

    def secrets(self) -> Mapping[str, str]:
        """Secrets that some app describes, each with that app."""
        return self._index.follow(self.latest()).secrets

    def certificates(self) -> Mapping[str, str]:
        """Certificates that some app describes, each with that app."""
        return self._index.follow(self.latest()).certificates

    def apps_of_certificate(self, name: str) -> Collection[str]:
        """Names of the apps of which a unit uses this certificate: due when it is another one."""
        return self._index.follow(self.latest()).users(name)

    def apps_of_unit(self, unit: str) -> Collection[str]:
        """Names of the apps that have this unit, or have it start theirs; for watches."""
        return self._index.follow(self.latest()).apps(unit)

    async def _work_out(self) -> dict[str, Deployment]:
        manifests = await self._manifests()
        composed = await self._divide(manifests)
        said = self._look_through(composed, manifests)
        candidates, held = await self._choose(composed, manifests, said)
        able = await self._judge(candidates, said)
        installed = {name: one for name, one in manifests.items() if one.files}
        good = await self.history.last_good(installed, able, candidates)
        guard = PruneGuard(
            sources=self.settings.sources,
            snapshots=self._snapshots,
            permits=tuple(self._permits),
        )
        asked = {*able, *said.out}  # with whom is refused for the order, too

        def guarded() -> dict[str, str]:
            return guard.kept(installed, asked, composed, able.values())

        said.refused |= refused_for_order(able, {*asked, *guarded()})
        able = {name: one for name, one in able.items() if name not in said.refused}
        kept, out = guarded(), said.out
        here_to_stay = {*asked, *kept}
        going = {
            name: one
            for name, one in manifests.items()
            if name not in here_to_stay and not guard.lets_go(name, one.source)
        }

        def standing() -> list[DesiredApp]:
            return [one for name, one in good.items() if name in out or name in kept]

        kept |= still_needed(going, [one for one in candidates if one.name in out])
        kept |= leaned_on(going, standing())  # makes more of them stand
        there = standing()
        said.refuse(unit_conflicts(able, manifests, there), misplaced_uses(able, there, good))
        refused, failures, warnings = said.refused, said.failures, said.warnings
        trials = await self.history.on_trial(manifests, refused, candidates)
        wanted = {name: one for name, one in able.items() if name not in refused} | trials
        wanted, good = with_named_users(wanted, good)
        everything = (*wanted.values(), *good.values())
        said.warn(port_findings(wanted), doubtful_users(wanted, everything))
        for name in failures:
            if name in good and good[name].content != manifests[name].content:
                del good[name]  # a trial that cannot be judged is no reason to go back
        self.renderer.remember_only(
            (*self.images.unpinned, *candidates, *good.values(), *trials.values())
        )
        without, spared = all_left_out(manifests, composed)
        current = (
            Deployment(
                name=name,
                wanted=wanted.get(name),
                last_good=good.get(name),
                findings=(() if name in trials else refused.get(name)) or warnings.get(name, ()),
                refusal=refused[name] if name in trials else (),
                newest=self._newest.get(name),
                held=held.get(name),
                keep=name in kept or name in failures,
                keep_reason=kept.get(name, ""),
                failure=failures.get(name),
                left_out=without.get(name, ""),
                spare_volumes=name in spared,
            )
            for name in sorted({*wanted, *refused, *failures, *manifests})
        )
        # One that is as before is the same object, with what was worked out of it.
        old = self._previous
        return {
            one.name: old[one.name] if old.get(one.name) == one else one
            for one in self.scales.laid_over(self.images.told(current))
        }

    async def leaving(self, settings: Settings) -> tuple[Finding, ...]:
        """Say which apps these settings leave out that are here now, and will be removed."""
        manifests = await self._manifests()
        composed, _ = await self.divisions.of(self._snapshots, settings, manifests)
        return tuple(leaving(composed, manifests))

    async def unit_texts(self, app: DesiredApp) -> dict[str, str]:
        """Return the units that the generator makes of an app, by name."""
        others = (one.wanted or one.last_good for one in self.latest().values())
        return await self.renderer.texts(app, [one for one in others if one])

    async def _divide(self, manifests: Mapping[str, Manifest]) -> Mapping[str, Composition]:
        """Divide the sources into apps; what keeps one from that is said of it."""
        self.compositions, self._undivided = await self.divisions.of(
            self._snapshots, self.settings, manifests
        )
        self.source_findings = {
            name: (Finding.of(failure, source=name),) for name, failure in self._undivided.items()
        }
        return self.compositions

    def _look_through(
        self, composed: Mapping[str, Composition], manifests: Mapping[str, Manifest]
    ) -> Said:
        """Say what was found in sources; what belongs to no app is kept with the source."""
        said = Said()
        for name, composition in composed.items():
            beside = [composed[other] for other in self._same_source(name) if other in composed]
            self.source_findings[name] = told(composition, name, beside)
            said.refused |= composition.refused
            said.warnings |= composition.warnings
            mine = {app: one for app, one in manifests.items() if one.source == name}
            settings = self.settings.sources[name]
            gone = unread_apps(self._snapshots[name], settings, composition, mine)
            for app, unread in gone.items():
                said.refused[app] = tuple(dict.fromkeys((*said.refused.get(app, ()), *unread)))
        return said

    async def _choose(
        self,
        composed: Mapping[str, Composition],
        manifests: Mapping[str, Manifest],
        said: Said,
    ) -> tuple[list[Candidate], dict[str, Hold]]:
        """Return what is asked of each app, at the revision that it was tried at or is held at."""
        candidates = [one for some in composed.values() for one in some.candidates]
        holders = {name: one.source for name, one in manifests.items()}
        candidates, clashes = app_conflicts(candidates, holders)
        for name, findings in clashes.items():
            source, slash, _ = name.partition("/")
            if slash:
                self.source_findings[source] = (*self.source_findings[source], *findings)
            else:
                said.refused[name] = findings
        candidates, unchosen = await self.images.lay_over(
            [one for one in candidates if one.name not in said.refused],
            manifests,
            self.settings.images,
        )
        self._newest, unrecognized = each_now(
            candidates,
            lambda one: self.history.as_tried(one, manifests.get(one.name)),
            doing="recognizing",
        )
        asked, unheld = each_now(self._newest.values(), self.history.held, doing="holding")
        said.failures |= unrecognized | unheld
        for name, manifest in manifests.items():
            if manifest.source in self._undivided:
                said.failures[name] = self._undivided[manifest.source]
        held = {name: hold for name, (_, hold) in asked.items() if hold}
        said.failures |= {name: why for name, why in unchosen.items() if name not in held}
        candidates = [one for one, _ in asked.values()]
        said.refused |= await self.history.lost(one for one in candidates if one.name in held)
        return candidates, held

    async def _judge(self, candidates: Iterable[Candidate], said: Said) -> dict[str, DesiredApp]:
        """Return those that are well as they are, each with what the generator made of it."""
        out = said.out
        judged = await self.renderer.judge([one for one in candidates if one.name not in out])
        known, said.warnings = said.warnings, {}
        for name, one in judged.items():
            findings = (*known.get(name, ()), *one.findings)
            if one.failure:
                said.failures[name] = one.failure
            if one.app:
                said.warnings[name] = findings
            elif one.findings:
                said.refused[name] = findings
        out = said.out
        return {name: one.app for name, one in judged.items() if one.app and name not in out}

    def _same_source(self, name: str) -> Iterator[str]:
        """Yield other sources of the settings that read the same by other globs."""
        here = self.settings.sources[name]
        for other, one in self.settings.sources.items():
            if other != name and one.place == here.place:
                yield other

    async def _manifests(self) -> dict[str, Manifest]:
        manifests = await self.folder.manifests()
        return {name: one for name, one in manifests.items() if one.files or one.objects}
