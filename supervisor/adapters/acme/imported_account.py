"""An account that another client made: its key is put where that of podvisor's own would be."""

import enum
import os
from contextlib import suppress
from pathlib import Path

from supervisor.adapters.acme.places import account_path
from supervisor.kit.files import told, write_whole


class Place(enum.Enum):
    """What was in the place of an account's key."""

    FREE = enum.auto()
    THE_SAME = enum.auto()
    ANOTHER = enum.auto()


def place_of(accounts: Path, directory: str, key: str) -> Place:
    """Return what is there. Raises Retry or Stalled."""
    path = account_path(accounts, directory)
    with told(f"read the account's key {path}"):
        try:
            there = path.read_bytes()
        except FileNotFoundError:
            return Place.FREE
    return Place.THE_SAME if there.split() == key.encode().split() else Place.ANOTHER


def take(accounts: Path, directory: str, key: str) -> None:
    """Put a key there; another one stays beside it. Raises Retry or Stalled."""
    path = account_path(accounts, directory)
    with told(f"keep the account's key {path}"):
        with suppress(FileNotFoundError):
            os.link(path, _free_name(path))
        write_whole(path, key.encode())


def _free_name(path: Path) -> Path:
    number = 1
    while (kept := path.with_name(f"{path.name}.before.{number}")).exists():
        number += 1
    return kept
