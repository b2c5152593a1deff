"""A user's folders, empty."""

from types import SimpleNamespace

import pytest

from supervisor.adapters.files.folder import OwnedFolder
from supervisor.adapters.files.unshared import carry_out
from supervisor.kit.stamps import blob_id
from supervisor.model.observed import Manifest
from supervisor.model.source import FileKind, TreeFile


class Memory:
    """What the ledger keeps."""

    def __init__(self) -> None:
        self.manifests = {}

    def get(self, kind, key):
        assert kind is Manifest
        return self.manifests.get(key)

    def put(self, document, key):
        self.manifests[key] = document

    def drop(self, kind, key):
        assert kind is Manifest
        self.manifests.pop(key, None)


class Home:
    """The folders, and short ways to fill them."""

    def __init__(self, tmp_path) -> None:
        self.quadlets = tmp_path / "config/containers/systemd"
        self.units = tmp_path / "config/systemd/user"
        self.etc = tmp_path / "etc"
        self.root = self.quadlets / "podvisor"
        self.memory = Memory()
        self.asked = []
        self.as_root = False
        self.folder = OwnedFolder(
            root=self.root,
            user_units=self.units,
            etc=self.etc,
            memory=self.memory,
            unshared=self.unshared,
        )

    async def unshared(self, change):
        """In place of the user's namespace, where a container's folders may be changed."""
        self.asked.append(change)
        if self.as_root:
            with self.as_root():
                carry_out(change)
        return bool(self.as_root)

    async def write(self, app, files, *, units=(), sealed=True):
        """Write an app as a pass would: the manifest, the files."""
        made = tuple(sorted(tree_file(path, content) for path, content in files.items()))
        manifest = Manifest(
            name=app, source="s", revision="r", root="", files=made, units=units, sealed=sealed
        )
        await self.folder.write_manifest(manifest)
        for file in made:
            await self.folder.write_files(app, [(file, as_bytes(files[file.path]))])
        return manifest

    async def write_at_once(self, app, files):
        """Write many in one go."""
        made = [(tree_file(path, content), as_bytes(content)) for path, content in files.items()]
        manifest = Manifest(
            name=app,
            source="s",
            revision="r",
            root="",
            files=tuple(sorted(file for file, _ in made)),
            units=(),
            sealed=True,
        )
        await self.folder.write_manifest(manifest)
        await self.folder.write_files(app, made)

    async def files(self, app, **more):
        """What stands on disk, path to content id."""
        return {file.path: file.oid for file in (await self.folder.observe(app, **more)).files}


def as_bytes(content):
    content = content[1] if isinstance(content, tuple) else content
    return content if isinstance(content, bytes) else content.encode()


def tree_file(path, content, kind=FileKind.FILE):
    if isinstance(content, tuple):
        kind, _ = content
    content = as_bytes(content)
    return TreeFile(path, blob_id(content), kind, len(content))


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def make():
    return SimpleNamespace(tree_file=tree_file, blob_id=blob_id)
