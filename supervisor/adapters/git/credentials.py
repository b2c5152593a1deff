"""How a source is reached: from its settings to the address, the password and the ssh command.

Passwords are read anew each time, and go to git's environment only.
"""

import shlex
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

import msgspec

from supervisor.adapters.git.ls_refs import basic
from supervisor.adapters.git.remote import Remote
from supervisor.kit.credentials import credential_path, how_to_load
from supervisor.kit.files import write_whole
from supervisor.model.errors import Retry, Stalled
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import SourceSettings

ReadSecret = Callable[[SecretRef], Awaitable[bytes]]
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PINNED = ("StrictHostKeyChecking=yes", "UpdateHostKeys=no", "VerifyHostKeyDNS=no")


class Access(msgspec.Struct, kw_only=True):
    """`folder` takes the known_hosts lines that stand in the settings, a file for each source."""

    read_secret: ReadSecret
    folder: Path

    async def remote(self, name: str, settings: SourceSettings) -> Remote:
        """Read what the settings refer to. Raises Stalled if a key or password cannot be used."""
        url = settings.git
        if settings.password:
            password = _text(await self.read_secret(settings.password))
            user = settings.user or unquote(url.user) or "git"
            return Remote(url.without_user(), basic(user, password))
        if url.over_http and url.password is not None:
            return Remote(url.without_user(), basic(unquote(url.user), unquote(url.password)))
        if settings.ssh_key or settings.known_hosts:
            return Remote(url, ssh=self._ssh_command(name, settings))
        return Remote(url)

    def _ssh_command(self, name: str, settings: SourceSettings) -> str:
        """Make the command that git calls through a shell; ssh splits paths at spaces itself."""
        options = ["BatchMode=yes"]
        if settings.ssh_key:
            options += [f'IdentityFile="{private_key(settings.ssh_key)}"', "IdentitiesOnly=yes"]
        if settings.known_hosts:
            known = self._known_hosts(name, settings.known_hosts)
            options += [f'UserKnownHostsFile="{known}"', "GlobalKnownHostsFile=/dev/null", *_PINNED]
        return shlex.join(["ssh", *(f"-o{option}" for option in options)])

    def _known_hosts(self, name: str, text: str) -> Path:
        if text.startswith(("/", "~")):
            path = Path(text).expanduser()
            if not path.is_file():
                raise Stalled(
                    f"cannot use {path} as known_hosts: there is no such file",
                    hint=f"ssh-keyscan HOST >{path}, and compare it with what the server's owner"
                    " tells",
                )
            return path
        path = self.folder / f"{name}.known_hosts"
        content = "".join(f"{line.strip()}\n" for line in text.splitlines()).encode()
        try:
            if not path.exists() or path.read_bytes() != content:
                write_whole(path, content)
        except OSError as error:
            raise Retry(f"cannot write {path}: {error.strerror}") from error
        return path


def _text(password: bytes) -> str:
    try:
        return password.decode()
    except UnicodeDecodeError as error:
        raise Stalled(
            "cannot use the password: it is not UTF-8", hint="put the token there, and nothing else"
        ) from error


def private_key(text: str) -> Path:
    """Return the key's path, for ssh would refuse one that others can read, with other words."""
    if text.startswith("credential:"):
        name = text.partition(":")[2]
        hint = how_to_load(name)
        credential = credential_path(name)
        if credential is None:
            raise Stalled(f"cannot use credential {name}: the service has none", hint=hint)
        path = credential
    else:
        path = Path(text).expanduser()
        hint = f"ssh-keygen -t ed25519 -N '' -f {path}"
    try:
        status = path.stat()
    except OSError as error:
        raise Stalled(f"cannot use the key {path}: {error.strerror}", hint=hint) from error
    if not stat.S_ISREG(status.st_mode):
        raise Stalled(f"cannot use the key {path}: it is no file", hint=hint)
    if status.st_mode & _OTHERS:
        raise Stalled(
            f"cannot use the key {path}: others can read or change it", hint=f"chmod 600 {path}"
        )
    return path
