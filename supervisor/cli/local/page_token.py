"""Reads the token of the page: from a file, or from what systemd hands to its service."""

from supervisor.adapters.secrets.references import read_credential, read_private
from supervisor.cli.daemon.client import Refused
from supervisor.model.setting_types import SecretRef
from supervisor.web.token import LONGEST, Token


def read_token(place: SecretRef) -> Token:
    """Return it. Raises Refused or Stalled if it is not there, or too short."""
    if place.kind not in {"file", "credential"} or not place.place:
        raise Refused(f"cannot find a token at “{place}”", hint="file:PATH, or credential:NAME")
    if place.kind == "file":
        return Token(read_private(place.place).strip())
    return Token(read_credential(place.place, limit=LONGEST).strip())
