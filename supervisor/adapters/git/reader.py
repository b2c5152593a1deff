"""The ports SourceReader and SourceWriter: sources of every kind, each with a store of its own.

`credentials` says how a remote is reached; `remote`, `folder` and `artifact` bring something new,
`signatures` and `cosign` say whether it may be taken, `store` holds it, `tree_policy` judges it;
`writer` commits to it.
"""

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec
from msgspec.structs import replace

from supervisor.adapters.git.borrow import borrow
from supervisor.adapters.git.credentials import Access, ReadSecret
from supervisor.adapters.git.errors import StoreBroken
from supervisor.adapters.git.folder import FolderReader
from supervisor.adapters.git.listing import snapshot_of_head
from supervisor.adapters.git.remote import Fetcher
from supervisor.adapters.git.signatures import Signers, check, read_signers
from supervisor.adapters.git.store import Record, Store
from supervisor.kit.folders import remove_tree
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Retry, Stalled
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot
from supervisor.model.writeback import NewCommit, PushedCommit

if TYPE_CHECKING:
    from supervisor.adapters.git.artifact import ArtifactReader, Artifacts

log = logging.getLogger(__name__)


class _Refused(NamedTuple):
    """What HEAD was, by whose signers it was refused, and why."""

    head: str
    signers: str
    failure: Stalled


class _Source(msgspec.Struct):
    """What is known of one source."""

    name: str
    store: Store
    lock: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    changing: anyio.Lock = msgspec.field(default_factory=anyio.Lock)
    """Held around all that changes the store, and taken before `lock`."""
    settings: SourceSettings | None = None
    """By which it was read last."""
    folder: FolderReader | None = None
    artifact: "ArtifactReader | None" = None
    record: Record | None = None
    refused: _Refused | None = None
    is_broken: bool = False
    is_proven: bool = False
    """Whether the store was found whole since the start: a power cut may have torn it."""

    def last(self) -> Record | None:
        """Return the newest snapshot that is in the store."""
        self.record = self.record or self.store.load()
        return self.record

    async def save(self, snapshot: Snapshot, limits: LimitSettings, **more: str) -> None:
        record = Record(file_size=int(limits.file_size), snapshot=snapshot, **more)
        await self.store.save(record)
        self.record = record


async def _no_secret(reference: SecretRef) -> bytes:
    raise Stalled(f"cannot read {reference} here", hint="ask the daemon: podvisor plan")


class GitSources:
    """All sources; `folder` holds their stores. One process at a time may use it.

    What the stores below `base` hold is had from there, and they stay as they are.

    `read_secret` reads the passwords that the settings refer to; below `installed` is what comes
    from sources, and can say nothing of who may sign. Sources that are artifacts are had from
    `artifacts`.
    """

    def __init__(
        self,
        *,
        folder: Path,
        limits: LimitSettings,
        read_secret: ReadSecret = _no_secret,
        installed: Path | None = None,
        base: Path | None = None,
        artifacts: "Artifacts | None" = None,
    ) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._base = base
        self._limits = limits
        self._access = Access(read_secret=read_secret, folder=folder)
        self._installed = installed or folder
        self._fetcher = _fetcher(limits)
        self._sources: dict[str, _Source] = {}

    def configure(self, limits: LimitSettings) -> None:
        """Take other limits; they count from the next fetch on."""
        self._limits = limits
        self._fetcher = _fetcher(limits)
        for source in self._sources.values():
            source.folder = source.artifact = None

    async def fetch(self, name: str, settings: SourceSettings) -> Snapshot:
        """Read the source now; a store found damaged is thrown away and made anew."""
        source = self._source(name)
        async with source.changing, source.lock:
            source.settings = settings
            if not source.is_broken:
                try:
                    return await self._fetch_proven(source, settings)
                except StoreBroken as error:
                    log.warning("store of source %s is damaged (%s): made anew", name, error)
            return await self._make_anew(source, settings)

    async def stored(self, name: str) -> Snapshot | None:
        """Return the newest snapshot that is in the store, without reading the source."""
        async with self._using(name) as source:
            record = source.last()
            return record.snapshot if record else None

    async def holds(self, name: str, oids: Collection[str]) -> bool:
        """Whether all these blobs are in the store."""
        wanted = frozenset(oids)
        async with self._using(name) as source:
            return source.store.exists() and await source.store.has(wanted) == wanted

    async def read(self, name: str, oids: Sequence[str]) -> dict[str, bytes]:
        """Read blobs, each checked against its id; a store found damaged is made anew."""
        wanted = list(dict.fromkeys(oids))
        if not wanted:
            return {}
        async with self._using(name) as source:
            try:
                return await _blobs(source.store, wanted)
            except StoreBroken as error:
                record, settings = source.last(), source.settings
                newest = {file.oid for file in record.snapshot.files} if record else set()
                if settings is None or source.store.is_collecting or not newest.issuperset(wanted):
                    raise  # what the source holds now would not help
                log.warning("store of source %s is damaged (%s): made anew", name, error)
                await self._make_anew(source, settings)
                return await _blobs(source.store, wanted)

    async def keep(self, name: str, revisions: Collection[str]) -> None:
        """Protect these revisions of the source from being collected, and no others."""
        async with self._source(name).changing:
            async with self._using(name) as source:
                await source.store.keep(revisions)
                if not source.store.exists() or not source.store.is_crowded():
                    return
            with _telling(source):
                # That takes its time; who only reads does not wait for it.
                await source.store.collect()

    async def commit(
        self, name: str, settings: SourceSettings, commit: NewCommit
    ) -> PushedCommit | None:
        """Commit to the branch of a Git source, and push; None if that has moved meanwhile."""
        from supervisor.adapters.git.writer import push_commit  # noqa: PLC0415  # few ask for it

        source = self._source(name)
        async with source.changing:
            with _telling(source):
                own = replace(
                    settings,
                    password=settings.writeback_password or settings.password,
                    ssh_key=settings.writeback_ssh_key or settings.ssh_key,
                )
                remote = await self._access.remote(name, own)
                exchange = await self._fetcher.exchange(source.store, remote, verb="push to")
                return await push_commit(
                    source.store, exchange, settings, commit, scratch=self._folder
                )

    async def _fetch_proven(self, source: _Source, settings: SourceSettings) -> Snapshot:
        """Fetch; raises StoreBroken for what git takes for a failure of the other end, too."""
        try:
            snapshot = await self._fetch(source, settings)
        except Retry:
            if not source.is_proven:
                await source.store.check()
                source.is_proven = True
            raise
        source.is_proven = True
        return snapshot

    async def _fetch(self, source: _Source, settings: SourceSettings) -> Snapshot:
        name, store = source.name, source.store
        await store.prepare()
        record = source.last()
        if settings.folder:
            source.folder = source.folder or FolderReader(name, store, self._limits)
            snapshot = await source.folder.fetch(settings.folder)
            if record is None or record.snapshot != snapshot:
                await source.save(snapshot, self._limits)
            return snapshot
        source.folder = None
        if record and record.file_size != self._limits.file_size:
            record = None
        signers = read_signers(settings, installed=self._installed)
        if settings.oci:
            return await self._fetch_artifact(source, settings, signers, record)
        verified = signers.key if signers else ""
        remote = await self._access.remote(name, settings)
        # What HEAD leads to may have been refused: then it is not what the record tells of.
        known = record.snapshot.revision if record and record.head == store.head() else ""
        await self._fetcher.fetch(store, remote, settings.ref, known=known)
        head = store.head()
        if record and (record.head, record.verified) == (head, verified):
            return record.snapshot
        if signers:
            await self._verify(source, settings.ref, signers)
        snapshot = await snapshot_of_head(
            store,
            source=name,
            before=record.snapshot if record else None,
            file_size=self._limits.file_size,
            shown=remote.url.shown,
        )
        if record and record.snapshot == snapshot:
            snapshot = record.snapshot
        await source.save(snapshot, self._limits, head=head, verified=verified)
        return snapshot

    async def _fetch_artifact(
        self,
        source: _Source,
        settings: SourceSettings,
        signers: Signers | None,
        record: Record | None,
    ) -> Snapshot:
        if self._artifacts is None:
            raise Stalled(f"cannot fetch {settings.oci} here", hint="ask the daemon: podvisor plan")
        if source.artifact is None:
            from supervisor.adapters.git.artifact import ArtifactReader  # noqa: PLC0415  # few have one

            source.artifact = ArtifactReader(
                source=source.name,
                store=source.store,
                limits=self._limits,
                registry=self._artifacts,
            )
        verified = signers.key if signers else ""
        last = record.snapshot if record and record.verified == verified else None
        snapshot = await source.artifact.fetch(settings.oci, signers=signers, last=last)
        if snapshot is not last:
            await source.save(snapshot, self._limits, verified=verified)
        return snapshot

    async def _verify(self, source: _Source, ref: str, signers: Signers) -> None:
        """Raise Stalled for a HEAD that may not be deployed; it is looked at once."""
        store, refused = source.store, source.refused
        head = store.head()
        if refused and (refused.head, refused.signers) == (head, signers.key):
            raise Stalled(str(refused.failure), hint=refused.failure.hint)
        try:
            await check(store, head, ref, signers, scratch=self._folder)
        except Stalled as failure:
            source.refused = _Refused(head, signers.key, failure)
            if record := source.last():
                await store.hold(record.snapshot.revision)
            raise
        source.refused = None

    async def _make_anew(self, source: _Source, settings: SourceSettings) -> Snapshot:
        """Read a source into a new store; the damaged one stays if that cannot be done now."""
        aside = source.store.set_aside()
        source.record = source.folder = None
        try:
            snapshot = await self._fetch(source, settings)
        except BaseException as error:
            if aside:
                source.store.take_back(aside)
                source.is_broken = True
            if isinstance(error, StoreBroken):
                raise Retry(f"cannot keep source {source.name}: {error}") from error
            raise
        source.is_broken = False
        if aside:
            remove_tree(aside)
        return snapshot

    def _source(self, name: str) -> _Source:
        if name not in self._sources:
            path = self._folder / f"{name}.git"
            if self._base:
                try:
                    borrow(path, self._base / path.name)
                except OSError as error:
                    raise Retry(f"cannot read what is stored of source {name}: {error}") from error
            self._sources[name] = _Source(name, Store(path, source=name))
        return self._sources[name]

    @asynccontextmanager
    async def _using(self, name: str) -> AsyncIterator[_Source]:
        """Hold a source's store."""
        source = self._source(name)
        async with source.lock:
            with _telling(source):
                yield source


@contextmanager
def _telling(source: _Source) -> Iterator[None]:
    """Tell the caller of damage that is found; the next fetch mends it."""
    try:
        yield
    except StoreBroken as error:
        log.warning("store of source %s is damaged (%s)", source.name, error)
        source.is_broken = True
        raise Stalled(
            f"cannot read what is stored of source {source.name}: {error}",
            hint="it is made anew when the source is read next: podvisor sync",
        ) from error


async def _blobs(store: Store, oids: Sequence[str]) -> dict[str, bytes]:
    """Return what blobs hold. Raises StoreBroken if one is not there, or is not what it says."""
    contents = await store.objects(oids)
    found = {
        oid: content
        for oid, content in zip(oids, contents, strict=True)
        if content is not None and blob_id(content) == oid
    }
    if len(found) < len(oids):
        lost = next(oid for oid in oids if oid not in found)
        raise StoreBroken(f"object {lost} is missing or damaged")
    return found


def _fetcher(limits: LimitSettings) -> Fetcher:
    return Fetcher(timeout_seconds=limits.fetch_timeout, size=limits.fetch_size)
