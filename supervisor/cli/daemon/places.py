"""Where the settings, the ledger and the control socket are: as `wiring.environment.Paths`.

Here that costs no import, and works without a session.
"""

# ruff: noqa: PTH100, PTH110, PTH111, PTH118 - pathlib would cost a short command more than the rest

import os
import sys

from supervisor.client import place

runtime_folder = place.runtime_folder


def config_file() -> str:
    """Return the path of the settings file."""
    return f"{_base('XDG_CONFIG_HOME', '.config')}/podvisor/config.toml"


def unit_file() -> str:
    """Return the path of podvisor's own service."""
    return f"{_base('XDG_CONFIG_HOME', '.config')}/systemd/user/podvisor.service"


def quadlet_folder() -> str:
    """Return the folder that holds what podvisor deployed."""
    return f"{_base('XDG_CONFIG_HOME', '.config')}/containers/systemd/podvisor"


def ledger_file() -> str:
    """Return the path of the ledger."""
    return f"{_base('XDG_STATE_HOME', '.local/state')}/podvisor/ledger.db"


def questions_socket() -> str:
    """Return the path of the daemon's socket that takes questions only."""
    return f"{runtime_folder()}/podvisor/questions/podvisor.sock"


def page_orders_socket() -> str:
    """Return the path of the daemon's socket for the page's orders."""
    return f"{runtime_folder()}/podvisor/page-orders/podvisor.sock"


def docs(page: str) -> str:
    """Return the URL of a page of the documentation, `how-to/upgrade.md`, as it is installed."""
    for root in (os.path.join(sys.prefix, "share/doc/podvisor"), f"{__file__}/../../../.."):
        path = os.path.abspath(f"{root}/docs/{page}")
        if os.path.exists(path):
            return f"file://{path.replace('%', '%25').replace(' ', '%20')}"
    return f"docs/{page} of podvisor's repository"


def shown(path: str) -> str:
    """Write a path for people: with `~` for the home folder."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


def _base(variable: str, default: str) -> str:
    return os.environ.get(variable) or os.path.expanduser(f"~/{default}")
