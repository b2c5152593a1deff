"""The URL of a Git repository, parsed once, and texts that hold URLs, without their passwords."""

import re
from typing import Self
from urllib.parse import urlsplit

_SCP_STYLE = r"(?!.*::)(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9._-]+):(?!//)(.+)"
_CREDENTIALS = r"(?<=://)(?:([^/@:\s]*):[^/\s]*|[^/@:\s]{20,})@"
"""A user and a password, or what is long enough to be a token in the place of the user."""


def without_credentials(text: str) -> str:
    """Return a text as it may be shown: `***` for the passwords and tokens in its URLs."""
    return re.sub(_CREDENTIALS, lambda found: f"{found[1]}:***@" if found[1] else "***@", text)


class GitUrl(str):
    """Where a repository is: a URL, `user@host:path` as for scp, or a path. Empty is nowhere.

    `str()` of it is what git takes, with a password if it holds one; `shown` is for people.
    """

    scheme: str
    """`ssh` for `user@host:path`, empty for a path."""
    user: str
    password: str | None
    """As it stands there: percent-encoded."""
    host: str
    """In small letters."""
    server: str
    """The host with its port, if it has one."""
    path: str
    fault: str
    """Why it cannot be read, in words of Python's; it then has no parts."""
    __slots__ = ("fault", "host", "password", "path", "scheme", "server", "user")

    def __new__(cls, text: str = "") -> Self:
        self = super().__new__(cls, text)
        self.user = self.host = self.server = self.path = self.fault = ""
        self.password = None
        scheme, slashes, _ = text.partition("://")
        self.scheme = scheme.lower() if slashes else ""
        if slashes:
            try:
                parts = urlsplit(text)
                self.host, _ = parts.hostname or "", parts.port
            except ValueError as error:
                self.fault = str(error)
                return self
            self.user, self.password, self.path = parts.username or "", parts.password, parts.path
            self.server = parts.netloc.rpartition("@")[2]
        elif text and (scp := re.fullmatch(_SCP_STYLE, text)):
            self.scheme, self.user, self.path = "ssh", scp[1] or "", scp[3]
            self.server, self.host = scp[2], scp[2].lower()
        else:
            self.path = text
        return self

    @property
    def shown(self) -> str:
        """As it may be shown."""
        return without_credentials(self)

    @property
    def over_http(self) -> bool:
        return self.scheme in ("https", "http")

    @property
    def is_local(self) -> bool:
        """Whether it leads to this machine itself."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def over_ssh(self) -> bool:
        """Whether git would use ssh, unless it refuses it."""
        return self.scheme not in ("https", "http", "file")

    @property
    def repository(self) -> str:
        """The path as Git hosts write it: `OWNER/NAME`."""
        return self.path.strip("/").removesuffix(".git").strip("/")

    def without_user(self) -> "GitUrl":
        """Return the URL without user and password."""
        return GitUrl(re.sub(r"^([^/]*//)[^/]*@", r"\1", self))
