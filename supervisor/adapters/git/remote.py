"""Bring the newest revision of a remote repository into a store.

The first time `ls-remote` tells what the ref is, and one commit is fetched. From then on a plain
fetch of that name does both: where nothing is new it costs what `ls-remote` does, and else it
brings the commits since. (With `--depth` it would negotiate every time.) Over HTTP, `ls_refs`
tells first whether it is worth while to start git at all.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from supervisor.adapters.git.command import environment, git
from supervisor.adapters.git.errors import TooLarge, remote_failure
from supervisor.adapters.git.ls_refs import RefProbe
from supervisor.adapters.git.store import HEAD, Store
from supervisor.model.errors import Stalled
from supervisor.model.git_url import GitUrl

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")


class Remote(NamedTuple):
    """A repository's address, parted into what may be seen and what may not."""

    url: GitUrl
    """Without a password; goes to git's command line."""
    authorization: str = ""
    """Value of the header that carries the password, if there was one."""
    ssh: str = ""
    """The ssh command, where the settings say which key or which server's keys."""

    @property
    def config(self) -> dict[str, str]:
        """Git configuration with the password, for the environment."""
        key = f"http.{self.url.scheme}://{self.url.server}/.extraHeader"
        return {key: f"Authorization: {self.authorization}"} if self.authorization else {}


class Fetcher:
    """Talks to remote repositories; `timeout_seconds` for each command, `size` for a fetch."""

    def __init__(self, *, timeout_seconds: float, size: int) -> None:
        self._timeout = timeout_seconds
        self._size = size
        self._probe = RefProbe()
        self._ssh: str | None = None
        self._names: dict[tuple[str, str], str] = {}
        """Full names of refs at their remotes, as they were resolved."""
        self._too_large: dict[tuple[str, str], str] = {}
        """What brought too much, by its id: it is not fetched again in vain at each poll."""

    async def fetch(self, store: Store, remote: Remote, ref: str, *, known: str) -> None:
        """Bring what `ref` leads to into the store's HEAD ref, which stands at commit `known`."""
        if ref and _BAD_REF.search(ref):
            raise Stalled(
                f"cannot fetch {remote.url.shown}: {ref!r} cannot be the name of a branch or tag",
                hint="set `ref` to a branch, a tag, or a commit's full id",
            )
        if _COMMIT.fullmatch(ref) and ref == known:
            return
        key = (remote.url, ref)
        env = await self._environment(store, remote)
        if key in self._too_large:
            if self._too_large[key] == await self._stands_at(store, remote, ref, env):
                raise TooLarge(f"fetch {remote.url.shown}", self._size)
            del self._too_large[key]
        try:
            await self._fetch(store, remote, ref, env)
        except TooLarge:
            self._too_large[key] = await self._stands_at(store, remote, ref, env)
            raise

    async def _stands_at(
        self, store: Store, remote: Remote, ref: str, env: Mapping[str, str]
    ) -> str:
        """Return the id that `ref` leads to at the remote."""
        if _COMMIT.fullmatch(ref):
            return ref
        return (await self._resolve(store, remote, ref, env))[1]

    async def _fetch(self, store: Store, remote: Remote, ref: str, env: Mapping[str, str]) -> None:
        before = store.head()
        name = self._names.get((remote.url, ref)) if before else None
        if name and await self._probe.finds(remote.url, remote.authorization, name, before):
            return
        if name:
            try:
                await self._bring(store, remote, name, env)
            except TooLarge:
                raise
            except Stalled:
                del self._names[remote.url, ref]  # gone, or something else now: ask anew
            else:
                return
        if _COMMIT.fullmatch(ref):
            await self._bring(store, remote, ref, env, "--depth=1")
            return
        name, oid = await self._resolve(store, remote, ref, env)
        self._names[remote.url, ref] = name
        if oid != before:
            await self._bring(store, remote, name, env, *(() if before else ("--depth=1",)))

    async def _bring(
        self, store: Store, remote: Remote, name: str, env: Mapping[str, str], *options: str
    ) -> None:
        done = await git(
            "fetch",
            "--quiet",
            "--no-tags",
            "--force",
            "--update-shallow",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            *options,
            "--",
            remote.url,
            f"+{name}:{HEAD}",
            repository=store.path,
            doing=f"fetch {remote.url.shown}",
            env=env,
            timeout_seconds=self._timeout,
            file_limit=self._size,
        )
        if done.code:
            # Killed for what it wrote, it leaves that behind, but no word that would say so.
            brought = store.half_written()
            store.clean()
            if brought >= self._size:
                raise TooLarge(f"fetch {remote.url.shown}", self._size)
            raise remote_failure(
                f"fetch {remote.url.shown}", done.errors, with_password=bool(remote.authorization)
            )

    async def _resolve(
        self, store: Store, remote: Remote, ref: str, env: Mapping[str, str]
    ) -> tuple[str, str]:
        """Return the full name of `ref` at the remote, and the id that it leads to."""
        if not ref:
            names = ["HEAD"]
        elif ref.startswith("refs/") or ref == "HEAD":
            names = [ref]
        else:
            names = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        refs = await self._list(store, remote, names, env)
        for name in names:
            if name in refs:
                return name, refs[name]
        if not await self._list(store, remote, [], env):
            raise Stalled(
                f"cannot fetch {remote.url.shown}: the repository has no commit yet",
                hint="push a first commit",
            )
        if not ref:
            raise Stalled(
                f"cannot fetch {remote.url.shown}: its default branch does not exist",
                hint="set `ref` to a branch that does",
            )
        raise Stalled(
            f"cannot fetch {remote.url.shown}: it has no branch or tag {ref}",
            hint="check `ref`: a branch, a tag, or a commit's full id of 40 digits",
        )

    async def _list(
        self, store: Store, remote: Remote, patterns: list[str], env: Mapping[str, str]
    ) -> dict[str, str]:
        done = await git(
            "ls-remote",
            "--quiet",
            "--",
            remote.url,
            *patterns,
            repository=store.path,
            doing=f"fetch {remote.url.shown}",
            env=env,
            timeout_seconds=self._timeout,
        )
        if done.code:
            raise remote_failure(
                f"fetch {remote.url.shown}", done.errors, with_password=bool(remote.authorization)
            )
        lines = (line.split("\t", 1) for line in done.output.decode(errors="replace").splitlines())
        return {line[1]: line[0] for line in lines if len(line) == 2}  # noqa: PLR2004

    async def _environment(self, store: Store, remote: Remote) -> dict[str, str]:
        """Make ssh ask nothing, unless the user has an ssh command of their own."""
        env = environment(remote.config)
        if remote.ssh:
            env.pop("GIT_SSH", None)
            return env | {"GIT_SSH_COMMAND": remote.ssh, "GIT_SSH_VARIANT": "ssh"}
        if not remote.url.over_ssh or "GIT_SSH_COMMAND" in env or "GIT_SSH" in env:
            return env
        if self._ssh is None:
            done = await git(
                "config",
                "--get",
                "core.sshCommand",
                repository=store.path,
                doing="ask git for core.sshCommand",
            )
            self._ssh = done.output.decode(errors="replace").strip()
        if not self._ssh:
            env["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
        return env
