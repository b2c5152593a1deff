"""Sources that are artifacts: what both programs push is taken, and nothing that is hostile."""

import gzip
import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.git import artifact, cosign, cosign_verify, unpack
from supervisor.adapters.git.reader import GitSources
from supervisor.adapters.git.unpack import Packed, Unpacked, Unpacking
from supervisor.adapters.registry.client import RegistryClient
from supervisor.kit.helper import ask
from supervisor.kit.stamps import blob_id
from supervisor.model.errors import Retry, Stalled
from supervisor.model.podman import RegistryRule
from supervisor.model.setting_types import Bytes
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import FileKind, Snapshot
from tests.fakes import artifacts
from tests.fakes.answers import answer_here
from tests.fakes.artifacts import Pushed, flux, flux_of, layer, member, oras, packed, tarred
from tests.fakes.registry_server import PASSWORD, USER, RegistryServer, Told

pytestmark = pytest.mark.anyio
NAME = "me/apps"
WEB = {"web/web.container": "[Container]\nImage=a.example/web:1\n", "web/conf": "one"}
LIMITS = LimitSettings(
    file_size=Bytes(1 << 20), app_size=Bytes(1 << 20), app_files=10, fetch_size=Bytes(16 << 20)
)
OURS, OTHER = artifacts.new_key(), artifacts.new_key()
Fetch = Callable[[], Awaitable[Snapshot]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.fixture
async def server() -> AsyncIterator[RegistryServer]:
    async with RegistryServer() as served:
        yield served


@pytest.fixture
def sources(tmp_path: Path, server: RegistryServer) -> GitSources:
    async def rules() -> tuple[RegistryRule, ...]:
        return (RegistryRule(prefix=server.host, is_insecure=True),)

    registry = RegistryClient(rules=rules)
    registry._loaded()._memory.schemes[server.host] = "http"
    return GitSources(folder=tmp_path / "state", limits=LIMITS, artifacts=registry)


@pytest.fixture
def settings(server: RegistryServer) -> SourceSettings:
    return SourceSettings(oci=f"{server.host}/{NAME}:main")


@pytest.fixture
def fetch(sources: GitSources, settings: SourceSettings) -> Fetch:
    return lambda: sources.fetch("home", settings)


@pytest.fixture
def push(server: RegistryServer) -> Callable[[Pushed], str]:
    return lambda pushed: server.put(f"{NAME}:main", *pushed)


@pytest.fixture(autouse=True)
def helpers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes no memory and no time needs no process of its own."""
    if "in_processes" not in request.fixturenames:
        answer_here(monkeypatch, artifact, unpack.unpack)
        answer_here(monkeypatch, cosign, cosign_verify.genuine)


@pytest.fixture
def in_processes() -> None:
    """Helpers as they are."""


def held(snapshot: Snapshot) -> dict[str, str]:
    return {file.path: file.oid for file in snapshot.files}


def ids(files: dict[str, str]) -> dict[str, str]:
    return {path: blob_id(text.encode()) for path, text in files.items()}


def in_store(state: Path, *args: str) -> str:
    argv = ["git", "--git-dir", str(state / "state" / "home.git"), *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def left_over(state: Path) -> list[Path]:
    return list(state.glob("state/home.git/objects/pack/tmp_*"))


@pytest.mark.usefixtures("in_processes")
@pytest.mark.parametrize(
    "pushed",
    [
        flux(WEB),
        oras(WEB),
        oras({f"./{path}": text for path, text in WEB.items()}),
        oras({}, {"web": {"web.container": WEB["web/web.container"], "conf": "one"}}),
        oras({"web/conf": "one"}, {"web": {"web.container": WEB["web/web.container"]}}),
        oras({}, {".": WEB}),
    ],
    ids=["flux", "files", "dotted", "folder", "both", "here"],
)
async def test_what_programs_push_is_taken(
    pushed: Pushed, push: Callable[[Pushed], str], fetch: Fetch, sources: GitSources
) -> None:
    digest = push(pushed)
    snapshot = await fetch()
    assert snapshot.findings == ()
    assert snapshot.revision == digest.removeprefix("sha256:")
    assert held(snapshot) == ids(WEB)
    assert list(snapshot.files) == sorted(snapshot.files)
    found = await sources.read("home", [file.oid for file in snapshot.files])
    assert sorted(found.values()) == sorted(text.encode() for text in WEB.values())
    assert await sources.stored("home") == snapshot


async def test_its_subject_is_what_it_was_made_from(
    push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    push(flux(WEB, revision="main@sha1:1f3870be\x1b[31m"))
    assert (await fetch()).subject == "main@sha1:1f3870be\\x1b[31m"


async def test_nothing_new_is_one_question(
    server: RegistryServer, push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    digest = push(flux(WEB))
    first = await fetch()
    blobs = [line for line in server.lines if "/blobs/" in line]
    assert len(blobs) == 1
    server.asked.clear()
    assert await fetch() is first
    assert server.lines == [f"HEAD /v2/{NAME}/manifests/main"]
    push(flux({**WEB, "web/conf": "two"}))
    second = await fetch()
    assert held(second) == ids({**WEB, "web/conf": "two"})
    assert second.revision != digest.removeprefix("sha256:")


async def test_what_is_applied_is_kept_by_its_digest(
    push: Callable[[Pushed], str], fetch: Fetch, sources: GitSources, tmp_path: Path
) -> None:
    push(flux(WEB))
    first = await fetch()
    push(flux({"web/conf": "two"}))
    second = await fetch()
    push(flux({"web/conf": "three"}))
    third = await fetch()
    await sources.keep("home", [first.revision])
    refs = in_store(tmp_path, "for-each-ref")
    assert first.revision in refs
    assert third.revision in refs, "it may yet be applied"
    assert second.revision not in refs
    in_store(tmp_path, "gc", "--quiet", "--prune=now")
    assert await sources.holds("home", [one.oid for one in (*first.files, *third.files)])
    assert not await sources.holds("home", [one.oid for one in second.files])
    await sources.keep("home", [third.revision])
    push(flux({"web/conf": "four"}))
    await fetch()
    await sources.keep("home", [third.revision, "0" * 64])
    in_store(tmp_path, "gc", "--quiet", "--prune=now")
    assert await sources.holds("home", [one.oid for one in third.files])
    assert not left_over(tmp_path)


async def test_a_damaged_store_is_made_anew(
    push: Callable[[Pushed], str], fetch: Fetch, sources: GitSources, tmp_path: Path
) -> None:
    push(flux(WEB))
    snapshot = await fetch()
    for one in (tmp_path / "state" / "home.git" / "objects").glob("??/*"):
        one.chmod(0o600)
        one.write_bytes(b"torn")
    found = await sources.read("home", [file.oid for file in snapshot.files])
    assert sorted(found) == sorted(held(snapshot).values())


async def test_a_command_beside_the_daemon_reads_on_from_what_is_stored(
    push: Callable[[Pushed], str],
    fetch: Fetch,
    sources: GitSources,
    settings: SourceSettings,
    tmp_path: Path,
) -> None:
    push(flux(WEB))
    first = await fetch()
    beside = GitSources(
        folder=tmp_path / "scratch",
        limits=LIMITS,
        base=tmp_path / "state",
        artifacts=sources._artifacts,
    )
    assert await beside.fetch("home", settings) == first
    push(flux({"web/conf": "two"}))
    snapshot = await beside.fetch("home", settings)
    assert held(snapshot) == ids({"web/conf": "two"})
    assert await sources.stored("home") == first


async def test_it_is_read_with_the_logins_for_images(
    home: Path, server: RegistryServer, push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    server.login = "bearer"
    push(flux(WEB))
    with pytest.raises(Stalled, match="wants a login"):
        await fetch()
    logins = {"auths": {server.host: {"username": USER, "password": PASSWORD}}}
    place = home / ".config" / "containers" / "auth.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(logins))
    place.chmod(0o600)
    assert held(await fetch()) == ids(WEB)


# What is no artifact


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"no json", "it is no manifest of an artifact"),
        (b"[" * 100_000, "it is no manifest of an artifact"),
        (b'{"schemaVersion": 2, "manifests": []}', "it is an index of several manifests"),
        (b'{"schemaVersion": 1, "layers": []}', "it is no manifest of an artifact"),
        (
            artifacts.artifact([], config_type="application/vnd.oci.image.config.v1+json").manifest,
            "it is the image of a container",
        ),
        (artifacts.artifact([(b"{}", layer(b"{}", artifacts.EMPTY_CONFIG))]).manifest, "no files"),
        (artifacts.artifact([(b"x", layer(b"x", "a/b"))]).manifest, "its layer 1 is of type a/b"),
        (
            artifacts.artifact([(b"x", layer(b"x", "a/b", title="x"))] * 257).manifest,
            "more than 256 layers",
        ),
        (
            artifacts.artifact(
                [(b"x", {**layer(b"x", "a/b", title="x"), "size": 17 << 20})]
            ).manifest,
            "it brings 17M, more than 16M",
        ),
        (
            artifacts.artifact(
                [(b"x", {**layer(b"x", "a", title="x"), "digest": "../x"})]
            ).manifest,
            "no proper digest",
        ),
    ],
)
async def test_what_is_no_artifact_is_refused_once(
    manifest: bytes, said: str, server: RegistryServer, fetch: Fetch
) -> None:
    server.put(f"{NAME}:main", manifest, [])
    for _ in range(2):
        with pytest.raises(Stalled, match=said) as caught:
            await fetch()
        assert caught.value.hint
        assert str(caught.value).startswith(f"cannot deploy {server.host}/{NAME}:main (")
    assert server.lines == [
        f"HEAD /v2/{NAME}/manifests/main",
        f"GET /v2/{NAME}/manifests/{artifacts.digest(manifest)}",
        f"HEAD /v2/{NAME}/manifests/main",
    ]


async def test_a_bad_one_leaves_the_last_as_it_is(
    push: Callable[[Pushed], str], fetch: Fetch, sources: GitSources
) -> None:
    push(flux(WEB))
    first = await fetch()
    push(flux_of(b"no gzip"))
    with pytest.raises(Stalled, match="a layer is no tar that gzip compressed"):
        await fetch()
    assert await sources.stored("home") == first
    push(flux(WEB))
    assert await fetch() == first


async def test_a_blob_that_is_another_one_is_not_taken(
    server: RegistryServer, push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    pushed = flux(WEB)
    push(pushed)
    place = f"{NAME}@{artifacts.digest(pushed.blobs[1])}"
    for other in (tarred({"web/conf": "evil"}), pushed.blobs[1] + b"x" * 10, b""):
        server.blobs[place] = other
        with pytest.raises(Retry, match="sends a blob that is not what its digest says"):
            await fetch()
    del server.blobs[place]
    with pytest.raises(Stalled, match="has no such image"):
        await fetch()


async def test_a_manifest_that_is_another_one_is_not_taken(
    server: RegistryServer, push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    digest = push(flux(WEB))
    server.before = lambda asked: (
        Told(body=b"{}") if asked.line == f"GET /v2/{NAME}/manifests/{digest}" else None
    )
    with pytest.raises(Retry, match="sends a manifest that is not what its digest says"):
        await fetch()


# What is in a tar


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (member("../x", b"x"), "leads elsewhere"),
        (member("a/../../x", b"x"), "leads elsewhere"),
        (member("/etc/x", b"x"), "from the root"),
        (member("a//x", b"x"), "leads elsewhere"),
        (member("a\nb", b"x"), "control characters"),
        (member("a\udcff", b"x"), "not UTF-8"),
        (member("/".join("a" * 80), b"x"), "lies too deep"),
        (member("x", type=tarfile.LNKTYPE, linkname="web/conf"), "is a hard link"),
        (member("x", type=tarfile.CHRTYPE), "is a character device"),
        (member("x", type=tarfile.BLKTYPE), "is a block device"),
        (member("x", type=tarfile.FIFOTYPE), "is a fifo"),
        (member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "absolute path"),
        (member("x", type=tarfile.SYMTYPE, linkname="../../x"), "leads out of the source"),
        (member("x", type=tarfile.SYMTYPE, linkname=""), "symlink to nothing"),
        (member("x", b"x" * (1 << 20) + b"x"), "is larger than the limit"),
        (member("web/conf/x", b"x"), "has a file where its folder should be"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_what_a_tar_may_not_hold_is_refused_by_name(
    what: tuple[tarfile.TarInfo, bytes], said: str, push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    web = [member(path, text.encode()) for path, text in WEB.items()]
    push(flux_of(packed([*web, what])))
    snapshot = await fetch()
    assert held(snapshot) == ids(WEB)
    (finding,) = snapshot.findings
    assert said in finding.message
    assert finding.path.isprintable()


async def test_links_and_modes_are_kept(push: Callable[[Pushed], str], fetch: Fetch) -> None:
    push(
        flux_of(
            packed(
                [
                    member("run", b"#!/bin/sh\n", mode=0o755),
                    member("a/link", type=tarfile.SYMTYPE, linkname="../run"),
                    member("a/gone", type=tarfile.SYMTYPE, linkname="nowhere"),
                    member("zero"),
                    member(f"a/{'long' * 60}", b"x", pax_headers={}),
                ]
            )
        )
    )
    snapshot = await fetch()
    assert snapshot.findings == ()
    assert {one.path: one.kind for one in snapshot.files if len(one.path) < 100} == {
        "a/gone": FileKind.SYMLINK,
        "a/link": FileKind.SYMLINK,
        "run": FileKind.EXECUTABLE,
        "zero": FileKind.FILE,
    }


async def test_the_later_of_two_counts_and_a_repository_in_it_does_not(
    push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    members = [
        member("web/conf", b"one"),
        member("web/conf", b"two"),
        member("x", type=tarfile.FIFOTYPE),
        member("x", b"x"),
        member(".git/config", b"[core]"),
        member("web/.git/hooks/post-checkout", b"#!/bin/sh"),
    ]
    push(flux_of(packed(members)))
    snapshot = await fetch()
    assert (held(snapshot), snapshot.findings) == (ids({"web/conf": "two", "x": "x"}), ())


def bomb() -> bytes:
    """30 MB of nothing, in 30 kB."""
    return packed(member(f"{number}", bytes(1 << 20)) for number in range(30))


def torn(content: bytes) -> bytes:
    """A tar that breaks off in the middle, properly compressed."""
    plain = gzip.decompress(content)
    return gzip.compress(plain[: plain.index(b"web/conf") + 100])


def scrambled(content: bytes) -> bytes:
    """A tar of which a header is none."""
    plain = bytearray(gzip.decompress(content))
    at = plain.index(b"web/web.container")
    plain[at : at + 512] = b"x" * 512
    return gzip.compress(bytes(plain))


@pytest.mark.usefixtures("in_processes")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bomb(), f"it holds more than {20 << 20} bytes"),
        (packed(member(f"{number}") for number in range(201)), "it holds more than 200 files"),
        (packed(member(f"{n}", type=tarfile.DIRTYPE) for n in range(201)), "more than 200 files"),
        (torn(tarred(WEB)), "a layer is no tar that gzip compressed"),
        (scrambled(tarred(WEB)), "a layer is no tar that gzip compressed"),
        (tarred(WEB)[:-20], "a layer is no tar that gzip compressed"),
        (gzip.compress(b"no tar"), "a layer is no tar that gzip compressed"),
        (gzip.compress(b""), "a layer is no tar that gzip compressed"),
    ],
    ids=["bomb", "files", "folders", "torn", "scrambled", "cut", "other", "empty"],
)
async def test_a_whole_that_is_too_much_or_broken_is_refused(
    content: bytes, said: str, push: Callable[[Pushed], str], fetch: Fetch, tmp_path: Path
) -> None:
    push(flux_of(content))
    with pytest.raises(Stalled, match=said) as caught:
        await fetch()
    assert caught.value.hint
    assert not left_over(tmp_path)


def header(kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    """A header by itself, whatever it claims."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def extended(name: str, value: str, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A header of pax that says one thing of what comes next."""
    return body(f"{len(name) + len(value) + 8:05} {name}={value}\n".encode(), kind)


def body(said: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header(kind, len(said)) + said + bytes(-len(said) % 512)


SPARSE = header(tarfile.GNUTYPE_SPARSE)
SPARSE_GOES_ON = SPARSE[:148] + b"        " + SPARSE[156:482] + b"\1" + SPARSE[483:]
SPARSE_GOES_ON = SPARSE_GOES_ON[:148] + b"%06o\0 " % sum(SPARSE_GOES_ON) + SPARSE_GOES_ON[156:]
VAST = "9" * 400


@pytest.mark.parametrize(
    "plain",
    [
        header(size=1 << 60),
        header(b"9", size=1 << 60),
        header(tarfile.XHDTYPE, 1 << 60),
        header(tarfile.GNUTYPE_LONGNAME, 1 << 60),
        header(tarfile.XHDTYPE, -512),
        header(size=-(1 << 60)),
        extended("size", VAST) + header(),
        extended("size", VAST, tarfile.XGLTYPE) + header() + header(),
        extended("size", f"-{VAST}") + header(),
        extended("size", "9" * 5_000) + header(),
        extended("GNU.sparse.map", "x") + header(),
        extended("GNU.sparse.size", "x") + header(),
        extended("GNU.sparse.size", VAST) + header(),
        extended("GNU.sparse.major", "1") + extended("GNU.sparse.minor", "0") + header(),
        body(b"30 GNU.sparse.major=1\n\n\n\n\n\n\n\n\n\n") + header(),
        body(b"11 hdrcharset=\xff\n") + header(),
        body(b"9" * 5_000 + b" a=b\n") + header(),
        body(b"0 a=b\n") + header(),
        SPARSE_GOES_ON,
        SPARSE_GOES_ON + b"\1" * 512,
        header(tarfile.GNUTYPE_LONGLINK) * 1_500,
        header(tarfile.XGLTYPE) * 1_500,
    ],
)
async def test_a_header_that_lies_makes_a_refusal_at_once(
    plain: bytes, push: Callable[[Pushed], str], fetch: Fetch, server: RegistryServer
) -> None:
    push(flux_of(gzip.compress(plain + b"x" * 512)))
    for _ in range(2):
        with anyio.fail_after(10), pytest.raises(Stalled, match=r"no tar|it holds more than"):
            await fetch()
    assert len([line for line in server.lines if "/blobs/" in line]) == 1


async def test_a_target_that_many_links_share_is_not_told_at_length(
    push: Callable[[Pushed], str], fetch: Fetch
) -> None:
    links = header(tarfile.SYMTYPE) * 2
    plain = extended("linkpath", "/x" * 40_000, tarfile.XGLTYPE) + links + bytes(1_024)
    push(flux_of(gzip.compress(plain)))
    (finding,) = (await fetch()).findings
    assert "is a symlink to a path that is too long" in finding.message
    assert len(finding.message) < 1_000


def unpacking(folder: Path, content: bytes, *, seconds: int = 60) -> Unpacking:
    (folder / "layer").write_bytes(content)
    return Unpacking(
        source="home",
        layers=(Packed(path=str(folder / "layer"), file=""),),
        packs=str(folder / "pack"),
        file_size=1 << 20,
        all_size=1 << 30,
        files=10_000,
        memory=64 << 20,
        seconds=seconds,
    )


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.SYMTYPE])
def test_more_than_a_few_refusals_are_not_listed(kind: bytes, tmp_path: Path) -> None:
    members = (member(f"{number}", type=kind, linkname="/x") for number in range(1_001))
    unpacked = unpack.unpack(unpacking(tmp_path, packed(members)))
    assert unpacked.problem == "it holds more than 1000 paths that are refused"
    assert (unpacked.files, unpacked.findings) == ((), ())


async def test_a_header_that_claims_much_takes_no_memory(tmp_path: Path) -> None:
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as out:
        out.write(header(tarfile.XHDTYPE, 1 << 30) + bytes(72 << 20))
    asked = unpacking(tmp_path, file.getvalue())
    unpacked = await ask(unpack.__name__, asked, Unpacked, timeout_seconds=60)
    assert unpacked.problem == "it takes too much memory"


async def test_what_takes_long_ends(tmp_path: Path) -> None:
    asked = unpacking(tmp_path, gzip.compress(b"", mtime=0) * 2_000_000, seconds=1)
    unpacked = await ask(unpack.__name__, asked, Unpacked, timeout_seconds=60)
    assert unpacked.problem == "it takes too long to unpack"


@pytest.mark.usefixtures("in_processes")
async def test_what_a_process_could_not_unpack_is_left_alone_for_a_while(
    push: Callable[[Pushed], str],
    fetch: Fetch,
    server: RegistryServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push(flux(WEB))
    with monkeypatch.context() as patched:
        patched.setattr(artifact, "_ANSWER_LIMIT", 10)
        for _ in range(2):
            with pytest.raises(Retry, match=r"cannot unpack .*: "):
                await fetch()
    blobs = [line for line in server.lines if "/blobs/" in line]
    assert len(blobs) == 1
    push(flux({"web/conf": "two"}))
    assert held(await fetch()) == ids({"web/conf": "two"})


@pytest.mark.usefixtures("in_processes")
async def test_what_could_not_be_unpacked_is_tried_again_after_a_while(
    push: Callable[[Pushed], str], fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(flux(WEB))
    monkeypatch.setattr(artifact, "_LEFT_ALONE_SECONDS", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(artifact, "_ANSWER_LIMIT", 10)
        with pytest.raises(Retry, match=r"cannot unpack .*: "):
            await fetch()
    assert held(await fetch()) == ids(WEB)


async def test_what_takes_several_packs(push: Callable[[Pushed], str], fetch: Fetch) -> None:
    files = {str(number): os.urandom(1 << 20) for number in range(10)}
    push(flux_of(packed(member(path, content) for path, content in files.items())))
    snapshot = await fetch()
    assert held(snapshot) == {path: blob_id(content) for path, content in files.items()}


# Who signed it


@pytest.fixture
def signed(server: RegistryServer, push: Callable[[Pushed], str]) -> Callable[..., str]:
    """Push WEB, and signatures of it."""

    def do(*keys: object, digest: str = "", repository: str = "", **more: str) -> str:
        found = push(flux(WEB))
        made = artifacts.signature(
            digest or found, repository or f"{server.host}/{NAME}", *keys, **more
        )
        server.put(f"{NAME}:{artifacts.signature_tag(found)}", *made)
        return found

    return do


@pytest.fixture
def verified(home: Path, settings: SourceSettings, sources: GitSources) -> Callable[..., Fetch]:
    def do(*keys: object, more: str = "") -> Fetch:
        place = home / "cosign.pub"
        place.write_text("".join(artifacts.public(key) for key in keys) + more)
        place.chmod(0o600)
        strict = SourceSettings(oci=settings.oci, verify="cosign", allowed_signers=str(place))
        return lambda: sources.fetch("home", strict)

    return do


async def test_what_is_signed_is_taken(
    signed: Callable[..., str], verified: Callable[..., Fetch]
) -> None:
    signed(OTHER, OURS)
    assert held(await verified(artifacts.new_key(), OURS)()) == ids(WEB)


async def test_what_is_not_signed_yet_is_waited_for(
    push: Callable[[Pushed], str],
    signed: Callable[..., str],
    verified: Callable[..., Fetch],
    server: RegistryServer,
) -> None:
    push(flux(WEB))
    fetch = verified(OURS)
    with pytest.raises(Retry, match="it is not signed"):
        await fetch()
    assert not any("/blobs/" in line for line in server.lines)
    signed(OURS)
    assert held(await fetch()) == ids(WEB)


@pytest.mark.usefixtures("in_processes")
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"keys": (OTHER,)}, "none of the keys in .*cosign.pub signed it"),
        ({"keys": (OURS,), "digest": f"sha256:{'0' * 64}"}, "its signature is of another artifact"),
        (
            {"keys": (OURS,), "repository": "other.example/x"},
            "it was signed as other.example/x, not",
        ),
        ({"keys": (OURS,), "kind": "other"}, "what is signed is no payload of cosign's"),
    ],
    ids=["key", "digest", "repository", "type"],
)
async def test_what_others_signed_is_refused(
    how: dict[str, object],
    said: str,
    signed: Callable[..., str],
    verified: Callable[..., Fetch],
    server: RegistryServer,
) -> None:
    keys = how.pop("keys")
    signed(*keys, **how)
    with pytest.raises(Stalled, match=said) as caught:
        await verified(OURS)()
    assert "cosign.pub" in caught.value.hint
    assert not any(f"/blobs/{artifacts.digest(flux(WEB).blobs[1])}" in one for one in server.lines)


@pytest.mark.parametrize("asks", [True, False], ids=["referrers", "tag"])
async def test_what_cosign_3_signed_is_taken(
    asks: bool,  # noqa: FBT001
    server: RegistryServer,
    push: Callable[[Pushed], str],
    verified: Callable[..., Fetch],
) -> None:
    digest = push(flux(WEB))
    made = [artifacts.bundle(digest, key) for key in (OTHER, OURS)]
    for one in made:
        server.put(f"{NAME}:x", *one)
    if asks:
        server.referrers = {digest: artifacts.referrers(*made)}
    else:
        server.put(f"{NAME}:{digest.replace(':', '-')}", artifacts.referrers(*made), [])
    assert held(await verified(OURS)()) == ids(WEB)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (artifacts.bundle(flux(WEB).digest, OTHER), "none of the keys"),
        (artifacts.bundle(f"sha256:{'0' * 64}", OURS), "its signature is of another artifact"),
        (artifacts.bundle(flux(WEB).digest, OURS, predicate="x"), "no statement of cosign's"),
        (artifacts.bundle(flux(WEB).digest, OURS, kind="x/y"), "no statement of cosign's"),
    ],
    ids=["key", "digest", "predicate", "type"],
)
async def test_a_bundle_of_something_else_is_refused(
    made: Pushed,
    said: str,
    server: RegistryServer,
    push: Callable[[Pushed], str],
    verified: Callable[..., Fetch],
) -> None:
    digest = push(flux(WEB))
    server.put(f"{NAME}:x", *made)
    server.referrers = {digest: artifacts.referrers(made)}
    with pytest.raises(Stalled, match=said):
        await verified(OURS)()


async def test_what_refers_to_it_and_is_garbage(
    server: RegistryServer, push: Callable[[Pushed], str], verified: Callable[..., Fetch]
) -> None:
    digest, fetch = push(flux(WEB)), verified(OURS)
    odd = artifacts.artifact([(b"{}", layer(b"{}", artifacts.BUNDLE))], config=b"")
    server.put(f"{NAME}:x", *odd)
    for found in (b"[]", b"[" * 100_000, artifacts.referrers(odd)):
        server.referrers = {digest: found}
        with pytest.raises(Retry, match="it is not signed"):
            await fetch()


@pytest.mark.parametrize("status", [406, 500])
async def test_who_signed_by_tag_need_not_be_asked_for_otherwise(
    status: int, signed: Callable[..., str], verified: Callable[..., Fetch], server: RegistryServer
) -> None:
    server.before = lambda asked: Told(status=status) if "/referrers/" in asked.path else None
    signed(OURS)
    assert held(await verified(OURS)()) == ids(WEB)
    assert not any("/referrers/" in line for line in server.lines)


async def test_one_bundle_is_enough_beside_what_others_signed_by_tag(
    signed: Callable[..., str], verified: Callable[..., Fetch], server: RegistryServer
) -> None:
    digest = signed(OTHER)
    made = artifacts.bundle(digest, OURS)
    server.put(f"{NAME}:x", *made)
    server.referrers = {digest: artifacts.referrers(made)}
    assert held(await verified(OURS)()) == ids(WEB)


@pytest.mark.parametrize("left", [None, b"", b"other", bytes(1 << 20)])
@pytest.mark.parametrize("is_bundle", [False, True], ids=["payload", "bundle"])
async def test_a_signature_that_is_damaged_is_no_signature(
    left: bytes | None,
    is_bundle: bool,  # noqa: FBT001
    server: RegistryServer,
    push: Callable[[Pushed], str],
    verified: Callable[..., Fetch],
) -> None:
    digest, fetch = push(flux(WEB)), verified(OURS)
    place = f"{server.host}/{NAME}"
    if is_bundle:
        stale, good = artifacts.bundle(digest, OTHER), artifacts.bundle(digest, OURS)
    else:
        stale = artifacts.signature(digest, place, OTHER, kind="another text")
        good = artifacts.signature(digest, place, OURS)

    def lay(*made: Pushed) -> None:
        for one in made:
            server.put(f"{NAME}:x", *one)
        if is_bundle:
            server.referrers = {digest: artifacts.referrers(*made)}
        else:
            layers = [one for each in made for one in json.loads(each.manifest)["layers"]]
            tag = f"{NAME}:{artifacts.signature_tag(digest)}"
            server.put(tag, artifacts.artifact((b"", one) for one in layers).manifest, [])
        blob = f"{NAME}@{artifacts.digest(stale.blobs[1])}"
        del server.blobs[blob]
        if left is not None:
            server.blobs[blob] = left

    lay(stale)
    with pytest.raises(Retry, match="it is not signed" if left is None else "sends a blob"):
        await fetch()
    lay(stale, good)
    assert held(await fetch()) == ids(WEB)


async def test_signatures_that_never_come_are_not_waited_for_one_by_one(
    signed: Callable[..., str],
    verified: Callable[..., Fetch],
    server: RegistryServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifact, "_SIGNATURES_SECONDS", 0.2)
    signed(*[OTHER] * 3, OURS)
    server.before = lambda asked: Told(stalls=True) if "/blobs/" in asked.path else None
    with pytest.raises(Retry, match=r"no end after 0\.2 s"):
        await verified(OURS)()


async def test_a_signature_of_garbage_is_refused(
    server: RegistryServer, push: Callable[[Pushed], str], verified: Callable[..., Fetch]
) -> None:
    digest = push(flux(WEB))
    fetch, tag = verified(OURS), f"{NAME}:{artifacts.signature_tag(digest)}"
    server.put(tag, b"{}", [])
    with pytest.raises(Retry, match="it is not signed"):
        await fetch()
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    for made, failure, said in (
        ("AAAA", Stalled, "none of the keys"),
        ("no base64!", Retry, "not signed"),
        ("", Retry, "not signed"),
    ):
        annotations = {"dev.cosignproject.cosign/signature": made}
        server.put(tag, *artifacts.artifact([(b"{}", layer(b"{ }", kind, **annotations))]))
        server.blobs[f"{NAME}@{artifacts.digest(b'{ }')}"] = b"{ }"
        with pytest.raises(failure, match=said):
            await fetch()


async def test_keys_that_cannot_be_used_are_said(
    signed: Callable[..., str], verified: Callable[..., Fetch], home: Path
) -> None:
    signed(OURS)
    with pytest.raises(Stalled, match="it holds no public key") as caught:
        await verified(more="ssh-ed25519 AAAA\n")()
    assert "cosign public-key" in caught.value.hint
    odd = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    with pytest.raises(Stalled, match="none of them is for ECDSA"):
        await verified(more=odd)()
    assert held(await verified(OURS, more=odd)()) == ids(WEB)
    strict = verified(OURS)
    (home / "cosign.pub").chmod(0o666)
    with pytest.raises(Stalled, match="others can change it"):
        await strict()
