"""Bring the newest revision of a remote repository into a store.

First `ls-remote` tells what the ref is, and one commit is fetched. From then on a plain fetch of
that name does both; with `--depth` it would negotiate every time. Over HTTP, `ls_refs` tells
whether it is worth while to start git at all.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from supervisor.adapters.git.command import environment, git
from supervisor.adapters.git.errors import StoreBroken, TooLarge, remote_failure
from supervisor.adapters.git.ls_refs import RefProbe
from supervisor.adapters.git.store import HEAD, Store
from supervisor.kit.process import Completed
from supervisor.model.errors import Failure, Stalled
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


class Exchange(NamedTuple):
    """Git commands of one fetch or push, which talk to a remote for a store."""

    store: Store
    remote: Remote
    env: Mapping[str, str]
    timeout_seconds: float
    verb: str = "fetch"

    @property
    def doing(self) -> str:
        return f"{self.verb} {self.remote.url.shown}"

    async def run(self, command: str, *args: str, file_limit: int = 0) -> Completed:
        """Run a command, `args` being its options, the remote, and what is asked of that."""
        return await git(
            *(command, "--quiet", *args),
            repository=self.store.path,
            doing=self.doing,
            env=self.env,
            timeout_seconds=self.timeout_seconds,
            file_limit=file_limit,
        )

    def failure(self, done: Completed) -> Failure | StoreBroken:
        with_password = bool(self.remote.authorization)
        return remote_failure(self.doing, done.errors, with_password=with_password)

    async def refs(self, *patterns: str) -> dict[str, str]:
        """Return the remote's refs by full name, those that match."""
        done = await self.run("ls-remote", "--", self.remote.url, *patterns)
        if done.code:
            raise self.failure(done)
        lines = (line.split("\t", 1) for line in done.output.decode(errors="replace").splitlines())
        return {line[1]: line[0] for line in lines if len(line) == 2}  # noqa: PLR2004

    async def resolve(self, ref: str) -> tuple[str, str]:
        """Return the full name of `ref` at the remote, and the id that it leads to."""
        if not ref:
            names = ["HEAD"]
        elif ref.startswith("refs/") or ref == "HEAD":
            names = [ref]
        else:
            names = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        refs = await self.refs(*names)
        for name in names:
            if name in refs:
                return name, refs[name]
        if not await self.refs():
            what, hint = "the repository has no commit yet", "push a first commit"
        elif not ref:
            what, hint = "its default branch does not exist", "set `ref` to a branch that does"
        else:
            what = f"it has no branch or tag {ref}"
            hint = "check `ref`: a branch, a tag, or a commit's full id of 40 digits"
        raise Stalled(f"cannot {self.doing}: {what}", hint=hint)

    async def id_of(self, ref: str) -> str:
        """Return the id that `ref` leads to at the remote."""
        return ref if _COMMIT.fullmatch(ref) else (await self.resolve(ref))[1]


class Fetcher(msgspec.Struct, kw_only=True):
    """Talks to remote repositories; `timeout_seconds` for each command, `size` for a fetch."""

    timeout_seconds: float
    size: int
    _probe: RefProbe = msgspec.field(default_factory=RefProbe)
    _ssh: str | None = None
    _names: dict[tuple[str, str], str] = {}
    """Full names of refs at their remotes, as they were resolved."""
    _too_large: dict[tuple[str, str], str] = {}
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
        exchange = await self.exchange(store, remote)
        if key in self._too_large:
            if self._too_large[key] == await exchange.id_of(ref):
                raise TooLarge(exchange.doing, self.size)
            del self._too_large[key]
        try:
            await self._fetch(exchange, ref)
        except TooLarge:
            self._too_large[key] = await exchange.id_of(ref)
            raise

    async def exchange(self, store: Store, remote: Remote, *, verb: str = "fetch") -> Exchange:
        """Return how a remote is talked to; `verb` begins what is said of a failure."""
        env = await self._environment(store, remote)
        return Exchange(store, remote, env, self.timeout_seconds, verb)

    async def _fetch(self, exchange: Exchange, ref: str) -> None:
        remote, before = exchange.remote, exchange.store.head()
        name = self._names.get((remote.url, ref)) if before else None
        if name and await self._probe.finds(remote.url, remote.authorization, name, before):
            return
        if name:
            try:
                await self._bring(exchange, name)
            except TooLarge:
                raise
            except Stalled:
                del self._names[remote.url, ref]  # gone, or something else now: ask anew
            else:
                return
        if _COMMIT.fullmatch(ref):
            await self._bring(exchange, ref, "--depth=1")
            return
        name, oid = await exchange.resolve(ref)
        self._names[remote.url, ref] = name
        if oid != before:
            await self._bring(exchange, name, *(() if before else ("--depth=1",)))

    async def _bring(self, exchange: Exchange, name: str, *options: str) -> None:
        done = await exchange.run(
            *("fetch", "--no-tags", "--force", "--update-shallow", "--no-write-fetch-head"),
            *("--no-recurse-submodules", *options, "--", exchange.remote.url, f"+{name}:{HEAD}"),
            file_limit=self.size,
        )
        if done.code:
            # Killed for what it wrote, it leaves that behind, but no word that would say so.
            brought = exchange.store.half_written()
            exchange.store.clean()
            if brought >= self.size:
                raise TooLarge(exchange.doing, self.size)
            raise exchange.failure(done)

    async def _environment(self, store: Store, remote: Remote) -> dict[str, str]:
        """Make ssh ask nothing, unless the user has an ssh command of their own."""
        env = environment(remote.config)
        if remote.ssh:
            env.pop("GIT_SSH", None)
            return env | {"GIT_SSH_COMMAND": remote.ssh, "GIT_SSH_VARIANT": "ssh"}
        if not remote.url.over_ssh or "GIT_SSH_COMMAND" in env or "GIT_SSH" in env:
            return env
        if self._ssh is None:
            doing = "ask git for core.sshCommand"
            question = ("config", "--get", "core.sshCommand")
            done = await git(*question, repository=store.path, doing=doing)
            self._ssh = done.output.decode(errors="replace").strip()
        if not self._ssh:
            env["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes"
        return env
