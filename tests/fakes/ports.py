"""Fakes of the ports over a machine in memory, for tests of the controllers.

Apps are written in a toy language: a file `web.container` whose content names what it needs, such
as `needs=site.network image=img:1 reads=conf refuse=why warn=why after=db,cache can=reload
onchange=reload job=yes`. What the real generator makes of
real files is for tests/core/test_generated.py and the host.
"""

import asyncio
import hashlib
from contextlib import asynccontextmanager

import msgspec

from supervisor.core.names import unit_kind
from supervisor.model.app import AppNeed, ChangeAction, ChangeRule, DesiredUnit, Generated, UnitKind
from supervisor.model.errors import Finding, Retry, Stalled
from supervisor.model.health import CheckRun, OnFailure, Probe
from supervisor.model.observed import Inventory, JobFailed, ObservedApp
from supervisor.model.podman import PodmanEvent
from supervisor.model.secret import (
    APP_LABEL,
    CONTENT_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    OwnedSecret,
    SecretKind,
    SecretUse,
)
from supervisor.model.source import Snapshot, TreeFile
from supervisor.model.status import WatchStatus
from supervisor.model.webhook import Delivery
from tests.fakes.machine import ROOT, Machine

SUFFIX = {
    UnitKind.CONTAINER: "",
    UnitKind.NETWORK: "-network",
    UnitKind.VOLUME: "-volume",
    UnitKind.PLAIN: "",
}


def oid(content: str) -> str:
    return hashlib.sha1(content.encode()).hexdigest()  # noqa: S324


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
        self.blobs: dict[str, bytes] = {}
        self.latest: dict[str, Snapshot] = {}

    def put(self, source: str, files: dict[str, str]) -> None:
        self.trees[source] = files

    async def fetch(self, name, settings):
        await asyncio.sleep(0.1)
        self.fetches.append(name)
        if name in self.failures:
            raise self.failures[name]
        files = tuple(
            sorted(TreeFile(path=path, oid=oid(text)) for path, text in self.trees[name].items())
        )
        self.blobs.update({oid(text): text.encode() for text in self.trees[name].values()})
        revision = oid(repr(files))
        self.latest[name] = Snapshot(source=name, revision=revision, files=files)
        return self.latest[name]

    async def stored(self, name):
        return self.latest.get(name)

    async def holds(self, name, oids):
        return self.blobs.keys() >= set(oids)

    async def read(self, name, oids):
        return {one: self.blobs[one] for one in oids}

    async def keep(self, name, revisions):
        pass


class FakeGenerator:
    async def texts(self, app, *, contents, beside=()):
        return {
            f"{file.path.rpartition('.')[0]}.service": unit_text(file, contents)
            for file in app.files
            if unit_kind(file.path)
        }

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.runs = 0

    async def version(self):
        return "5.4.2"

    async def generate(self, apps, *, contents, beside=()):
        self.runs += 1
        await asyncio.sleep(0.2)
        there = {f.path.rpartition("/")[2] for one in (*apps, *beside) for f in one.files}
        units: dict[str, tuple[DesiredUnit, ...]] = {}
        findings: dict[str, tuple[Finding, ...]] = {}
        after: dict[str, tuple[AppNeed, ...]] = {}
        for one in apps:
            made = []
            for file in one.files:
                kind = unit_kind(file.path)
                if kind is None:
                    continue
                words = dict(
                    word.partition("=")[::2] for word in contents[file.oid].decode().split()
                )
                if "refuse" in words:
                    findings[one.name] = (
                        Finding(message=words["refuse"], app=one.name, source=one.source),
                    )
                if "warn" in words:
                    findings[one.name] = (
                        Finding(message=words["warn"], app=one.name, fatal=False),
                    )
                if "after" in words:
                    after[one.name] = tuple(
                        AppNeed(app=name, path=f"{one.root}/{file.path}", line=1)
                        for name in words["after"].split(",")
                    )
                need = words.get("needs", "")
                if need and need not in there:
                    message = f"requested Quadlet unit {need} was not found"
                    findings[one.name] = (Finding(message=message, app=one.name),)
                base = file.path.rpartition("/")[2].rpartition(".")[0]
                unit = DesiredUnit(
                    name=f"{base}{SUFFIX[kind]}.service",
                    kind=kind,
                    path=file.path,
                    digest=file.oid,
                    wanted_by=("default.target",)
                    if kind is UnitKind.CONTAINER and "job" not in words
                    else (),
                    requires=(made_of(need),) if need else (),
                    images=(words["image"],) if "image" in words else (),
                    reads=(words["reads"],) if "reads" in words else (),
                    secrets=(words["secret"],) if "secret" in words else (),
                    secret_uses=(SecretUse(words["secret"], file.path, 1),)
                    if "secret" in words
                    else (),
                    health_interval=float(words.get("health", 0)),
                    idle_interval=float(words["idle"]) if "idle" in words else None,
                    probe=probe_of(words),
                    object_name=words.get("name", f"systemd-{base}"),
                    oneshot=kind is not UnitKind.CONTAINER or "job" in words,
                    can_reload=words.get("can") == "reload",
                    live=(words["reads"],) if "reads" in words else (),
                    on_change=(ChangeRule(action=ChangeAction(words["onchange"])),)
                    if "onchange" in words
                    else (),
                    before_deploy="job" in words,
                    remain_after_exit=kind is not UnitKind.CONTAINER,
                )
                self.machine.catalogue[file.path.rpartition("/")[2], file.oid] = unit
                made.append(unit)
            units[one.name] = tuple(made)
        return Generated(units=units, findings=findings, after=after)


def unit_text(file, contents):
    return f"[Service]\nExecStart={contents[file.oid].decode()}\n"


def made_of(file):
    base, _, suffix = file.rpartition(".")
    return f"{base}-network.service" if suffix == "network" else f"{base}.service"


def probe_of(words):
    if "probe" not in words:
        return None
    return Probe(
        target=words["probe"],
        scheme="tcp",
        interval=float(words.get("every", 30)),
        on_failure=OnFailure(words.get("fails", "none")),
    )


class _Watch:
    """A watch that tests speak into."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str] = asyncio.Queue()

    @asynccontextmanager
    async def open(self):
        async def seen():
            while True:
                yield await self.queue.get()

        yield seen()


class FakeFolder:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.touched = _Watch()
        self.foreign: dict[str, str] = {}
        self.looked: list[str] = []
        """Apps that were observed."""
        self.full = False

    @property
    def root(self):
        return ROOT

    async def manifests(self):
        return dict(self.machine.manifests)

    async def observe(self, app, *, wanted=()):
        self.looked.append(app)
        return ObservedApp(
            name=app,
            manifest=self.machine.manifests.get(app),
            files=tuple(self.machine.files.get(app, {}).values()),
        )

    async def contents(self, app, paths, *, limit):
        here = self.machine.files.get(app, {})
        blobs = self.machine.blobs
        return {path: blobs[here[path].oid][:limit] for path in paths if here[path].oid in blobs}

    async def foreign_units(self):
        return self.foreign

    async def write_manifest(self, manifest):
        if manifest.files:
            self.machine.manifests[manifest.app] = manifest
        else:
            self.machine.manifests.pop(manifest.app, None)

    async def write_file(self, app, file, content):
        if self.full:
            raise Retry(f"cannot write {file.path}: disk full")
        assert oid(content.decode()) == file.oid
        self.machine.files.setdefault(app, {})[file.path] = file
        self.machine.blobs[file.oid] = content

    async def remove_file(self, app, path):
        self.machine.files[app].pop(path, None)

    def watch(self):
        return self.touched.open()


class FakeSystemd:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.changes = _Watch()
        self.jobs: list[tuple[str, str]] = []
        self.watched: set[str] = set()
        self.slow: dict[str, float] = {}
        """Unit to how long its start takes."""
        self.lost = False
        self.now = FakeClock().now
        self.mends: dict[str, str] = {}
        """Unit that is broken to the content with which it is not."""

    async def units(self, names, *, details=()):
        if self.lost:
            raise Retry("cannot reach systemd")
        return {name: self.state(name) for name in names}

    def state(self, name):
        if name.endswith(".target"):
            return msgspec.structs.replace(self.machine.state(name), load="loaded", active="active")
        return self.machine.state(name)

    async def health_checks(self, *, troubled=False):
        runs = {
            one.id: CheckRun.FAILED if one.streak else CheckRun.WAITING
            for unit, one in self.machine.checks.items()
            if unit in self.machine.running
        }
        return {
            one: run for one, run in runs.items() if not troubled or run is not CheckRun.WAITING
        }

    async def start(self, unit, *, timeout_seconds):
        self.jobs.append(("start", unit))
        await asyncio.sleep(self.slow.get(unit, 0.1))
        return self._start(unit)

    def _start(self, unit):
        definition = self.machine.loaded.get(unit)
        if definition is None:
            return JobFailed(unit=unit, result="not-found")
        works = self.mends.get(unit)
        if unit in self.machine.broken and definition.digest != (works and oid(works)):
            self.machine.failed.add(unit)
            return JobFailed(unit=unit, result="failed", detail="exit code 1")
        self.machine.failed.discard(unit)
        for need in definition.requires:
            if need in self.machine.loaded and self._start(need):
                return JobFailed(unit=unit, result="dependency")
        self.machine.make_object(unit)
        self.machine.running[unit] = definition.digest
        self.machine.since[unit] = self.now()
        self.changes.queue.put_nowait(unit)
        return None

    async def stop(self, unit, *, timeout_seconds):
        self.jobs.append(("stop", unit))
        self.machine.running.pop(unit, None)

    async def restart(self, unit, *, timeout_seconds):
        self.jobs.append(("restart", unit))
        self.machine.running.pop(unit, None)
        await asyncio.sleep(self.slow.get(unit, 0))
        if (one := self.machine.loaded.get(unit)) and one.before_deploy:
            self.machine.ran.append(one.digest)
            self.machine.failed.discard(unit)
            if unit not in self.machine.broken:
                return None
            self.machine.failed.add(unit)
            return JobFailed(unit=unit, result="failed", detail="no such table")
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

    async def reload_unit(self, unit, *, timeout_seconds):
        self.jobs.append(("reload", unit))
        if unit in self.machine.broken or unit not in self.machine.running:
            return JobFailed(unit=unit, result="failed", detail="exit code 1")
        return None

    async def run_once(self, name, *, command, folder, timeout_seconds):
        self.jobs.append(("run", name))

    async def reload(self):
        self.machine.reload()

    async def reset_failed(self, unit):
        self.machine.failed.discard(unit)

    async def enable(self, path, *, install):
        self.machine.enabled[path.rpartition("/")[2]] = path

    async def disable(self, unit):
        self.machine.enabled.pop(unit, None)

    def watch(self):
        return self.changes.open()

    async def watch_units(self, names):
        self.watched = set(names)

    def dies(self, unit):
        """A unit's process ends, with `Restart=no`."""
        self.machine.running.pop(unit, None)
        self.machine.failed.add(unit)
        self.changes.queue.put_nowait(unit)


class FakePodman:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.events = _Watch()
        self.rechecks = 0
        self.registry: set[str] = set()
        self.pulls: list[str] = []
        self.asked_for_health = 0
        self.intervals: list[float] = []
        self.down = False
        self.secrets: dict[str, bytes] = {}
        self.labels: dict[str, dict[str, str]] = {}
        """Of the secrets that have some."""
        self.puts: list[str] = []

    async def secret(self, name):
        return self.secrets.get(name)

    def has_secret(self, name, content):
        """A person makes a secret."""
        self.secrets[name] = content
        self.labels.pop(name, None)
        self.events.queue.put_nowait(PodmanEvent(type="secret", name=name))

    def loses_secret(self, name):
        """A person removes a secret."""
        del self.secrets[name]
        self.labels.pop(name, None)
        self.events.queue.put_nowait(PodmanEvent(type="secret", name=name))

    async def put_secret(self, name, content, *, labels):
        if name in self.secrets and name not in self.labels:
            raise Stalled(f"secret {name} is not podvisor's")
        self.puts.append(name)
        self.has_secret(name, content)
        self.labels[name] = dict(labels)

    async def remove_secret(self, name):
        if name in self.labels:
            self.loses_secret(name)

    async def inventory(self, *, images=(), networks=False, **_):
        if self.down:
            raise Retry("cannot reach Podman")
        return Inventory(
            images=frozenset(self.machine.images & set(images)),
            networks=frozenset(self.machine.networks),
            volumes=frozenset(self.machine.volumes),
            secrets={
                name: self.labels.get(name, {}).get(CONTENT_LABEL) or oid(content.decode())
                for name, content in self.secrets.items()
            },
            owned_secrets={
                name: OwnedSecret(
                    app=labels[APP_LABEL],
                    made_of=labels[MADE_OF_LABEL],
                    content=labels[CONTENT_LABEL],
                    stays=labels[REMOVAL_LABEL] == "never",
                )
                for name, labels in self.labels.items()
            },
            containers=(),
        )

    async def pull(self, image, *, timeout_seconds):
        self.pulls.append(image)
        await asyncio.sleep(60)
        if image not in self.registry:
            raise Retry(f"cannot pull {image}: no route to host")
        self.machine.images.add(image)

    async def health(self, containers):
        self.asked_for_health += 1
        if self.down:
            raise Retry("cannot reach Podman")
        return {one.id: one for one in self.machine.checks.values() if one.id in containers}

    async def set_health_interval(self, container, seconds):
        self.intervals.append(seconds)
        self.machine.set_health_interval(container, seconds)

    async def remove_container(self, container):
        pass

    async def remove_network(self, network):
        self.machine.networks.discard(network)

    async def remove_volume(self, volume):
        self.machine.volumes.discard(volume)

    def watch(self, show):
        show(WatchStatus(what="Podman's events", way="journal", reason="of a test", cost="none"))
        return self.events.open()

    def recheck(self):
        self.rechecks += 1


class FakeSecrets:
    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    async def read(self, reference):
        if reference not in self.known:
            raise Stalled(f"cannot read {reference}", hint="make it")
        return self.known[reference]


class FakeVault:
    """Files that begin with `sealed:` are open to it."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.generated = 0

    def made_of(self, secret):
        return self.mark(secret.kind.encode(), secret.oid.encode())

    def mark(self, *parts):
        return oid(repr(parts))

    async def open(self, root, wanted):
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

    async def is_genuine(self, token, *, issuer, key_name):
        self.asked += 1
        if self.failure:
            raise self.failure
        return token in self.genuine


class FakeListener:
    """Hands what tests send to the reception, as `api.webhooks` does."""

    def __init__(self) -> None:
        self.address = ""
        self.moves: list[str] = []
        self.taken: set[str] = set()
        """Addresses on which somebody else listens."""
        self.reception = None

    async def run(self, reception, *, task_status):
        self.reception = reception
        task_status.started()

    async def move(self, address):
        if address == self.address:
            return
        self.address = ""
        await asyncio.sleep(0.05)
        if address in self.taken:
            raise Retry(f"cannot listen for webhooks on {address}: address already in use")
        self.address = address
        self.moves.append(address)

    async def knock(self, path, *, headers, body, peer="127.0.0.1", method="POST"):
        sender = self.reception.sender(peer, headers)
        answer = self.reception.admit(sender, method=method, path=path)
        if answer is None:
            delivery = Delivery(headers=headers, body=body)
            answer = await self.reception.receive(sender, path=path, delivery=delivery)
        return answer.status, answer.text


class FakeGitHost:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        """Revision, state and description of all that it was told."""
        self.contexts: set[str] = set()
        self.tokens: set[bytes] = set()
        self.tries = 0
        self.failure: Exception | None = None

    async def tell(self, api, status, *, context, token):
        self.tries += 1
        await asyncio.sleep(0.1)
        if self.failure:
            raise self.failure
        self.told.append((status.revision, status.state.value, status.description))
        self.contexts.add(context)
        self.tokens.add(token)


class FakeProber:
    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.asked: list[tuple[float, str]] = []

    async def probe(self, probe):
        self.asked.append((asyncio.get_running_loop().time(), probe.target))
        await asyncio.sleep(0.01)
        return self.failures.get(probe.target, "")


class FakeFolders:
    def __init__(self) -> None:
        self.changes = _Watch()
        self.watched: dict[str, str] = {}

    def watch(self):
        return self.changes.open()

    async def watch_folders(self, folders):
        self.watched = dict(folders)


class FakeHost:
    def __init__(self) -> None:
        self.changes = _Watch()

    def watch(self):
        return self.changes.open()
