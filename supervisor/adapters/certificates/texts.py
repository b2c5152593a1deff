"""The files of a pair: what stands in each."""

import hashlib
from typing import NamedTuple

from supervisor.model.acme import Pair

_END = "-----END CERTIFICATE-----\n"
NAME = "name"
"""A file beside those that are installed: of the certificate that is installed there."""
NOTE = "owned"
"""One more, where the key is another's: how that was installed."""
DATA = "..data"
"""The link to the folder that holds them."""


class Kept(NamedTuple):
    """A pair, each text with a line's end."""

    key: str
    chain: str

    @property
    def digest(self) -> str:
        return hashlib.sha256((self.key + self.chain).encode()).hexdigest()


def kept(pair: Pair) -> Kept:
    """Return the texts of a pair."""
    return Kept(_ended(pair.key), _ended(pair.chain))


def installed(name: str, pair: Kept) -> dict[str, bytes]:
    """Files that are installed for a certificate, and what stands in them."""
    at = pair.chain.find(_END) + len(_END)
    texts = {
        NAME: f"{name}\n",
        "privkey.pem": pair.key,
        "cert.pem": pair.chain[:at],
        "chain.pem": pair.chain[at:],
        "fullchain.pem": pair.chain,
        "combined.pem": pair.key + pair.chain,
    }
    return {file: text.encode() for file, text in texts.items()}


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
