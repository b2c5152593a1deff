"""Which proxy leads to a host, as Go (and so Podman) reads it from the environment.

`HTTPS_PROXY` and `HTTP_PROXY` by what is asked over, `NO_PROXY` for exceptions, all of them in
small letters as well: golang.org/x/net/http/httpproxy. This machine itself is asked directly.
"""

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from supervisor.kit.http.connection import Address, HttpError, address_of


class Proxy(msgspec.Struct, frozen=True):
    """A proxy; its repr does not hold the password."""

    address: Address
    authorization: str = ""
    """Value of the header that lets one in."""

    def __repr__(self) -> str:
        return f"Proxy({self.address.host}:{self.address.port})"

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with each request for it."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def proxy_for(address: Address, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that leads there, if one has to. Raises HttpError if it cannot be used."""
    name = "https_proxy" if address.is_secure else "http_proxy"
    text = environment.get(name.upper()) or environment.get(name) or ""
    if not text or _is_here(address.host):
        return None
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if any(_covers(one.strip().lower(), address) for one in exceptions.split(",")):
        return None
    return _read(name, text)


def _read(name: str, text: str) -> Proxy:
    """Read a variable. Raises HttpError, which repeats nothing: it may be of a password."""
    found = _parts(text if "://" in text else f"http://{text}")
    if found is None:
        raise HttpError(
            f"${name} is no URL; in a password write / as %2F, # as %23, ? as %3F and @ as %40"
        )
    parts, address = found
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError(f"${name} names no proxy that speaks HTTP")
    return Proxy(address, _authorization(parts))


def _parts(url: str) -> tuple[SplitResult, Address] | None:
    try:
        parts = urlsplit(url)
        address = address_of(f"{parts.scheme}://{_place(parts)}")
    except (ValueError, HttpError):
        return None
    # The password has ended the host.
    is_cut = "@" in f"{parts.path}{parts.query}{parts.fragment}"
    return None if is_cut else (parts, address)


def _place(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _is_here(host: str) -> bool:
    ip = _ip(host)
    return host == "localhost" or (ip is not None and ip.is_loopback)


def _covers(exception: str, address: Address) -> bool:
    """Whether an entry of `NO_PROXY` (`*`, a domain, an address, a network, a port) is meant."""
    if exception in ("", "*"):
        return exception == "*"
    host = address.host.lower()
    ip = _ip(host)
    if "/" in exception:
        try:
            return ip is not None and ip in ipaddress.ip_network(exception, strict=False)
        except ValueError:
            return False
    bare, colon, port = exception.rpartition(":")
    if colon and port.isdigit() and (":" not in bare or bare.startswith("[")):
        if int(port) != address.port:
            return False
        exception = bare
    exception = exception.strip("[]")
    if ip is not None:
        return _ip(exception) == ip
    domain = exception.removeprefix("*").removeprefix(".")
    is_itself = host == domain and not exception.startswith((".", "*"))
    return bool(domain) and (is_itself or host.endswith(f".{domain}"))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
