"""What git's words mean: from the stderr of a failed command to one of the two failures."""

import re

from supervisor.kit.texts import format_size
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.git_url import without_credentials


class StoreBroken(Exception):
    """A store's repository is damaged; the reader throws it away and makes it anew."""


class TooLarge(Stalled):
    """A fetch brought more than its limit: it is not worth another try."""

    def __init__(self, doing: str, limit: int) -> None:
        super().__init__(
            f"cannot {doing}: it brings more than {format_size(limit)}",
            hint="keep large files out of the repository, or raise [limits] fetch_size",
        )


_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_BROKEN = re.compile(
    r"(object|pack|file) \S+ is (empty|corrupt)|bad object|not a git repository: |bad signature"
    r"|does not match index|cannot be accessed|bad config|missing blob|badly formed|bad tree"
    r"|invalid sha1 pointer|unable to (parse|read|unpack|find) \S*(object|sha1|header|[0-9a-f]{40})"
    r"|did not send all necessary objects|could not read [0-9a-f]{40}|inflate: |corrupt loose"
    r"|reference broken|bad numeric config|bad shallow line",
    re.IGNORECASE,
)
# Each needs a person here or at the other end; the first that matches counts.
_STALLED = (
    (
        r"host key verification failed",
        (
            "compare what ssh-keyscan says of the host with what its owner says; then add it to"
            " `known_hosts` of the source, or to ~/.ssh/known_hosts if the source has none"
        ),
    ),
    (
        (
            r"authentication failed|could not read (username|password)|permission denied \("
            r"|returned error: 40[13]|access denied|invalid credentials|terminal prompts disabled"
        ),
        (
            "give podvisor's user access: a deploy key for ssh, or ~/.netrc or a credential helper"
            " for https"
        ),
    ),
    (
        (
            r"repository not found|not found$|does not appear to be a git repository"
            r"|returned error: 4(04|10)|does not exist|no such project"
        ),
        "check the URL, and whether podvisor's user may see the repository",
    ),
    (
        r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref",
        "check `ref`: a branch, a tag, or a commit's full id of 40 digits",
    ),
    (
        r"transport '.*' not allowed|unable to find remote helper|is not allowed by|strange \w+ '",
        "use https://, ssh:// or file://",
    ),
    (
        r"dubious ownership",
        "the repository belongs to another user: git config --global --add safe.directory PATH",
    ),
    (
        r"ssl certificate|certificate verif|certificate subject|unable to get local issuer",
        "check the server's certificate, or make its authority known to this machine",
    ),
    (r"mismatched algorithms", "repositories with SHA-256 object ids cannot be read"),
)
_LOCKED = re.compile(
    r"authentication failed|could not read (username|password)|terminal prompts disabled",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"^(fatal: could not read from remote repository|please make sure you have|and the repository"
    r" exists|hint: |warning: permanently added|fatal: early eof|fatal: the remote end hung up"
    r"|error: could not fetch |error: failed to push some refs )",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^((fatal|error|remote|warning|ERROR): *)+")


def last_words(stderr: str) -> str:
    """Return the one line of git's stderr that says why, without credentials and prefixes."""
    lines = [line.strip() for line in stderr.replace("\r", "\n").splitlines()]
    lines = [line for line in lines if _PREFIX.sub("", line)]
    telling = [line for line in lines if not _NOISE.match(line)] or lines
    line = _PREFIX.sub("", telling[-1]) if telling else "git says nothing"
    return without_credentials("".join(c for c in line if c.isprintable()))[:500]


def is_damage(stderr: str) -> bool:
    """Whether git complains of its own repository."""
    return _BROKEN.search(stderr) is not None


def local_failure(doing: str, stderr: str) -> Failure | StoreBroken:
    """Classify the failure of a command that works on the store alone."""
    if _FULL.search(stderr):
        return Retry(f"cannot {doing}: disk full")
    if re.search(r"permission denied|read-only file system", stderr, re.IGNORECASE):
        return Stalled(
            f"cannot {doing}: {last_words(stderr)}", hint="check the owner of podvisor's state"
        )
    return StoreBroken(last_words(stderr))


def remote_failure(
    doing: str, stderr: str, *, with_password: bool = False
) -> Failure | StoreBroken:
    """Classify the failure of a command that talks to a remote repository.

    `with_password` if the settings gave one: git knows it as a header, and asks for another.
    """
    why = last_words(stderr)
    if _FULL.search(stderr):
        return Retry(f"cannot {doing}: disk full")
    if is_damage(stderr):
        return StoreBroken(why)
    if with_password and _LOCKED.search(stderr):
        return Stalled(
            f"cannot {doing}: the server refused the user and password that were given",
            hint="correct them in the settings, or leave them out and use ~/.netrc or a credential"
            " helper",
        )
    for pattern, hint in _STALLED:
        if any(re.search(pattern, words, re.IGNORECASE) for words in (why, stderr.strip())):
            return Stalled(f"cannot {doing}: {why}", hint=hint)
    return Retry(f"cannot {doing}: {why}")
