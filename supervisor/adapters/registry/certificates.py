"""Whom a registry's connection is trusted by: `certs.d`, containers-certs.d(5)."""

import os
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from supervisor.kit.http.connection import verifying
from supervisor.model.errors import Stalled

_LONGEST_NAME = 255
"""Of a file, in bytes; and of a host."""
_SYSTEM = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))


def user_folder() -> Path:
    """Return the user's own `certs.d`."""
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(settings) / "containers" / "certs.d"


def folder_of(host: str) -> Path | None:
    """Return the folder for a host, of several the first that is there; None if none is."""
    # Where a redirect leads is anybody's text.
    if len(host) > _LONGEST_NAME or not host.strip("."):
        return None
    for folder in (user_folder(), *_SYSTEM):
        with suppress(OSError):
            if (folder / host).is_dir():
                return folder / host
    return None


def context_for(folder: Path | None, *, is_insecure: bool = False) -> ssl.SSLContext:
    """Trust the machine's authorities and the host's own, and show the host's client certificate.

    `folder` is the host's, as `folder_of` finds it. `is_insecure` trusts anybody. Raises Stalled
    if a file there cannot be used.
    """
    context = verifying()
    # As Go does it for Podman: an authority made by hand seldom has all that RFC 5280 asks for,
    # and a server's own certificate may stand among those that are trusted.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if folder:
        _take(folder, context)
    if is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _take(folder: Path, context: ssl.SSLContext) -> None:
    for path in _files(folder):
        try:
            if path.suffix == ".crt":
                context.load_verify_locations(cafile=path)
            elif path.suffix == ".cert":
                # A password would be asked for at the terminal.
                context.load_cert_chain(path, path.with_suffix(".key"), password=_none)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Stalled(
                f"cannot use {path}: {reason}",
                hint="*.crt holds an authority, *.cert and *.key belong together, all are PEM;"
                " see man containers-certs.d",
            ) from error


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError as error:
        raise Stalled(
            f"cannot read {folder}: {error.strerror}", hint=f"let this user read {folder}"
        ) from error


def _none() -> str:
    raise ValueError("its key has a password")
