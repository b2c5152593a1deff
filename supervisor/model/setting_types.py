"""Types of settings of their own: what a text stands for, where its type would not say it."""


class Seconds(float):
    """A duration in seconds; in the file, a text such as `1h30m`."""

    __slots__ = ()


class Bytes(int):
    """A size in bytes; in the file, a text such as `16M` (powers of 1024)."""

    __slots__ = ()


class SecretRef(str):
    """Where a secret is, never the secret itself: `file:PATH`, `credential:NAME`, `podman:NAME`.

    A file of the user's own with mode 0600, a credential that systemd hands to podvisor's service
    (systemd.exec(5), LoadCredential=), or a secret of Podman's.
    """

    __slots__ = ()

    @property
    def kind(self) -> str:
        """`file`, `credential` or `podman`."""
        return self.partition(":")[0]

    @property
    def place(self) -> str:
        """The path or name."""
        return self.partition(":")[2]


class Globs(tuple[str, ...]):
    """Globs of paths within a source; in the file, one text or a list of them."""

    __slots__ = ()
