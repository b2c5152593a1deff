"""Where the desired state comes from, and who is told of it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from supervisor.core.githost.api import Api
from supervisor.model.commit_status import CommitStatus
from supervisor.model.pull_request import Proposal, PullRequest
from supervisor.model.settings import SourceSettings
from supervisor.model.source import Snapshot
from supervisor.model.writeback import NewCommit, PushedCommit


class SourceReader(Protocol):
    """Reads sources into the object store, and serves what is in it. One for all sources."""

    async def fetch(self, name: str, settings: SourceSettings) -> Snapshot:
        """Read the source now (Git and artifacts: fetch over the network; folder: walk).

        Raises Retry (unreachable, timed out) or Stalled (credentials, ref gone, not a folder).
        """

    async def stored(self, name: str) -> Snapshot | None:
        """Return the newest snapshot that is in the store, without reading the source."""

    async def holds(self, name: str, oids: Collection[str]) -> bool:
        """Whether all these blobs are in the store."""

    async def read(self, name: str, oids: Sequence[str]) -> dict[str, bytes]:
        """Contents of blobs of the store, by id. Raises Stalled if one is gone."""

    async def keep(self, name: str, revisions: Collection[str]) -> None:
        """Protect these revisions of the source from being collected, and no others."""


class SourceWriter(Protocol):
    """Writes to the Git repositories that sources are."""

    async def commit(
        self, name: str, settings: SourceSettings, commit: NewCommit
    ) -> PushedCommit | None:
        """Commit to the source's branch (or to `writeback_branch`), and push; nothing is forced.

        Returns None, with nothing pushed, if the source's branch is no longer at `commit.onto`: it
        is to be read anew. Raises Retry (unreachable) or Stalled (no right to
        push, a protected branch, a key that cannot sign, a branch that others have pushed to).
        """


class FolderWatch(Protocol):
    """Tells of changes below the folders that serve as sources."""

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Names of sources whose folder changed."""

    async def watch_folders(self, folders: Mapping[str, str]) -> None:
        """Set which are watched: source name to absolute path."""


class Listener(Protocol):
    """Where webhooks come in."""

    @property
    def address(self) -> str:
        """Where it listens now; empty if it does not."""

    async def move(self, address: str) -> None:
        """Listen there, and nowhere else (nowhere, if empty). Raises Retry."""

    async def knock(self, path: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Send it a request, as others do; returns the answer. Raises Retry."""


class Tokens(Protocol):
    """OIDC tokens, and who signed them."""

    async def is_genuine(self, token: str, *, issuer: str, key_name: str) -> bool:
        """Whether the issuer signed this token. Raises Retry if that cannot be found out."""


class GitHost(Protocol):
    """A Git host's API."""

    async def tell(self, api: Api, status: CommitStatus, *, context: str, token: bytes) -> None:
        """Set a commit's status. Raises Retry (unreachable, overloaded) or Stalled (token, URL)."""


class PullRequests(Protocol):
    """Pull requests at a Git host.

    Each raises Retry (unreachable, overloaded, an answer that cannot be read) or Stalled (token,
    URL, a repository that takes none).
    """

    async def find(self, api: Api, *, head: str, to: str, token: bytes) -> PullRequest | None:
        """Find the one that is open from a branch of the repository to another."""

    async def look(self, api: Api, number: int, *, token: bytes) -> PullRequest | None:
        """Return how one stands; None if there is none of that number that the token may see."""

    async def open(self, api: Api, proposal: Proposal, *, token: bytes) -> PullRequest:
        """Open one; Retry also if there is one already."""

    async def edit(self, api: Api, number: int, proposal: Proposal, *, token: bytes) -> None:
        """Have it say that."""

    async def close(self, api: Api, number: int, *, token: bytes) -> None:
        """Close it, without a merge."""
