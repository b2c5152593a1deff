"""What a pass has seen of a certificate, from which `next_step` says what is next."""

import msgspec

from supervisor.core.certificates.spare import Spare
from supervisor.model.imported import Imported


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a certificate's files and users."""

    kept: bool = True
    """What is kept of the current one is as it was."""
    installed: bool = True
    """So is what is installed of it."""
    secrets: tuple[str, ...] = ()
    """Podman secrets that do not hold it, and should."""
    previous_kept: bool = True
    folder: str = ""
    """Absolute path of where it belongs."""
    users: tuple[str, ...] = ()
    """Units that should run with it, or do."""
    waiting: tuple[str, ...] = ()
    """Those of them that have not taken up the current one."""
    failing: str = ""
    """Why one of them cannot take it up: its reload or its restart for it failed."""
    held: str = ""
    """Why they are not expected to take it up now, as that their app is suspended."""
    unserved: str | None = None
    """What was wrong when it was looked just now whether it is served, empty if nothing was; None
    if nobody looked. The record has it already (`records.looked`)."""
    is_answered: bool = False
    """Whether a server answered then, with another certificate."""
    imported: tuple[Imported, ...] = ()
    """Certificates of other clients that wait for a file."""
    spare: Spare | None = None
    """One that was had before and does for what is asked for; looked for where that may be."""
