"""Where accounts and orders that are under way are kept."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

DNS_NOTES = "dns.json"
"""What is in DNS while a name is proven: a process that is killed leaves it there."""
_MARK = 12


def account_path(accounts: Path, directory: str) -> Path:
    """Return where the key of the account at an issuer is, by the URL of its directory."""
    host = re.sub(r"[^a-z0-9.-]", "", (urlsplit(directory).hostname or "").lower())
    mark = hashlib.sha256(directory.encode()).hexdigest()[:_MARK]
    return accounts / f"{host or 'issuer'}-{mark}.pem"
