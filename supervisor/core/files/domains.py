"""What a certificate is for: domains in the form that certificates have, and IP addresses."""

import ipaddress
import re
from urllib.parse import urlsplit

from supervisor.core.files.unitfile import Refused
from supervisor.kit.texts import one_line

WILDCARD = "*."
_LONGEST = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HINT = "write a name such as www.example.org"


def parse_domain(text: str, *, ports: str = "a certificate is for all ports") -> str:
    """Return a domain in A-labels and small letters, or an IP address in its canonical form.

    Raises Refused; of one with a port it says what `ports` says of them.
    """
    shown = f"“{one_line(text, 60)}”"
    if address := _address(text):
        return _host_address(address, shown)
    if "://" in text:
        try:
            host = urlsplit(text).hostname or ""
        except ValueError:
            host = ""
        raise Refused(
            f"{shown} is a URL, and no domain", f"write {one_line(host) or 'its host alone'}"
        )
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        hint = f"{ports}: write {one_line(host)}"
        raise Refused(f"{shown} names a port", hint)
    if not text.isprintable() or re.search(r"[\s/:@,;\"'%\\]", text):
        raise Refused(f"{shown} cannot be a domain", f"{_HINT}, one in each line")
    base = text.removeprefix(WILDCARD).removesuffix(".")
    if "*" in base:
        hint = "a wildcard stands for one whole label, the first: *.example.org"
        raise Refused(f"{shown} is no wildcard", hint)
    domain = base.lower() if base.isascii() else base
    if not domain.isascii() or "xn--" in domain:
        domain = _in_a_labels(domain, shown)
    for label in domain.split("."):
        if not _LABEL.fullmatch(label):
            raise Refused(f"{shown} cannot be a domain: {_why(label)}", _HINT)
    if len(domain) > _LONGEST:
        raise Refused(f"{shown} cannot be a domain: it is longer than {_LONGEST} letters")
    if domain.rpartition(".")[2].isdigit():
        raise Refused(f"{shown} is neither a domain nor an IP address", _HINT)
    return WILDCARD + domain if text.startswith(WILDCARD) else domain


def is_address(name: str) -> bool:
    """Whether it is an IP address."""
    return _address(name) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        return None


def _host_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address, shown: str) -> str:
    scope = isinstance(address, ipaddress.IPv6Address) and address.scope_id
    if scope or address.is_unspecified or address.is_multicast:
        raise Refused(f"no host can be told by the address {shown}", "write one of the server's")
    return str(address)


def _in_a_labels(domain: str, shown: str) -> str:
    import idna  # noqa: PLC0415

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Refused(f"{shown} cannot be a domain: {one_line(str(error))}", _HINT) from None


def _why(label: str) -> str:
    if not label:
        return "a label of it is empty"
    if len(label) > 63:  # noqa: PLR2004
        return "a label of it is longer than 63 letters"
    if label.startswith("-") or label.endswith("-"):
        return f"“{one_line(label)}” begins or ends with a hyphen"
    return f"“{one_line(label)}” has other letters than a-z, 0-9 and -"
