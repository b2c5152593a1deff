"""Where things are, for this user, and what the settings file there says."""

import os
from pathlib import Path

import msgspec

from supervisor.core.config.reader import Reading, read_settings
from supervisor.core.files.certificate_files import HostFolders
from supervisor.model.errors import Finding, Stalled


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are, for this user."""

    config: Path
    state: Path
    runtime: Path
    quadlets: Path
    """The user's Quadlet folder, below which podvisor owns `podvisor/`."""
    user_units: Path
    podman_socket: Path
    certificates: Path
    """Where certificates are installed that name no place, each in a folder of its own."""

    @classmethod
    def from_environment(cls, config: Path | None = None) -> "Paths":
        """Read $HOME and the XDG variables. Raises Stalled without a runtime folder."""
        home = Path.home()
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        if not runtime:
            raise Stalled(
                "cannot start: XDG_RUNTIME_DIR is not set, so there is no user session",
                hint=f"loginctl enable-linger {home.name}, then log in anew (not with su)",
            )
        settings = user_settings()
        state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state")
        return cls(
            config=config or settings / "podvisor" / "config.toml",
            state=state / "podvisor",
            runtime=Path(runtime) / "podvisor",
            quadlets=settings / "containers" / "systemd",
            user_units=settings / "systemd" / "user",
            podman_socket=Path(runtime) / "podman" / "podman.sock",
            certificates=user_data() / "podvisor" / "certificates",
        )

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.runtime / "control.sock"

    @property
    def questions(self) -> Path:
        """The socket that takes questions only, in a folder of its own."""
        return self.runtime / "questions" / "podvisor.sock"

    @property
    def page_orders(self) -> Path:
        """The socket for the page's orders, in a folder of its own."""
        return self.runtime / "page-orders" / "podvisor.sock"

    @property
    def accounts(self) -> Path:
        """Where the keys of accounts at issuers are."""
        return self.state / "acme-accounts"

    @property
    def kept_certificates(self) -> Path:
        """Where what was issued is kept, a folder for each certificate."""
        return self.state / "certificates"

    @property
    def imported(self) -> Path:
        """Where certificates of other clients wait, whether a daemon runs or not."""
        return self.state / "imported-certificates"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"


def user_settings() -> Path:
    """Return the folder of the user's settings."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def user_data() -> Path:
    """Return the folder of the user's data."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def host_folders() -> HostFolders:
    """Return what a `.certificate` file may mean by a path."""
    return HostFolders(
        home=str(Path.home()),
        apps=str(user_settings() / "containers" / "systemd" / "podvisor"),
        certificates=str(user_data() / "podvisor" / "certificates"),
        real=os.path.realpath,
    )


def load_settings(path: Path) -> Reading:
    """Read the settings file; a file that cannot be read is a finding too."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        finding = Finding(
            message="there are no settings",
            path=str(path),
            hint="have a file written that explains itself",
            command="podvisor init",
        )
        return Reading(settings=None, findings=(finding,))
    except (OSError, UnicodeDecodeError) as error:
        finding = Finding(message=f"cannot read the settings: {error}", path=str(path))
        return Reading(settings=None, findings=(finding,))
    return read_settings(text, path=str(path))
