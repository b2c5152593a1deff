"""Who can open what is encrypted here: this host's key, and recipients that a repository names."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from supervisor.adapters.secrets import age
from supervisor.adapters.secrets.references import read_private
from supervisor.cli.daemon import places
from supervisor.cli.daemon.client import Refused
from supervisor.cli.show import screen
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import SecretSettings

_FILE = ".age-recipients"


def own_recipient(config: str, *, make: bool) -> str:
    """Return this host's recipient, empty if it has no key; `make` has it made. Raises Failure."""
    identity = _identity(config)
    path = Path(identity.place).expanduser()
    if identity.kind == "file" and not path.exists():
        return _make(path) if make else ""
    try:
        recipient = age.recipient_of(identity_text(config))
    except age.AgeError as error:
        raise Refused(f"cannot use {identity}: {error}") from error
    if not recipient:
        try:
            recipient = path.with_name(f"{path.name}.pub").read_text().strip()
        except OSError as error:
            hint = "age needs the public part of an SSH key beside it"
            raise Refused(f"cannot read {path}.pub: {error.strerror}", hint=hint) from error
    return recipient


def identity_text(config: str) -> bytes:
    """Read this host's key. Raises Refused or Stalled."""
    identity = _identity(config)
    if identity.kind != "file":
        raise Refused(
            f"this host's key is in {identity}, which only the daemon can read",
            hint="name recipients with -r or in .age-recipients; edit where the key is a file",
        )
    return read_private(identity.place, hint="podvisor secret init makes this host's key")


def recipients(config: str, others: Sequence[str], *, beside: Path) -> list[str]:
    """Return all for whom a file in the folder `beside` is to be encrypted. Raises Failure."""
    named = [*others, *_of_repository(beside.resolve())]
    for one in named:
        age.check_recipient(one)
    has_file = _identity(config).kind == "file"
    own = own_recipient(config, make=not named) if has_file or not named else ""
    # A comment after an SSH key does not make it another one.
    unique = {" ".join(one.split()[:2]): one for one in (own, *named) if one}
    return list(unique.values())


def _of_repository(folder: Path) -> list[str]:
    """Read the nearest file of recipients, not above the repository that the folder is in."""
    for place in (folder, *folder.parents):
        try:
            text = (place / _FILE).read_text()
        except FileNotFoundError:
            if (place / ".git").exists():
                break
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"cannot read {place / _FILE}: {error}") from error
        lines = (line.strip() for line in text.splitlines())
        return [line for line in lines if line and not line.startswith("#")]
    return []


def _identity(config: str) -> SecretRef:
    """Return where the settings say that the key is; without settings, where it is by default."""
    from supervisor.core.config.reader import read_settings

    try:
        text = Path(config).read_text()
    except FileNotFoundError:
        return SecretSettings().identity
    settings = read_settings(text, path=config).settings
    if settings is None:
        hint = "podvisor check and systemctl --user status podvisor say why"
        raise Refused(f"the settings in {places.shown(config)} are refused", hint=hint)
    return settings.secrets.identity


def _make(path: Path) -> str:
    secret, recipient = age.new_identity()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    with path.open("w") as file:
        file.write(f"# this host's key, of podvisor\n# public key: {recipient}\n{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    shown = places.shown(str(path))
    text = f"Made this host's key, {shown}. Keep a copy of it: nothing else opens what it can."
    screen.say(text, stream=sys.stderr)
    return recipient
