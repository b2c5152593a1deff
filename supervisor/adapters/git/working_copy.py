"""A working copy as the repository that a commit of all of it would make. For `podvisor check`.

What Git ignores is left out, and submodules are what a clone has of them: nothing. Nothing is
written into the working copy's own repository: objects go to one beside, which borrows from it.
"""

from pathlib import Path
from typing import NamedTuple

from supervisor.adapters.git.command import environment, git
from supervisor.kit.process import Completed
from supervisor.model.errors import Failure, Stalled

BRANCH = "check"
_DOING = "look at the working copy"
_PERSON = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "podvisor"), ("EMAIL", "podvisor@localhost"))
}


class WorkingCopy(NamedTuple):
    """A folder in a Git working tree."""

    folder: str
    top: str
    prefix: str
    objects: str

    @classmethod
    async def at(cls, folder: str) -> "WorkingCopy | None":
        """Return what a folder is part of; None if of no repository, or of one that Git refuses."""
        asked = ("--show-toplevel", "--show-prefix", "--git-path", "objects")
        try:
            said = await _say(folder, "rev-parse", "--path-format=absolute", *asked)
        except Failure:
            return None
        lines = said.split("\n")
        if len(lines) != 3:  # noqa: PLR2004  # a path with a line break in it
            return None
        return cls(folder, *lines)

    async def origins(self) -> frozenset[str]:
        """URLs that it was cloned from, or is pushed to."""
        try:
            said = await _say(self.folder, "config", "--get-regexp", r"^remote\..*\.url$")
        except Failure:
            return frozenset()
        return frozenset(line.partition(" ")[2] for line in said.split("\n"))

    def is_whole(self) -> bool:
        """Whether the folder is the top of its working tree."""
        return not self.prefix

    async def commit_to(self, repository: Path) -> None:
        """Make a bare repository of which `BRANCH` is all that stands in the folder."""
        await git("init", "--quiet", "--bare", str(repository), doing=_DOING)
        (repository / "objects/info/alternates").write_text(f"{self.objects}\n")
        env = environment() | {
            "GIT_INDEX_FILE": str(repository / "podvisor-index"),
            "GIT_OBJECT_DIRECTORY": str(repository / "objects"),
            **_PERSON,
        }
        begun = await _run(self.top, "rev-parse", "--verify", "--quiet", "HEAD^{tree}", env=env)
        if begun.code == 0:  # else nothing was ever committed
            await _say(self.top, "read-tree", "HEAD", env=env)
        await _say(self.top, "add", "--all", "--", ".", env=env)
        prefix = [f"--prefix={self.prefix}"] if self.prefix else []
        tree = await _say(self.top, "write-tree", *prefix, env=env)
        commit = await _say(self.top, "commit-tree", "-m", "as it stands here", tree, env=env)
        ref = f"refs/heads/{BRANCH}"
        await git("update-ref", ref, commit, repository=str(repository), doing=_DOING)


async def _run(folder: str, *args: str, env: dict[str, str] | None = None) -> Completed:
    return await git("-C", folder, *args, env=env, doing=_DOING)


async def _say(folder: str, *args: str, env: dict[str, str] | None = None) -> str:
    done = await _run(folder, *args, env=env)
    if done.code:
        words = done.errors.strip().split("\n")[0]
        raise Stalled(f"cannot {_DOING}: {words or f'git ended with {done.code}'}")
    return done.output.decode(errors="surrogateescape").rstrip("\n")
