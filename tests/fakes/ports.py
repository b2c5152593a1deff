"""Fakes of the ports over a machine in memory, for tests of the controllers.

Apps are written in a toy language: a file `web.container` whose content names what it needs, such
as `needs=site.network image=img:1 reads=conf refuse=why warn=why after=db,cache can=reload
onchange=reload job=yes install=x.target tls=site fixed=yes own=yes`. What the real one makes of
real files is for tests/core/render/test_quadlet_output.py and the host.
"""

import asyncio
import posixpath
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, TypeVar

import msgspec
from anyio.abc import TaskStatus

from supervisor.api.webhooks import WebhookRouter
from supervisor.controllers import ports
from supervisor.core.files.names import shapes_units, unit_kind
from supervisor.core.files.source_paths import is_below
from supervisor.core.githost.api import Api
from supervisor.core.images.stored import references
from supervisor.kit.stamps import blob_id
from supervisor.model.app import (
    AfterApp,
    AppOptions,
    Candidate,
    ChangeAction,
    ChangeRule,
    DesiredUnit,
    InstallLine,
)
from supervisor.model.certificate import CertificateUse
from supervisor.model.commit_status import CommitStatus
from supervisor.model.ending import Ending
from supervisor.model.errors import Failure, Finding, OutOfReach, Retry, Stalled
from supervisor.model.generated import Generated
from supervisor.model.health import CheckRun, ContainerHealth, OnFailure, PlayedContainer, Probe
from supervisor.model.image import (
    ImageKey,
    ImagePolicy,
    ImageQuestion,
    ImageRule,
    PolicyKind,
    PullProgress,
    SignatureDemand,
    StoredImage,
    StoreRoom,
    UpdateMode,
)
from supervisor.model.log import LogLine
from supervisor.model.observed import (
    CONFLICT,
    Container,
    Inventory,
    JobFailed,
    Manifest,
    ObservedApp,
    UnitState,
)
from supervisor.model.podman import PodmanEvent, RegistryRule
from supervisor.model.quadlet import QUADLETS, UnitKind
from supervisor.model.secret import (
    APP_LABEL,
    CERTIFICATE_LABEL,
    CONTENT_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    DesiredSecret,
    OwnedSecret,
    SecretKind,
    SecretUse,
)
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot, TreeFile
from supervisor.model.status import WatchStatus
from supervisor.model.unit_name import replica_names, template_of
from supervisor.model.volumes import ArchiveRoom, VolumeSnapshot
from supervisor.model.webhook import Delivery
from supervisor.model.writeback import NewCommit, PushedCommit
from tests.fakes.machine import ROOT, Machine, catalogued

T = TypeVar("T")

SUFFIX = {UnitKind.PLAIN: "", **{row.kind: row.service for row in QUADLETS.values()}}
_IMAGE = re.compile("[Ii]mage=")
RUN = frozenset({UnitKind.CONTAINER, UnitKind.KUBE})


def oid(content: str) -> str:
    return blob_id(content.encode())


async def at_once(work: Callable[[], T], *, items: int) -> T:
    """Do long work on the loop: virtual time would not wait for a thread."""
    return work()


NOTHING = DesiredUnit(name="none.service", kind=UnitKind.PLAIN, path="none.service", digest="")


class FakeClock:
    """The time of the event loop, so that virtual time moves it too; and of suspends."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.offset = 0.0
        """By how much somebody has set it."""

    def now(self) -> float:
        return 1_000_000.0 + self.offset + asyncio.get_running_loop().time() + self.slept

    def suspended(self) -> float:
        return self.slept


class FakeReader:
    def __init__(self) -> None:
        self.trees: dict[str, dict[str, str]] = {}
        self.failures: dict[str, Exception] = {}
        self.fetches: list[str] = []
        self.seconds = 0.1
        """That a fetch takes."""
        self.blobs: dict[str, bytes] = {}
        self.latest: dict[str, Snapshot] = {}
        self.unread: Collection[str] = ()
        """Paths, of files and folders, that cannot be read now."""
        self.says: dict[str, tuple[str, str]] = {}
        """Subject and author of the newest commit of a source."""
        self.empty: tuple[str, ...] = ()
        """Folders that hold nothing."""
        self.largest_read = 0
        """Bytes that were asked for at once."""
        self.commits: list[NewCommit] = []
        self.branches: dict[tuple[str, str], str] = {}
        """Source and branch to what was pushed there, beside the source's own."""
        self.push_failures: dict[str, Failure] = {}

    def put(self, source: str, files: dict[str, str]) -> None:
        self.trees[source] = files

    async def fetch(self, name: str, settings: SourceSettings) -> Snapshot:
        await asyncio.sleep(self.seconds)
        self.fetches.append(name)
        if name in self.failures:
            raise self.failures[name]
        files = tuple(
            sorted(
                TreeFile(path=path, oid=oid(text), size=len(text))
                for path, text in self.trees[name].items()
                if not any(is_below(path, one) for one in self.unread)
            )
        )
        findings = tuple(
            Finding(
                message="cannot be read: Permission denied",
                source=name,
                path=one,
                hides=one not in self.trees[name],
            )
            for one in self.unread
            if any(is_below(path, one) for path in self.trees[name])
        )
        self.blobs.update({oid(text): text.encode() for text in self.trees[name].values()})
        subject, author = self.says.get(name, ("", ""))
        self.latest[name] = Snapshot(
            source=name,
            revision=oid(repr(files)),
            subject=subject,
            author=author,
            files=files,
            findings=findings,
            empty=self.empty,
        )
        return self.latest[name]

    async def stored(self, name: str) -> Snapshot | None:
        return self.latest.get(name)

    def forget(self, text: str) -> None:
        """Have a file's content stored no more."""
        del self.blobs[oid(text)]

    async def holds(self, name: str, oids: Collection[str]) -> bool:
        return self.blobs.keys() >= set(oids)

    async def read(self, name: str, oids: Sequence[str]) -> dict[str, bytes]:
        if gone := [one for one in oids if one not in self.blobs]:
            raise Stalled(f"cannot read what is stored of source {name}: {gone[0]} is missing")
        found = {one: self.blobs[one] for one in oids}
        self.largest_read = max(self.largest_read, sum(map(len, found.values())))
        return found

    async def keep(self, name: str, revisions: Collection[str]) -> None:
        pass

    async def commit(
        self, name: str, settings: SourceSettings, commit: NewCommit
    ) -> PushedCommit | None:
        await asyncio.sleep(0.1)
        if failure := self.push_failures.get(name):
            raise failure
        tree = dict(self.trees[name])
        if revision_of(tree) != commit.onto:
            return None
        tree |= {path: content.decode() for path, content in commit.files.items()}
        if settings.writeback_branch:
            branch = (name, settings.writeback_branch)
            if self.branches.get(branch, "") != commit.replaces:
                raise Stalled("it holds what was not pushed from here for this source")
            self.branches[branch] = revision_of(tree)
        else:
            self.trees[name] = tree
        self.commits.append(commit)
        return PushedCommit(oid=revision_of(tree), branch=settings.ref or "main")


class FakeGenerator:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.runs = 0
        self.around: dict[str, str] = {}
        """The user's own drop-ins, which are laid over every container."""
        self.failure: Failure | None = None
        """What everything that is asked of it fails of."""
        self.seconds = 0.2
        """How long a run takes."""

    async def version(self) -> str:
        self._work()
        return "5.4.2"

    async def surroundings(self) -> dict[str, str]:
        return dict(self.around)

    async def texts(
        self, app: Candidate, *, contents: Mapping[str, bytes], beside: Sequence[Candidate] = ()
    ) -> dict[str, str]:
        self._work()
        return {
            self._unit(file, contents[file.oid].decode(), app.files).name: unit_text(file, contents)
            for file in app.files
            if unit_kind(file.path)
        }

    def _work(self) -> None:
        if self.failure:
            raise self.failure

    async def generate(
        self,
        apps: Sequence[Candidate],
        *,
        contents: Mapping[str, bytes],
        beside: Sequence[Candidate] = (),
    ) -> Generated:
        self._work()
        self.runs += 1
        await asyncio.sleep(self.seconds)
        there = {f.path.rpartition("/")[2] for one in (*apps, *beside) for f in one.files}
        units: dict[str, tuple[DesiredUnit, ...]] = {}
        findings: dict[str, tuple[Finding, ...]] = {}
        options: dict[str, AppOptions] = {}
        for one in apps:
            texts = [
                (file, contents[file.oid].decode()) for file in one.files if unit_kind(file.path)
            ]
            drop_ins = [file for file in one.files if ".d/" in file.path]
            made = sorted(
                (self._unit(*text, drop_ins) for text in texts), key=lambda unit: unit.name
            )
            found = tuple(finding for text in texts for finding in _found(one, *text, there=there))
            if found:
                findings[one.name] = found
            if not any(finding.fatal for finding in found):
                units[one.name] = tuple(made)
                options[one.name] = AppOptions(
                    prune_volumes=any("prune" in words_of(text) for _, text in texts),
                    one_by_one=any("one-by-one" in words_of(text) for _, text in texts),
                    snapshot=any("snapshot" in words_of(text) for _, text in texts),
                    after=tuple(need for text in texts for need in _needs(one, *text)),
                )
        return Generated(units=units, findings=findings, options=options)

    def _unit(self, file: TreeFile, text: str, files: Iterable[TreeFile]) -> DesiredUnit:
        kind = unit_kind(file.path)
        assert kind
        words = words_of(text)
        need = words.get("needs", "")
        base = file.path.rpartition("/")[2].rpartition(".")[0]
        runs = kind in RUN and "job" not in words
        installed = words.get("install", "default.target" if runs else "")
        wanted_by = (installed,) if installed else ()
        laid = [one for one in files if one.path.startswith(f"{file.path}.d/")]
        pinned = "".join(one.text.partition("Image=")[2].strip() for one in laid if one.text)
        image = pinned or words.get("image", "")
        runs_as = text.partition(" #")[0]
        if pinned and words["track"] not in ("digest", "local"):
            # Of what is laid over, nothing is in the unit that comes of it.
            runs_as = " ".join(word for word in runs_as.split() if not _IMAGE.match(word))
        unit = DesiredUnit(
            name=f"{base}{SUFFIX[kind]}.service",
            kind=kind,
            path=file.path,
            links=(base + ".service",) if kind is UnitKind.PLAIN else (),
            digest=oid(runs_as + (image if pinned else ""))
            + ("".join(self.around.values()) if kind is UnitKind.CONTAINER else ""),
            wanted_by=wanted_by,
            installs=tuple(
                InstallLine(key="WantedBy", target=target, path=file.path, line=1)
                for target in wanted_by
            ),
            requires=(made_of(need),) if need else (),
            networks=(words["in"],) if "in" in words else (),
            images=(image,) if image else (),
            volumes=(words["mounts"],) if "mounts" in words else (),
            authfile=words.get("authfile", ""),
            image_rule=_rule(words, file, text),
            verify=key_of(words["verify"]) if "verify" in words else None,
            reads=(words["reads"],) if "reads" in words else (),
            secret_uses=(SecretUse(words["secret"], file.path, 1),) if "secret" in words else (),
            certificate_uses=(
                CertificateUse(
                    name=words["tls"],
                    fixed="fixed" in words,
                    own_place="own" in words,
                    path=file.path,
                    line=1,
                ),
            )
            if "tls" in words
            else (),
            health_interval=float(words.get("health", 0)),
            startup_retries=int(words.get("startup", 0)),
            log_driver=words.get("log", ""),
            idle_interval=float(words["idle"]) if "idle" in words else None,
            probe=probe_of(words),
            object_name=words.get("name", f"systemd-{base}".replace("@", "_%i")),
            instances=replica_names(int(words.get("replicas", 0))),
            replicas=int(words["replicas"]) if "replicas" in words else None,
            only_one=f"ContainerName={name}"
            if "%" not in (name := words.get("name", "%i"))
            else "",
            max_unavailable=int(words.get("unavailable", 1)),
            oneshot=kind not in RUN | {UnitKind.PLAIN} or "job" in words,
            build_command=("podman", "build") if kind is UnitKind.BUILD else (),
            can_reload=words.get("can") == "reload",
            live=(words["reads"],) if "reads" in words else (),
            on_change=(ChangeRule(action=ChangeAction(words["onchange"])),)
            if "onchange" in words
            else (),
            before_deploy="job" in words,
            remain_after_exit=kind not in RUN,
        )
        self.machine.catalogue[catalogued(file, laid)] = unit
        return unit


def _rule(words: Mapping[str, str], file: TreeFile, text: str) -> ImageRule | None:
    """`image=reg.example/web:1 track=digest`, or `local`; `update=`, `cooldown=`, `keep=` too."""
    if "track" not in words:
        return None
    return ImageRule(
        question=ImageQuestion(
            image=words["image"],
            is_local=words["track"] == "local",
            authfile=words.get("authfile", ""),
            policy=ImagePolicy(kind=PolicyKind(words["track"].replace("local", "digest"))),
        ),
        path=file.path,
        line=next((at for at, line in enumerate(text.split("\n"), 1) if _IMAGE.match(line)), 0),
        update=UpdateMode(words["update"]) if "update" in words else None,
        cooldown=float(words["cooldown"]) if "cooldown" in words else None,
        window=words.get("window"),
        keep=int(words["keep"]) if "keep" in words else None,
    )


def key_of(name: str) -> ImageKey:
    """`verify=me`: the key that is the app's file me.pub."""
    return ImageKey(path=f"{name}.pub", der=name.encode(), fingerprint=name)


def words_of(text: str) -> dict[str, str]:
    """What is written as in a unit file, `Image=`, is `image=`."""
    words = dict(word.partition("=")[::2] for word in text.split())
    if "Image" in words:
        words["image"] = words.pop("Image")
    return words


def revision_of(tree: Mapping[str, str]) -> str:
    """The revision of a source that holds these files, and no others."""
    files = (TreeFile(path=path, oid=oid(text), size=len(text)) for path, text in tree.items())
    return oid(repr(tuple(sorted(files))))


def _found(
    app: Candidate, file: TreeFile, text: str, *, there: Collection[str]
) -> Iterator[Finding]:
    """What the generator says against a file."""
    words = words_of(text)

    def finding(message: str, *, absent: str = "", fatal: bool = True) -> Finding:
        path = posixpath.join(app.root, file.path)
        return Finding(
            message=message,
            app=app.name,
            source=app.source,
            path=path,
            absent=absent,
            fatal=fatal,
        )

    if "refuse" in words:
        yield finding(words["refuse"])
    if "lacks" in words:
        yield finding("is not there", absent=words["lacks"], fatal=False)
    if "warn" in words:
        yield finding(words["warn"], fatal=False)
    if (need := words.get("needs", "")) and need not in there:
        yield finding(f"requested Quadlet unit {need} was not found")


def _needs(app: Candidate, file: TreeFile, text: str) -> Iterator[AfterApp]:
    names = words_of(text).get("after", "")
    for name in names.split(",") if names else ():
        yield AfterApp(app=name, path=f"{app.root}/{file.path}", line=1)


def unit_text(file: TreeFile, contents: Mapping[str, bytes]) -> str:
    return f"[Service]\nExecStart={contents[file.oid].decode()}\n"


def made_of(file: str) -> str:
    base, _, suffix = file.rpartition(".")
    return (
        f"{base}-{suffix}.service"
        if suffix in {"network", "volume", "build"}
        else f"{base}.service"
    )


def probe_of(words: Mapping[str, str]) -> Probe | None:
    if "probe" not in words:
        return None
    return Probe(
        target=words["probe"],
        scheme="tcp",
        interval=float(words.get("every", 30)),
        on_failure=OnFailure(words.get("fails", "none")),
    )


class FakeWatch(Generic[T]):
    """A watch that tests speak into."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[T] = asyncio.Queue()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[T]]:
        async def seen() -> AsyncIterator[T]:
            while True:
                yield await self.queue.get()

        yield seen()


class FakeFolder:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.touched = FakeWatch[str]()
        self.foreign: dict[str, str] = {}
        self.looked: list[str] = []
        """Apps that were observed."""
        self.by_hand: dict[str, set[str]] = {}
        """What somebody put into the apps' folders."""
        self.full = False
        self.in_the_way: set[tuple[str, str]] = set()
        """Apps and paths in them where something stands that is not podvisor's."""
        self.edits = 0
        """How often somebody changed what stands here."""

    @property
    def root(self) -> str:
        return ROOT

    async def manifests(self) -> dict[str, Manifest]:
        return dict(self.machine.manifests)

    async def observe(
        self, app: str, *, wanted: Collection[str] = (), asked: Collection[str] = ()
    ) -> ObservedApp:
        self.looked.append(app)
        manifest = self.machine.manifests.get(app)
        claimed = {file.path for file in manifest.files} if manifest else set()
        here = self.machine.files.get(app, {})
        return ObservedApp(
            name=app,
            manifest=manifest,
            files=tuple(file for path, file in here.items() if path in claimed | set(wanted)),
            unowned_files=tuple(
                sorted(path for path in here.keys() - claimed if shapes_units(path))
            ),
            links={
                link: path for link, (owner, path) in self.machine.links.items() if owner == app
            },
            by_hand=tuple(path for path in asked if path in self.by_hand.get(app, ())),
        )

    async def contents(self, app: str, paths: Collection[str], *, limit: int) -> dict[str, bytes]:
        here = self.machine.files.get(app, {})
        blobs = self.machine.blobs
        return {
            path: blobs[here[path].oid][:limit]
            for path in paths
            if path in here and here[path].oid in blobs
        }

    async def foreign_units(self) -> dict[str, str]:
        return self.foreign

    async def write_manifest(self, manifest: Manifest) -> None:
        if not manifest.claims_nothing:
            self.machine.manifests[manifest.name] = manifest
        else:
            self.machine.manifests.pop(manifest.name, None)

    async def write_files(self, app: str, files: Sequence[tuple[TreeFile, bytes]]) -> None:
        if self.full:
            raise Retry(f"cannot write {files[0][0].path}: disk full")
        for file, _ in files:
            if (app, file.path) in self.in_the_way:
                raise Stalled(
                    f"cannot write {file.path}: it is in the way, and is not podvisor's",
                    hint="move it away",
                )
        for file, content in files:
            assert oid(content.decode()) == file.oid
            if b"unwritable" in content.split():
                raise Retry(f"cannot write {file.path}: input/output error")
            self.machine.files.setdefault(app, {})[file.path] = file
            self.machine.blobs[file.oid] = content
            if b"fought" in content.split():
                asyncio.get_running_loop().call_later(0.1, self.edit, app, file.path)

    def edit(self, app: str, path: str) -> None:
        """Somebody changes a file, after whom podvisor looks."""
        if path in self.machine.files.get(app, {}):
            self.edits += 1
            self.machine.files[app][path] = TreeFile(path=path, oid=oid("of somebody"))
            self.touched.queue.put_nowait(app)

    async def remove_files(self, app: str, paths: Sequence[str]) -> None:
        for path in paths:
            self.machine.files.get(app, {}).pop(path, None)

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.touched.open()


class FakeSystemd:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.changes = FakeWatch[str]()
        self.jobs: list[tuple[str, str]] = []
        self.watched: set[str] = set()
        self.processes: dict[str, asyncio.TimerHandle] = {}
        """Those that will end by themselves."""
        self.slow: dict[str, float] = {}
        """Unit to how long its start takes."""
        self.slow_to_stop: dict[str, float] = {}
        """Unit to how long its stop, or its reload, takes."""
        self.unreloadable: set[str] = set()
        """Units whose reload fails."""
        self.lost = False
        self.now: Callable[[], float] = FakeClock().now
        self.states = {
            name: UnitState(name=name, load="loaded", active="active", sub="active")
            for name in ("default.target", "basic.target", "timers.target", "sockets.target")
        }
        """Of units that it says something else of than the machine."""
        self.unmet: dict[str, str] = {}
        """Unit to the condition of its own that is not met."""
        self.tested: dict[str, float] = {}
        """Such units to when that was found."""
        self.mends: dict[str, str] = {}
        """Unit that is broken to the content with which it is not."""
        self.said: dict[str, str] = {}
        """Unit to its last words."""
        self.said_at: dict[str, float] = {}
        """Unit to when these come to the journal."""
        self.words_read: list[str] = []
        """Units of which somebody asked for the last words."""
        self.passed_over: set[str] = set()
        """Units of which the journal has not taken all."""
        self.ended: dict[str, str] = {}
        """Unit to how it ended."""
        self.paused: set[str] = set()
        """Units of which somebody paused the container, or that are frozen."""
        self.frozen: set[str] = set()
        """Units that somebody froze."""
        self.drop_ins: dict[str, tuple[str, ...]] = {}
        """Unit to what somebody laid over it by hand."""
        self.ending: set[str] = set()
        """Units whose container has ended, of which systemd has yet to tell."""
        self.restart_seconds = 1.0
        """RestartSec= of every unit."""
        self.looked: list[str] = []
        """Units of which the details were read."""

    async def units(
        self, names: Collection[str], *, details: Collection[str] = ()
    ) -> dict[str, UnitState]:
        self._reach()
        self.looked += details
        return {name: self.state(name, details=name in details) for name in names}

    def _reach(self) -> None:
        if self.lost:
            raise OutOfReach("cannot reach systemd", what="systemd")

    async def _take(self, verb: str, unit: str, *, seconds: float, timeout_seconds: float) -> None:
        """Let a job take its time; systemd goes on with one that is waited for no longer."""
        self._reach()
        self.jobs.append((verb, unit))
        await asyncio.sleep(min(seconds, timeout_seconds))
        if seconds > timeout_seconds:
            raise Retry(
                f"cannot {verb} {unit} yet: its job has not ended after {timeout_seconds:g} s"
            )

    def state(self, name: str, *, details: bool = True) -> UnitState:
        state = self.states.get(name) or self.machine.state(name)
        if not details:
            told = ("name", "load", "active", "sub", "job")
            state = UnitState(**{field: getattr(state, field) for field in told})
        elif name in self.tested and state.active == "inactive":
            unmet, tested_at = self.unmet.get(name, ""), self.tested[name]
            return msgspec.structs.replace(state, unmet=unmet, tested_at=tested_at)
        return msgspec.structs.replace(
            state,
            paused=state.is_up and name in self.paused | self.frozen,
            frozen=state.is_up and name in self.frozen,
            drop_ins=self.drop_ins.get(name, ()),
            ending=state.is_up and name in self.ending,
        )

    def conflicts(self, unit: str, other: str) -> None:
        """Have another unit start, which stops this one, and keeps it down until it has ended."""
        self.unmet[unit], self.tested[unit] = f"{CONFLICT}{other}", self.now()
        self.machine.running.pop(unit, None)
        self.changes.queue.put_nowait(unit)

    async def instances(self, templates: Collection[str]) -> dict[str, str]:
        self._reach()
        known = {*self.machine.running, *self.machine.failed, *self.machine.restarting}
        instances = {name for name in known if template_of(name) != name}
        return {
            name: "failed" if name in self.machine.failed else "active"
            for name in instances
            if template_of(name) in templates
        }

    async def health_checks(self, *, troubled: bool = False) -> dict[str, CheckRun]:
        self._reach()
        runs = {
            one.id: CheckRun.FAILED
            if one.streak and not self.machine.hides_failed_checks
            else CheckRun.WAITING
            for unit, one in self.machine.checks.items()
            if unit in self.machine.running
        }
        return {
            one: run for one, run in runs.items() if not troubled or run is not CheckRun.WAITING
        }

    async def memory(self, units: Collection[str]) -> dict[str, int]:
        return {one: 1 << 20 for one in units if one in self.machine.running}

    async def log(self, unit: str, *, limit: int) -> list[LogLine]:
        lines = self.said.get(unit, "").splitlines()[-limit:]
        return [LogLine(time=float(at), by=unit, text=text) for at, text in enumerate(lines)]

    async def last_words(self, unit: str, *, runs: bool = False) -> Ending:
        self.words_read.append(unit)
        if self.now() < self.said_at.get(unit, 0.0):
            return Ending(how=self.ended.get(unit, ""), is_bare=True)
        lines = tuple(self.said.get(unit, "").splitlines())
        return Ending(how=self.ended.get(unit, ""), lines=lines, has_gap=unit in self.passed_over)

    async def start(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        seconds = self.slow.get(unit, 0.1)
        await self._take("start", unit, seconds=seconds, timeout_seconds=timeout_seconds)
        return self._start(unit)

    def _start(self, unit: str) -> JobFailed | None:
        definition = self.machine.loaded.get(unit)
        if definition is None:
            return JobFailed(unit=unit, result="refused", detail=f"Unit {unit} not found.")
        if unit in self.unmet:
            self.tested[unit] = self.now()
            return None  # to systemd, that is no failure
        works = self.mends.get(unit)
        words = self.machine.words(definition.digest)
        broken = unit in self.machine.broken and definition.digest != (works and oid(works))
        broken = broken or definition.digest in self.machine.bad
        self.machine.restarts.pop(unit, None)
        self.machine.restarting.discard(unit)
        for need in definition.requires:
            is_there = need not in self.machine.loaded or need in self.machine.running
            if not is_there and self._start(need):
                return JobFailed(unit=unit, result="dependency")
        if broken or "dies" in words:
            self.machine.failed.add(unit)
            self.machine.failed_at[unit] = self.now()
            return JobFailed(unit=unit, result="failed", detail=self.said.get(unit, "exit code 1"))
        self.machine.failed.discard(unit)
        if process := self.processes.pop(unit, None):
            process.cancel()
        self.machine.make_object(unit)
        self.paused.discard(unit)
        self.frozen.discard(unit)
        self.ending.discard(unit)
        self.machine.running[unit] = definition.digest
        self.machine.since[unit] = self.now()
        self.changes.queue.put_nowait(unit)
        self.machine.ended.discard(unit)
        if lives := words.get("ends"):
            asyncio.get_running_loop().call_later(float(lives), self.ends, unit)
        if lives := words.get("loops"):
            self._crash_in(float(lives), unit)
        return None

    def _crash_in(self, seconds: float, unit: str) -> None:
        later = asyncio.get_running_loop().call_later
        self.processes[unit] = later(seconds, self._crash, unit, seconds)

    def _crash(self, unit: str, lives: float) -> None:
        """The process of a unit with `Restart=always` ends."""
        if unit in self.machine.running:
            digest = self.machine.running.pop(unit)
            self.machine.restarting.add(unit)
            self.machine.restarts[unit] = self.machine.restarts.get(unit, 0) + 1
            self.changes.queue.put_nowait(unit)
            again = asyncio.get_running_loop().call_later
            again(self.restart_seconds, self._come_back, unit, digest, lives)

    def _come_back(self, unit: str, digest: str, lives: float) -> None:
        if unit in self.machine.restarting:
            self.machine.restarting.discard(unit)
            self.machine.running[unit] = digest
            self.machine.since[unit] = self.now()
            self.changes.queue.put_nowait(unit)
            if lives:
                self._crash_in(lives, unit)

    def crashes(self, unit: str) -> None:
        """The process of a unit with `Restart=always` ends, once."""
        self._crash(unit, 0.0)

    async def stop(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        seconds = self.slow_to_stop.get(unit, 0)
        await self._take("stop", unit, seconds=seconds, timeout_seconds=timeout_seconds)
        self.machine.running.pop(unit, None)
        self.machine.restarting.discard(unit)
        return None

    async def restart(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        self._reach()
        self.machine.running.pop(unit, None)
        self.machine.restarting.discard(unit)
        seconds = self.slow.get(unit, 0)
        await self._take("restart", unit, seconds=seconds, timeout_seconds=timeout_seconds)
        if (one := self.machine.loaded.get(unit)) and one.before_deploy:
            self.machine.ran.append(one.digest)
            self.machine.failed.discard(unit)
            if unit not in self.machine.broken:
                return None
            self.machine.failed.add(unit)
            said = self.said.get(unit, "no such table")
            return JobFailed(unit=unit, result="failed", detail=said)
        along = [
            name
            for name in self.machine.running
            if unit in self.machine.loaded.get(name, NOTHING).requires
        ]
        for name in along:
            self.machine.running.pop(name)
            self.changes.queue.put_nowait(name)
        failed = self._start(unit)
        for name in () if failed else along:
            self._start(name)
        return failed

    async def reload_unit(self, unit: str, *, timeout_seconds: float) -> JobFailed | None:
        seconds = self.slow_to_stop.get(unit, 0)
        await self._take("reload", unit, seconds=seconds, timeout_seconds=timeout_seconds)
        self.changes.queue.put_nowait(unit)  # it was reloading, and is active again
        if (
            unit in self.unreloadable
            or unit in self.machine.broken
            or unit not in self.machine.running
        ):
            return JobFailed(unit=unit, result="failed", detail=self.said.get(unit, "exit code 1"))
        return None

    async def run_once(
        self, name: str, *, command: Sequence[str], folder: str, timeout_seconds: float
    ) -> JobFailed | None:
        await self._take("run", name, seconds=0, timeout_seconds=timeout_seconds)
        unit = self.machine.loaded.get(name.removeprefix("podvisor-"))
        if unit and "unbuildable" in self.machine.words(unit.digest):
            said = self.said.get(name, "Error: building at STEP RUN")
            return JobFailed(unit=name, result="failed", detail=said)
        return None

    async def reload(self) -> None:
        self._reach()
        self.machine.reload()

    async def reset_failed(self, unit: str) -> None:
        self._reach()
        self.machine.failed.discard(unit)

    async def enable(self, path: str, *, install: bool) -> None:
        app, _, name = path.removeprefix(f"{ROOT}/").partition("/")
        self.machine.enable(app, name)

    async def disable(self, unit: str) -> None:
        self.machine.disable(unit)

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.changes.open()

    async def watch_units(self, names: Collection[str]) -> None:
        self.watched = set(names)

    def boots(self) -> None:
        """The user's systemd has come up anew, and is on its way to `default.target`."""
        self.machine.running.clear()
        self.machine.failed.clear()
        self.machine.reload()
        self.states["default.target"] = UnitState(name="default.target", load="loaded", job="start")

    def has_booted(self) -> None:
        """`default.target` is reached."""
        self.states["default.target"] = UnitState(
            name="default.target", load="loaded", active="active", sub="active"
        )
        if "default.target" in self.watched:
            self.changes.queue.put_nowait("default.target")

    def pauses(self, unit: str, *, paused: bool = True) -> None:
        """Somebody pauses a unit's container, or has it go on."""
        (self.paused.add if paused else self.paused.discard)(unit)
        self.changes.queue.put_nowait(unit)

    def freezes(self, unit: str, *, frozen: bool = True) -> None:
        """Somebody freezes a unit, or thaws it."""
        (self.frozen.add if frozen else self.frozen.discard)(unit)
        self.changes.queue.put_nowait(unit)

    def ends(self, unit: str) -> None:
        """A unit's process ends with status 0."""
        if self.machine.running.pop(unit, None):
            self.machine.ended.add(unit)
            self.changes.queue.put_nowait(unit)

    def dies(self, unit: str) -> None:
        """A unit's process ends, with `Restart=no`."""
        self.machine.running.pop(unit, None)
        self.machine.failed.add(unit)
        self.machine.failed_at[unit] = self.now()
        self.changes.queue.put_nowait(unit)


class FakePodman:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events = FakeWatch[PodmanEvent]()
        self.rechecks = 0
        self.kept_lines: dict[str, list[LogLine]] = {}
        """Unit to the lines of its containers that Podman keeps."""
        self.registry: set[str] = set()
        self.pulls: list[str] = []
        self.private: dict[str, str] = {}
        """Images to the authfile that opens them."""
        self.pull_seconds = 60.0
        self.signed: dict[str, frozenset[str]] = {}
        """Images to the fingerprints of the keys that signed them."""
        self.demands: dict[str, frozenset[str]] = {}
        """Repositories to those of the keys that have to have, by Podman's policy."""
        self.rules: tuple[RegistryRule, ...] = ()
        self.digests: dict[str, tuple[str, ...]] = {}
        """Of images that came from a registry."""
        self.size = 40_000_000
        """Of what a pull brings, packed."""
        self.free = 1 << 40
        self.asked_for_health = 0
        self.asked_for_played = 0
        self.intervals: list[float] = []
        self.down = False
        self.secrets: dict[str, bytes] = {}
        self.labels: dict[str, dict[str, str]] = {}
        """Of the secrets that have some."""
        self.unreadable = False
        """Whether no secret can be read."""
        self.puts: list[str] = []
        self.in_use: set[str] = set()
        """Networks and volumes that somebody else's containers use."""

    def _reach(self) -> None:
        if self.down:
            raise Retry("cannot reach Podman")

    async def secret(self, name: str) -> bytes | None:
        self._reach()
        if self.unreadable:
            raise Retry(f"cannot read secret {name}")
        return self.secrets.get(name)

    def has_secret(self, name: str, content: bytes) -> None:
        """A person makes a secret."""
        self.secrets[name] = content
        self.labels.pop(name, None)
        self.events.queue.put_nowait(PodmanEvent(type="secret", name=name))

    def loses_secret(self, name: str) -> None:
        """A person removes a secret."""
        del self.secrets[name]
        self.labels.pop(name, None)
        self.events.queue.put_nowait(PodmanEvent(type="secret", name=name))

    async def put_secret(self, name: str, content: bytes, *, labels: Mapping[str, str]) -> None:
        self._reach()
        if name in self.secrets and name not in self.labels:
            raise Stalled(f"secret {name} is not podvisor's")
        self.puts.append(name)
        self.has_secret(name, content)
        self.labels[name] = dict(labels)

    async def remove_secret(self, name: str) -> None:
        self._reach()
        if name in self.labels:
            self.loses_secret(name)

    async def inventory(
        self,
        *,
        images: Collection[str] = (),
        networks: bool = False,
        volumes: bool = False,
        pods: bool = False,
        secrets: bool = False,
        containers: bool = False,
    ) -> Inventory:
        if images or any((networks, volumes, pods, secrets, containers)):
            self._reach()
        return Inventory(
            images={name: one for name, one in self.machine.image_ids().items() if name in images}
            if images
            else None,
            networks=frozenset(self.machine.networks) if networks else None,
            volumes=frozenset(self.machine.volumes) if volumes else None,
            pods=frozenset(self.machine.pods) if pods else None,
            secrets={name: self._identity(name, content) for name, content in self.secrets.items()}
            if secrets
            else None,
            owned_secrets={
                name: OwnedSecret(
                    app=labels[APP_LABEL],
                    certificate=labels.get(CERTIFICATE_LABEL, ""),
                    made_of=labels[MADE_OF_LABEL],
                    content=labels.get(CONTENT_LABEL, ""),
                    stays=labels[REMOVAL_LABEL] == "never",
                )
                for name, labels in self.labels.items()
                if secrets
            },
            containers=(*self.machine.containers(), *self.machine.image_users())
            if containers
            else None,
        )

    def _identity(self, name: str, content: bytes) -> str:
        labels = self.labels.get(name, {})
        if certificate := labels.get(CERTIFICATE_LABEL):
            return f"certificate {certificate}"
        return labels.get(CONTENT_LABEL) or oid(content.decode())

    async def image_digests(self, reference: str) -> tuple[str, ...]:
        self._reach()
        return self.digests.get(reference, ())

    async def pull(
        self,
        image: str,
        *,
        timeout_seconds: float,
        authfile: str = "",
        anew: bool = False,
        show: Callable[[PullProgress], None] = lambda _: None,
    ) -> None:
        self._reach()
        if authfile != self.private.get(image, authfile):
            raise Stalled(f"cannot pull {image}: unauthorized", hint=f"by {authfile or 'Podman'}")
        self.pulls.append(image)
        await asyncio.sleep(self.pull_seconds / 2)
        show(PullProgress(layers=2, layers_here=1, bytes=self.size // 2, total=self.size))
        await asyncio.sleep(self.pull_seconds / 2)
        if image not in self.registry:
            raise Retry(f"cannot pull {image}: no route to host")
        asks = not anew and image in self.machine.images
        if not asks and not self._demanded(image) <= self.signed.get(image, frozenset()):
            raise Retry(f"cannot pull {image}: no signature exists")
        self.machine.images.add(image)

    async def registry_rules(self) -> Sequence[RegistryRule]:
        return self.rules

    async def demanded(self, image: str) -> SignatureDemand:
        return SignatureDemand(place="policy.json, its entry", keys=self._demanded(image))

    def _demanded(self, image: str) -> frozenset[str]:
        return self.demands.get(image.partition("@")[0], frozenset())

    async def room(self) -> StoreRoom | None:
        self._reach()
        return StoreRoom(
            layers="/store",
            layers_free=self.free,
            downloads="/var/tmp",
            downloads_free=self.free,
            is_one=True,
        )

    async def stored_images(self) -> tuple[StoredImage, ...]:
        self._reach()
        names: dict[str, list[str]] = {}
        for name, identity in self.machine.image_ids().items():
            names.setdefault(identity, []).append(name)
        return tuple(
            StoredImage(
                id=identity,
                names=tuple(called),
                digests=tuple(name.partition("@")[2] for name in called if "@" in name),
            )
            for identity, called in sorted(names.items())
        )

    async def tag_image(self, image: str, name: str) -> None:
        self._reach()
        for one in await self.stored_images():
            if image in references(one):
                self.machine.images.add(name)
                self.machine.pulled_anew[name] = one.id

    async def untag_image(self, name: str) -> None:
        self._reach()
        self.machine.images.discard(name)

    async def remove_image(self, name: str) -> None:
        self._reach()
        used = {one.image_id for one in self.machine.image_users()}
        for one in await self.stored_images():
            if name in one.names and not (one.names == (name,) and one.id in used):
                self.machine.images.discard(name)

    async def health(self, containers: Collection[str]) -> dict[str, ContainerHealth]:
        self.asked_for_health += 1
        self._reach()
        return {one.id: one for one in self.machine.checks.values() if one.id in containers}

    async def played(self, units: Collection[str]) -> tuple[PlayedContainer, ...]:
        self.asked_for_played += 1
        self._reach()
        running = self.machine.running.keys() & set(units)
        services = [
            PlayedContainer(
                id=f"{unit} {self.machine.since[unit]}", name="service", unit=unit, state="running"
            )
            for unit in running
        ]
        others = [one for one in self.machine.played.values() if one.unit in running]
        return (*services, *others)

    def dies(self, container: PlayedContainer) -> None:
        """A container of a `.kube` ends; `container` is what it is then, or a moment later."""
        self.machine.played[container.name] = container
        name, unit = container.name, container.unit
        event = PodmanEvent(type="container", action="died", name=name, unit=unit)
        self.events.queue.put_nowait(event)

    def is_removed(self, container: PlayedContainer) -> None:
        """Somebody removes a container of a `.kube`; the others run on."""
        del self.machine.played[container.name]
        name, unit = container.name, container.unit
        event = PodmanEvent(type="container", action="remove", name=name, unit=unit)
        self.events.queue.put_nowait(event)

    async def failed_checks(self, containers: Collection[str]) -> frozenset[str]:
        if not self.machine.hides_failed_checks:
            return frozenset()
        return frozenset(
            one.id for one in self.machine.checks.values() if one.id in containers and one.streak
        )

    async def set_health_interval(self, container: str, seconds: float) -> None:
        self._reach()
        self.intervals.append(seconds)
        self.machine.set_health_interval(container, seconds)

    async def remove_container(self, container: str) -> None:
        self._reach()

    async def remove_pod(self, pod: str) -> None:
        self._reach()
        self.machine.pods.discard(pod)

    async def remove_network(self, network: str) -> None:
        self._reach()
        guests = [one for one in self.machine.containers() if network in one.networks]
        if network in self.in_use or guests:
            raise Retry(f"cannot remove network {network}: it is being used")
        self.machine.networks.discard(network)

    async def log(self, unit: str, *, limit: int) -> list[LogLine]:
        self._reach()
        return self.kept_lines.get(unit, [])[-limit:]

    async def volume_users(self, volumes: Collection[str]) -> tuple[Container, ...]:
        self._reach()
        theirs = [Container(id="0" * 64, name="theirs", unit="theirs.service", state="running")]
        own = [
            one
            for one in self.machine.containers()
            if set(volumes) & {*self.machine.definition(one.unit).volumes}
        ]
        return (*own, *(theirs if self.in_use.intersection(volumes) else ()))

    async def remove_volume(self, volume: str) -> None:
        self._reach()
        if volume in self.in_use:
            raise Retry(f"cannot remove volume {volume}: it is being used")
        self.machine.volumes.discard(volume)

    def watch(
        self, show: Callable[[WatchStatus], None]
    ) -> AbstractAsyncContextManager[AsyncIterator[PodmanEvent]]:
        show(WatchStatus(what="Podman's events", way="journal", reason="of a test", cost="none"))
        return self.events.open()

    def recheck(self) -> None:
        self.rechecks += 1


class FakeArchive:
    """What volumes hold is a word of the machine's."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.free = 1 << 40
        self.kept: dict[tuple[str, str], dict[str, str]] = {}
        """App and id of a snapshot to its volumes."""
        self.seconds = 30.0
        """How long it takes to export or to put back."""
        self.failure: Failure | None = None
        """What every export fails of, when it is half done."""
        self.load_failure: Failure | None = None
        self.damaged: set[str] = set()
        """Ids of snapshots of which a file is not as it was written."""

    async def room(self, app: str, names: Collection[str]) -> ArchiveRoom:
        self._are_there(names)
        needed = sum(len(self.machine.data.get(name, "")) for name in names)
        return ArchiveRoom(needed=needed, free=self.free, folder="/state/volumes")

    async def save(
        self,
        app: str,
        snapshot: str,
        names: Collection[str],
        *,
        taken: VolumeSnapshot | None,
        timeout_seconds: float,
    ) -> dict[str, int]:
        self._are_there(names)
        await self._work(names, timeout_seconds, self.failure)
        held = {name: self.machine.data.get(name, "") for name in names}
        if taken and taken.id not in self.damaged:
            kept = self.kept.get((app, taken.id), {})
            held.update((name, kept[name]) for name in taken.volumes if name in kept)
        self.kept[app, snapshot] = held
        return {name: len(text) for name, text in held.items()}

    async def check(self, app: str, snapshot: VolumeSnapshot) -> None:
        if snapshot.id in self.damaged or (app, snapshot.id) not in self.kept:
            raise Stalled(f"{snapshot.id} is not as it was written", hint="take another")

    async def load(self, app: str, snapshot: VolumeSnapshot, *, timeout_seconds: float) -> None:
        held = self.kept.get((app, snapshot.id))
        if held is None or snapshot.id in self.damaged:
            raise Retry(f"{snapshot.id} is not as it was written")
        self.machine.data.update(dict.fromkeys(held, "half"))
        self.machine.volumes.update(held)
        await self._work(held, timeout_seconds, self.load_failure)
        self.machine.data.update(held)

    async def keep(self, app: str, snapshots: Collection[str]) -> None:
        for one in [*self.kept]:
            if one[0] == app and one[1] not in snapshots:
                del self.kept[one]

    def _are_there(self, names: Collection[str]) -> None:
        if gone := sorted(set(names) - self.machine.volumes):
            raise Retry(f"no such volume {gone[0]}")

    async def _work(
        self, names: Collection[str], timeout_seconds: float, failure: Failure | None
    ) -> None:
        await asyncio.sleep(min(self.seconds, timeout_seconds))
        if failure:
            raise failure
        if self.seconds > timeout_seconds:
            raise Retry(f"it did not end within {timeout_seconds:g} s")
        for unit in self.machine.running:
            used = set(self.machine.definition(unit).volumes).intersection(names)
            assert not used, f"{unit} writes to {used} meanwhile"


class FakeSecrets:
    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self.slow: dict[str, float] = {}
        """Secret to the seconds that it takes to read."""
        self.asked: list[str] = []

    async def read(self, reference: SecretRef) -> bytes:
        self.asked.append(reference)
        if seconds := self.slow.get(reference):
            await asyncio.sleep(seconds)
        if reference not in self.known:
            raise Stalled(f"cannot read {reference}", hint="make it")
        return self.known[reference]


class FakeDecryptor:
    """Files that begin with `sealed:` are open to it."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.generated = 0

    def made_of(self, secret: DesiredSecret) -> str:
        return self.mark(secret.kind.encode(), secret.oid.encode())

    def mark(self, *parts: bytes) -> str:
        return oid(repr(parts))

    async def open(self, root: str, wanted: Sequence[tuple[DesiredSecret, bytes]]) -> list[bytes]:
        clear = []
        for secret, sealed in wanted:
            self.opened.append(secret.name)
            if secret.kind is SecretKind.GENERATE:
                self.generated += 1
                clear.append(f"generated-{self.generated}".encode())
                continue
            if not sealed.startswith(b"age-encryption.org/sealed:"):
                raise Stalled(f"{root}/{secret.path}: cannot open {secret.place}", hint="mend it")
            clear.append(sealed.removeprefix(b"age-encryption.org/sealed:"))
        return clear


class FakeTokens:
    def __init__(self) -> None:
        self.genuine: set[str] = set()
        self.asked = 0
        self.failure: Exception | None = None

    async def is_genuine(self, token: str, *, issuer: str, key_name: str) -> bool:
        self.asked += 1
        if self.failure:
            raise self.failure
        return token in self.genuine


class FakeListener:
    """Hands what tests send to the router, as `api.webhooks` does."""

    def __init__(self) -> None:
        self.address = ""
        self.moves: list[str] = []
        self.taken: set[str] = set()
        """Addresses on which somebody else listens."""
        self.router: WebhookRouter | None = None

    async def run(self, router: WebhookRouter, *, task_status: TaskStatus[None]) -> None:
        self.router = router
        task_status.started()

    async def move(self, address: str) -> None:
        if address == self.address:
            return
        self.address = ""
        await asyncio.sleep(0.05)
        if address in self.taken:
            raise Retry(f"cannot listen for webhooks on {address}: address already in use")
        self.address = address
        self.moves.append(address)

    async def knock(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        peer: str = "127.0.0.1",
        method: str = "POST",
    ) -> tuple[int, str]:
        if not self.address or self.router is None:
            raise Retry("cannot reach the listener for webhooks: it does not listen")
        headers = {name.lower(): value for name, value in headers.items()}
        sender = self.router.sender(peer, headers)
        answer = self.router.admit(sender, method=method, path=path)
        if answer is None and len(body) > self.router.body_size:
            answer = self.router.too_large(sender)
        if answer is None:
            delivery = Delivery(headers=headers, body=body)
            answer = await self.router.receive(sender, path=path, delivery=delivery)
        return answer.status, answer.text


class FakeGitHost:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        """Revision, state and description of all that it was told."""
        self.contexts: set[str] = set()
        self.tokens: set[bytes] = set()
        self.tries = 0
        self.failure: Exception | None = None

    async def tell(self, api: Api, status: CommitStatus, *, context: str, token: bytes) -> None:
        self.tries += 1
        await asyncio.sleep(0.1)
        if not token.isascii() or not token.decode().isprintable():
            raise Stalled("cannot tell: the token has odd characters", hint="put it alone there")
        if self.failure:
            raise self.failure
        self.told.append((status.revision, status.state.value, status.description))
        self.contexts.add(context)
        self.tokens.add(token)


class FakeProber:
    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.silent: set[str] = set()
        """Targets that take a connection and never answer."""
        self.asked: list[tuple[float, str]] = []

    async def probe(self, probe: Probe) -> str:
        self.asked.append((asyncio.get_running_loop().time(), probe.target))
        if probe.target in self.silent:
            await asyncio.sleep(probe.timeout)
            return f"no answer within {probe.timeout:g} s"
        await asyncio.sleep(0.01)
        return self.failures.get(probe.target, "")


class FakeFolders:
    def __init__(self) -> None:
        self.changes = FakeWatch[str]()
        self.watched: dict[str, str] = {}

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.changes.open()

    async def watch_folders(self, folders: Mapping[str, str]) -> None:
        self.watched = dict(folders)

    def touch(self, folder: str) -> None:
        """Something changes below a folder, whether it is watched or not."""
        for name, path in self.watched.items():
            if path == folder:
                self.changes.queue.put_nowait(name)


class FakeHost:
    def __init__(self) -> None:
        self.changes = FakeWatch[str]()
        self.holders: dict[tuple[int, str], str] = {}
        """Port and protocol to who listens there."""
        self.free_bytes: dict[str, int] = {}
        """Folder to what is free there; a terabyte elsewhere."""

    async def free(self, folders: Collection[str]) -> dict[str, int]:
        return {one: self.free_bytes.get(one, 1 << 40) for one in folders}

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        return self.changes.open()

    async def port_holder(self, port: int, protocol: str) -> str:
        asked = (protocol,) if protocol else ("tcp", "udp")
        return next((self.holders[port, one] for one in asked if (port, one) in self.holders), "")


def _held_to_ports(
    machine: Machine,
) -> tuple[
    ports.SourceReader,
    ports.Generator,
    ports.Folder,
    ports.Systemd,
    ports.Podman,
    ports.Secrets,
    ports.Decryptor,
    ports.Tokens,
    ports.Listener,
    ports.GitHost,
    ports.Prober,
    ports.FolderWatch,
    ports.Host,
    ports.Aside,
]:
    """For mypy, which tells here where a fake is not what its port asks for."""
    return (
        FakeReader(),
        FakeGenerator(machine),
        FakeFolder(machine),
        FakeSystemd(machine),
        FakePodman(machine),
        FakeSecrets(),
        FakeDecryptor(),
        FakeTokens(),
        FakeListener(),
        FakeGitHost(),
        FakeProber(),
        FakeFolders(),
        FakeHost(),
        at_once,
    )
