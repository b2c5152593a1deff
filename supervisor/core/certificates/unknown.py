"""What is said where a certificate is named that no app asks for."""

from collections.abc import Collection
from typing import NamedTuple

from supervisor.kit.texts import meant
from supervisor.model.certificate import SUFFIX


class Unknown(NamedTuple):
    """It, and what to do."""

    message: str
    hint: str


def unknown(name: str, known: Collection[str]) -> Unknown:
    """Say it; `known` are the names of those that are asked for."""
    hint = "podvisor sync, if its file was just written; podvisor certs lists those that are known"
    hint = meant(name.removesuffix(SUFFIX), known, hint)
    return Unknown(f"no app asks for a certificate {name}", hint)
