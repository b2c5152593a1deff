"""An ACME issuer of a user's own: Pebble, with its challenge test server for the names.

It runs as units of the user, at ports that no other user of the host has, and goes with the user.
Every name has the address 127.0.0.1, where http-01 and tls-alpn-01 are asked for at `http_port` and
`tls_port`. It forgets all accounts and orders when it is started anew, and has other roots.
"""

import json
import re
from dataclasses import dataclass

from tests.host.conftest import CHECKOUT, User

SCRIPT = CHECKOUT / "contrib/lib/pebble.py"
FOLDER = "acme"
PEBBLE = "pebble.service"
REQUEST = re.compile(r"\b(GET|HEAD|POST) (/\S*) -> calling handler\(\)")
ISSUED = re.compile(r"Issued certificate serial ([0-9a-f]+) for order")


@dataclass(frozen=True, kw_only=True)
class AcmeServer:
    """Pebble for one user, at ten ports from `port` on."""

    user: User
    port: int

    @property
    def directory(self) -> str:
        """URL of the directory."""
        return f"https://localhost:{self.port}/dir"

    @property
    def authority(self) -> str:
        """Path, inside, of the PEM of who signed the directory's own certificate."""
        return f"{self._home}/ca.crt"

    @property
    def trust(self) -> str:
        """Path, inside, of the PEM of the root of what it issues; written by `start`."""
        return f"{self._home}/root.pem"

    @property
    def http_port(self) -> int:
        """Where it asks for http-01."""
        return self.port + 4

    @property
    def tls_port(self) -> int:
        """Where it asks for tls-alpn-01."""
        return self.port + 5

    @property
    def name_server(self) -> str:
        """ADDRESS:PORT of its DNS server."""
        return f"127.0.0.1:{self.port + 2}"

    def settings(self, name: str = "pebble", *, webroot: str = "", more: str = "") -> str:
        """Podvisor's settings with this issuer, by that name; `more` is of the issuer's table."""
        return f"""
[certificates]
issuer = "{name}"
http_listen = "127.0.0.1:{self.http_port}"
webroot = "{webroot}"
tls_listen = "127.0.0.1:{self.tls_port}"
resolvers = ["{self.name_server}"]

[certificates.issuers.{name}]
directory = "{self.directory}"
authority = "{self.authority}"
{more}
"""

    def start(
        self,
        *,
        nonce_rejects: int = 0,
        reuse: int = 0,
        retry_after: tuple[int, int] = (1, 1),
        lifetime: int = 90 * 86_400,
        name_server: str = "",
        environment: str = "",
        **config: object,
    ) -> "AcmeServer":
        """Start it, or start it anew, which forgets all; how it is in Pebble's own words.

        `nonce_rejects` and `reuse` (of authorisations) are per cent, `retry_after` is of
        authorisations and of orders, in seconds; `environment` is further PAIRS=1 for Pebble;
        `config` are further keys of its settings.
        """
        user = self.user
        settings: dict[str, object] = {
            "retryAfter": dict(zip(("authz", "order"), retry_after, strict=True)),
            "certificateValidityPeriod": lifetime,
            "profiles": {"default": {"description": "One", "validityPeriod": lifetime}},
        }
        options = {
            "nonce_rejects": nonce_rejects,
            "reuse": reuse,
            "name_server": name_server,
            "environment": environment,
            "config": settings | config,
        }
        user.write(SCRIPT.name, SCRIPT.read_text())
        script = f"/home/{user.name}/{SCRIPT.name}"
        user.run("python3", script, self._home, str(self.port), json.dumps(options))
        user.write(f"{FOLDER}/root.pem", self.managed("roots/0"))
        return self

    def stop(self) -> None:
        """Have it be down."""
        self.user.systemctl("stop", PEBBLE)

    def resume(self) -> None:
        """Start it as it was last: another Pebble, with the same settings."""
        self.user.systemctl("start", PEBBLE)
        self.user.write(f"{FOLDER}/root.pem", self.managed("roots/0"))

    def managed(self, path: str, *arguments: str) -> str:
        """Ask its management interface; `roots/0` and `intermediates/0` are PEM."""
        url = f"https://localhost:{self.port + 1}/{path}"
        return self.user.run("curl", "-fsS", "--cacert", self.authority, *arguments, url).stdout

    def name(self, kind: str, **values: object) -> None:
        """Tell its DNS server of something, as `name("add-a", host="x.", addresses=["..."])`."""
        url = f"http://127.0.0.1:{self.port + 3}/{kind}"
        self.user.run("curl", "-fsS", "--data", json.dumps(values), url)

    def requests(self, path: str = "") -> list[str]:
        """Paths below one that were asked for so far, since the user's first Pebble."""
        found = REQUEST.findall(self.log())
        return [asked for _, asked in found if asked.startswith(path)]

    def orders(self) -> int:
        """How many orders were made so far."""
        return self.log().count("Added order ")

    def issued(self) -> list[str]:
        """Serials of what was issued so far, as openssl prints them, in lower case."""
        return [serial.lstrip("0") for serial in ISSUED.findall(self.log())]

    def log(self) -> str:
        """All that it has logged."""
        path = self.user.home / FOLDER / "pebble.log"
        return path.read_text() if path.exists() else ""

    @property
    def _home(self) -> str:
        return f"/home/{self.user.name}/{FOLDER}"
