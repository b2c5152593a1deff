"""Tags that a policy chose, written back into the files of a source."""

import msgspec


class TagChange(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One line of a source's file that is to name another tag."""

    path: str
    """Within the source."""
    line: int
    """From 1; 0 if no line of that file names the image."""
    image: str
    """As the line names it now, whole: `docker.io/library/nginx:1.27.0`."""
    tag: str
    """That it is to name."""
    app: str
    question: str
    """Key."""
    policy: str
    """In words."""


class NewCommit(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be committed to a source."""

    onto: str
    """Commit id: the source's revision that the files are of."""
    files: dict[str, bytes]
    """New contents of files that are there, by path; their modes stay."""
    message: str
    at: float
    """Seconds since the epoch."""
    replaces: str = ""
    """For a branch of podvisor's own: the commit that it pushed there last; empty if none."""


class PushedCommit(msgspec.Struct, frozen=True, kw_only=True):
    """What was pushed."""

    oid: str
    """Commit id."""
    branch: str
    """The source's own, by its short name; empty if its server does not tell which it is."""


class WrittenBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was committed of an image of an app; kept in the ledger as `ImageOrder` is.

    It tells a person's word from what is not fetched yet: who takes such a commit back in Git means
    that the image stays there.
    """

    app: str
    question: str
    """Key."""
    onto: str
    """Revision of the source that it was committed onto."""
    commit: str
    was: str
    """Tag that the file named."""
    was_ours: bool = False
    """Whether that was committed here too, and read: a person may take it back."""
    tag: str
    """That it names since."""
    is_seen: bool = False
    """Whether the source was read with it."""
    stays_at: str = ""
    """Tag at which the image stays, as a person took the commit back; empty if nobody did."""


class PushedBranch(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a source's branch of podvisor's own; kept in the ledger by the source."""

    branch: str
    commit: str
    ref: str
    """Of the settings, as it was then."""
    onto: str
    """Short name of the source's branch that it is to be merged into; empty if it is not known."""
    changes: tuple[TagChange, ...]
    """Empty since the source's files say all that, or something newer."""
