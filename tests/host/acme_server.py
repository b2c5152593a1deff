"""An ACME issuer of a user's own: Pebble, with its challenge test server for the names.

It runs as units of the user, at ports that no other user of the host has, and goes with the user.
Every name has the address 127.0.0.1, where http-01 and tls-alpn-01 are asked for at `http_port` and
`tls_port`. It forgets all accounts and orders when it is started anew, and has other roots.
"""

import json
import re
from dataclasses import dataclass

from tests.host.conftest import User

FOLDER = "acme"
PEBBLE, NAMES = "pebble.service", "pebble-names.service"
# Debian has two versions of it, which call the port of the DNS server otherwise.
NAME_SERVER = """\
#!/bin/sh
case "$(pebble-challtestsrv -h 2>&1)" in *-dnsserver*) dns=-dnsserver ;; *) dns=-dns01 ;; esac
exec pebble-challtestsrv "$dns" "$1" -management "$2" -defaultIPv4 127.0.0.1 -defaultIPv6 '' \\
    -http01 '' -https01 '' -tlsalpn01 '' -doh ''
"""
NAMES_UNIT = """\
[Service]
ExecStart=/bin/sh {home}/name-server 127.0.0.1:{names} 127.0.0.1:{answers}
ExecStartPost=/bin/sh -c 'until curl -s -o /dev/null 127.0.0.1:{answers}/; do sleep 0.02; done'
StandardOutput=append:{home}/names.log
StandardError=inherit

[Install]
WantedBy=default.target
"""
PEBBLE_UNIT = """\
[Unit]
After=pebble-names.service

[Service]
ExecStart=/usr/bin/pebble -config {home}/config.json -dnsserver {server}
ExecStartPost=/bin/sh -c 'until curl -s -k -o /dev/null {directory}; do sleep 0.02; done'
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE={reuse} PEBBLE_WFE_NONCEREJECT={nonces} {more}
StandardOutput=append:{home}/pebble.log
StandardError=inherit

[Install]
WantedBy=default.target
"""
CERTIFICATE = """\
cd "$1"
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
$new -subj "/CN=Pebble's own" -keyout ca.key -out ca.crt
$new -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \\
    -addext basicConstraints=CA:FALSE -CA ca.crt -CAkey ca.key -keyout tls.key -out tls.crt
"""
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

    def settings(self, name: str = "pebble", *, more: str = "") -> str:
        """Podvisor's settings with this issuer, by that name; `more` is of the issuer's table."""
        return f"""
[certificates]
issuer = "{name}"
http_listen = "127.0.0.1:{self.http_port}"
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
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.port + 1}",
            "certificate": f"{self._home}/tls.crt",
            "privateKey": f"{self._home}/tls.key",
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "retryAfter": dict(zip(("authz", "order"), retry_after, strict=True)),
            "certificateValidityPeriod": lifetime,
            "profiles": {"default": {"description": "One", "validityPeriod": lifetime}},
        }
        user.write(f"{FOLDER}/config.json", json.dumps({"pebble": settings | config}))
        user.write(f"{FOLDER}/name-server", NAME_SERVER)
        if not (user.home / FOLDER / "tls.crt").exists():
            user.run("sh", "-euc", CERTIFICATE, "sh", self._home)
        values = {
            "home": self._home,
            "names": self.port + 2,
            "answers": self.port + 3,
            "server": name_server or self.name_server,
            "directory": self.directory,
            "nonces": nonce_rejects,
            "reuse": reuse,
            "more": environment,
        }
        user.write(f".config/systemd/user/{NAMES}", NAMES_UNIT.format(**values))
        user.write(f".config/systemd/user/{PEBBLE}", PEBBLE_UNIT.format(**values))
        user.systemctl("enable", NAMES, PEBBLE)
        user.systemctl("restart", NAMES, PEBBLE)
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
        return len(self.requests("/order-plz"))

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
