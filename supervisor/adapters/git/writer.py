"""Commit to a source's branch, out of its bare store, without a checkout.

A branch that is not at the revision that was read is left alone: the source is read anew first, so
that what is committed is made of what is there, and of nothing that was not verified. Each push has
a lease (git-push(1)) on what was read, else a branch that was reset meanwhile would be forwarded to
what was dropped. Only a branch of podvisor's own is replaced by what does not descend from it, as
long as nobody else has pushed to it.
"""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.git.command import environment, git
from supervisor.adapters.git.errors import last_words
from supervisor.adapters.git.remote import Exchange
from supervisor.adapters.git.signing import signing
from supervisor.adapters.git.store import Store, read_entry
from supervisor.kit.texts import one_line
from supervisor.model.errors import Stalled
from supervisor.model.settings import SourceSettings
from supervisor.model.writeback import NewCommit, PushedCommit

_BRANCHES = "refs/heads/"
# Its own line of the push, or the server's words on a ref that changed under it. That it "cannot
# lock" or "failed to update" a ref, it says for good as well.
_MOVED = re.compile(
    r"^!\t\S+\t\[rejected\]|is at \w+ but expected|incorrect old value", re.MULTILINE
)
_REFUSED = re.compile(r"\[remote rejected\]|\bdenied|\bprotected|declined", re.IGNORECASE)
_WHY = re.compile(r"^!\t\S+\t\[remote rejected\] \(([^\n)]+)", re.MULTILINE)
_READ_ONLY = re.compile(
    r"read.?only|not allowed|write access|permission to \S+ denied|\bunauthorized"
    r"|returned error: 403|service not enabled",
    re.IGNORECASE,
)
_MAY_PUSH = "give podvisor's key or token the right to push, or name one that has it:"


_OWN_INSTEAD = (
    "let podvisor push there, or have it push a branch of its own for you to merge:"
    ' writeback_branch = "podvisor-updates"'
)
_MAY_REPLACE = (
    "let podvisor push to that branch, and replace it (by force), which is its own; or remove it"
    " there: it is pushed anew then"
)


class _Branch(NamedTuple):
    """Where a commit goes."""

    name: str
    """Whole: `refs/heads/main`."""
    lease: str
    """The commit that stands there, and is replaced only if it still does; empty if none."""
    source: str
    """The one that is followed, whole."""


async def push_commit(
    store: Store, exchange: Exchange, settings: SourceSettings, commit: NewCommit, *, scratch: Path
) -> PushedCommit | None:
    """Commit and push; None if the source's branch has moved meanwhile.

    Raises Stalled for what a person has to mend: rights, a protected branch, a key.
    """
    branch = await _branch(exchange, settings, commit)
    if branch is None:
        return None
    oid = await _make(store, settings, commit, scratch=scratch)
    lease = f"--force-with-lease={branch.name}:{branch.lease}"
    done = await exchange.run(
        *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"),
        *("--recurse-submodules=no", lease, "--", exchange.remote.url, f"{oid}:{branch.name}"),
    )
    if not done.code:
        return PushedCommit(oid=oid, branch=branch.source.removeprefix(_BRANCHES))
    said = f"{done.output.decode(errors='replace')}\n{done.errors}"
    if _MOVED.search(said):
        return None
    short = branch.name.removeprefix(_BRANCHES)
    if _READ_ONLY.search(said):
        words = "“writeback_ssh_key”" if exchange.remote.url.over_ssh else "“writeback_password”"
        why = last_words(done.errors)
        raise Stalled(f"cannot {exchange.doing}: {why}", hint=f"{_MAY_PUSH} {words}")
    if _REFUSED.search(said):
        why = last_words(done.errors)
        if because := _WHY.search(said):
            why = f"{one_line(because[1])}: {why}"
        raise Stalled(
            f"cannot {exchange.doing}: the server refuses it for branch {short} ({why})",
            hint=_MAY_REPLACE if settings.writeback_branch else _OWN_INSTEAD,
        )
    raise exchange.failure(done)


async def _branch(
    exchange: Exchange, settings: SourceSettings, commit: NewCommit
) -> _Branch | None:
    """Find out where to push; None if the source's branch is not where it was read."""
    named = settings.ref.removeprefix(_BRANCHES)
    own = f"{_BRANCHES}{settings.writeback_branch}" if settings.writeback_branch else ""
    done = await exchange.run("ls-remote", "--symref", "--", exchange.remote.url, "HEAD",
                              *([f"{_BRANCHES}{named}"] if named else []),
                              *([own] if own else []))  # fmt: skip
    if done.code:
        raise exchange.failure(done)
    refs: dict[str, str] = {}
    default = ""
    for line in done.output.decode(errors="replace").splitlines():
        value, _, ref = line.partition("\t")
        if value.startswith("ref: ") and ref == "HEAD":
            default = value.removeprefix("ref: ")
        else:
            refs[ref] = value
    source = f"{_BRANCHES}{named}" if named and named != "HEAD" else default
    if source not in refs and not (source == default and "HEAD" in refs):
        raise Stalled(
            f"cannot {exchange.doing}: it has no branch {named or 'that is its default'}",
            hint="commits are written back to a branch: name one in `ref`",
        )
    if refs.get(source, refs.get("HEAD")) != commit.onto:
        return None
    if not own:
        return _Branch(source, commit.onto, source)
    stands = refs.get(own, "")
    if own == source or stands not in ("", commit.replaces):
        short = settings.writeback_branch
        why = "is the one that is followed"
        if own != source:
            why = "holds what was not pushed from here for this source"
        raise Stalled(
            f"cannot {exchange.doing}: branch {short} {why}",
            hint="name another one in “writeback_branch”, or merge this one and remove it; it is"
            " so after a source was renamed, and where another host pushes to it",
        )
    return _Branch(own, stands, source)


async def _make(store: Store, settings: SourceSettings, commit: NewCommit, *, scratch: Path) -> str:
    """Make the commit in the store; returns its id."""
    with _index(store) as env:
        entries = map(read_entry, await store.tree(commit.onto))
        modes = {entry.path: entry.mode for entry in entries}
        await store.run("read-tree", commit.onto, env=env)
        lines = b""
        for path, content in commit.files.items():
            oid = await store.run("hash-object", "-w", "--stdin", stdin=content)
            name = path.encode(errors="surrogateescape")
            lines += b"%s %s\t%s\0" % (modes[name].encode(), oid.strip(), name)
        await store.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        tree = (await store.run("write-tree", env=env)).decode().strip()
    async with _signed(settings, scratch=scratch) as (env, options):
        done = await git(
            *("commit-tree", *options, "-p", commit.onto, tree),
            repository=store.path,
            doing="commit",
            stdin=commit.message.encode(),
            env=env | _who(settings, commit.at),
        )
    if done.code:
        key = settings.writeback_key
        raise Stalled(
            f"cannot sign with {key}: {last_words(done.errors)}"
            if key
            else f"cannot commit: {last_words(done.errors)}",
            hint="it is to be a private key without a passphrase" if key else "",
        )
    return done.output.decode().strip()


@contextmanager
def _index(store: Store) -> Iterator[dict[str, str]]:
    """Yield the environment with an index of its own, of which nothing is left."""
    path = Path(store.path, "podvisor.index")
    try:
        yield environment() | {"GIT_INDEX_FILE": str(path)}
    finally:
        path.unlink(missing_ok=True)


@asynccontextmanager
async def _signed(
    settings: SourceSettings, *, scratch: Path
) -> AsyncIterator[tuple[dict[str, str], tuple[str, ...]]]:
    """Yield the environment of `commit-tree`, and its options."""
    if not settings.writeback_key:
        yield environment(), ()
        return
    async with signing(settings.writeback_key, scratch=scratch) as env:
        yield env, ("-S",)


def _who(settings: SourceSettings, at: float) -> dict[str, str]:
    author = settings.writeback_author or f"podvisor <podvisor@{os.uname().nodename}>"
    name, _, address = author.rpartition(" <")
    words = {"NAME": name, "EMAIL": address.removesuffix(">"), "DATE": f"@{at:.0f} +0000"}
    return {
        f"GIT_{who}_{word}": value
        for who in ("AUTHOR", "COMMITTER")
        for word, value in words.items()
    }
