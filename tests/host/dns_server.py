"""Authoritative DNS servers of a user's own: Debian's Knot DNS, a primary and a secondary.

Servers of a zone are asked at port 53, so each has an address of the loopback that no other user of
the host has: IPv4 both, the primary IPv6, too. They run as the user, as services of the system,
which may give them that port; they are gone after a reboot until `start`.
"""

from dataclasses import dataclass

from tests.host.conftest import User

FOLDER = "dns"
KEY_NAME = "podvisor"
SECRET = "aHVzaCwgdGhpcyBpcyBhIHNlY3JldA=="
ZONES = ("example.test", "acme.example.net")
UPDATED = (
    *("_acme-challenge", "_acme-challenge.www", "_acme-challenge.shop"),
    *("www", "app.challenges"),
)
"""Names in these zones whose TXT records the key may change, as the how-to has it."""

CONFIG = """\
server:
  rundir: {home}
  listen: [{listen}]
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
control:
  listen: {home}/knot.sock
database:
  storage: {home}
  journal-db-max-size: 64M
  kasp-db-max-size: 8M
  timer-db-max-size: 8M
key:
  - id: {key}
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: other
    address: {other}
acl:
  - id: update
    key: {key}
    action: update
    update-type: TXT
    update-owner: name
    update-owner-match: equal
    update-owner-name: [{updated}]
  - id: transfer
    address: 127.0.0.0/8
    action: [transfer, notify]
template:
  - id: default
    storage: {home}
    file: "%s.zone"
    zonefile-sync: -1
    journal-content: all
zone:
"""
ZONE = """\
$TTL 60
@ SOA ns1 root 1 3600 600 86400 1
@ NS ns1
@ NS ns2
ns1 A {primary}
ns1 AAAA {primary6}
ns2 A {secondary}
@ A 127.0.0.1
* A 127.0.0.1
{more}
"""


@dataclass(frozen=True, kw_only=True)
class DnsServer:
    """Two servers of some zones, in which every name has the address 127.0.0.1."""

    user: User
    zones: tuple[str, ...] = ZONES
    follows: bool = True
    """Whether the secondary is told of changes; if not, it learns of them by `follow` only."""

    @property
    def primary(self) -> str:
        """Its IPv4 address."""
        return self._address(53)

    @property
    def primary6(self) -> str:
        return f"fd53::{self.user.uid % 600 + 1:x}"

    @property
    def secondary(self) -> str:
        return self._address(54)

    @property
    def name_server(self) -> str:
        """ADDRESS:PORT of who can be asked for all of the zones."""
        return f"{self.primary}:53"

    @property
    def settings(self) -> str:
        """Podvisor's, for the zones; writes the secret that they name."""
        self.user.write("tsig-key", SECRET, mode=0o600)
        return "".join(
            f'[certificates.zones."{zone}"]\n'
            f'provider = "rfc2136"\nserver = "{self.primary}"\n'
            f'key_name = "{KEY_NAME}"\nsecret = "file:~/tsig-key"\n'
            for zone in self.zones
        )

    def start(self, **more: str) -> "DnsServer":
        """Start both; `more` are further lines of zones, by their names with `_` for the dots."""
        host, home = self.user.host, self._home
        host.run("ip", "-6", "address", "replace", f"{self.primary6}/128", "dev", "lo")
        for role in ("primary", "secondary"):
            listen = [f"{getattr(self, role)}@53"]
            listen += [f"{self.primary6}@53"] if role == "primary" else []
            other = self.secondary if role == "primary" else self.primary
            config = CONFIG.format(
                home=f"{home}/{role}",
                listen=", ".join(listen),
                key=KEY_NAME,
                secret=SECRET,
                other=f"{other}@53",
                updated=", ".join(UPDATED),
            )
            for zone in self.zones:
                config += f"  - domain: {zone}\n"
                if role == "secondary":
                    config += "    master: other\n    acl: [transfer]\n"
                    continue
                config += "    acl: [update, transfer]\n"
                config += "    notify: other\n" if self.follows else ""
                text = ZONE.format(
                    primary=self.primary,
                    primary6=self.primary6,
                    secondary=self.secondary,
                    more=more.get(zone.replace(".", "_"), ""),
                )
                self.user.write(f"{FOLDER}/{role}/{zone}.zone", text)
            self.user.write(f"{FOLDER}/{role}/knot.conf", config)
            host.run(
                *("systemd-run", "--quiet", f"--unit={self._unit(role)}", "--collect"),
                *("--service-type=notify", f"--uid={self.user.name}"),
                "--property=AmbientCapabilities=CAP_NET_BIND_SERVICE",
                *("knotd", f"--config={home}/{role}/knot.conf"),
            )
        self.follow()
        return self

    def stop(self) -> None:
        """End both, for good."""
        for role in ("primary", "secondary"):
            self.user.host.systemctl("stop", self._unit(role), check=False)
        self.user.host.run(
            *("ip", "-6", "address", "del", f"{self.primary6}/128", "dev", "lo"), check=False
        )

    def follow(self) -> None:
        """Have the secondary fetch what the primary knows, and wait until it has it."""
        for zone in self.zones:
            self._control("secondary", "--blocking", "zone-refresh", zone)
            self.user.wait_for(
                lambda zone=zone: self._serial("primary", zone) == self._serial("secondary", zone),
                what=f"the secondary to have {zone}",
            )

    def texts(self, name: str, *, zone: str = ZONES[0], at: str = "primary") -> set[str]:
        """Values of the TXT records of a name, as one of the two knows them."""
        done = self._control(at, "zone-read", zone, f"{name}.", "TXT", check=False)
        return {line.split('"')[1] for line in done.splitlines() if '"' in line}

    def _serial(self, role: str, zone: str) -> str:
        lines = self._control(role, "zone-read", zone, "@", "SOA", check=False).splitlines()
        return lines[0].split()[6] if lines else f"none at the {role}"

    def _control(self, role: str, *arguments: str, check: bool = True) -> str:
        socket = f"--socket={self._home}/{role}/knot.sock"
        return self.user.run("/usr/sbin/knotc", socket, *arguments, check=check).stdout

    def _unit(self, role: str) -> str:
        return f"dns-{role}-{self.user.name}.service"

    def _address(self, network: int) -> str:
        high, low = divmod(self.user.uid % 600, 200)
        return f"127.{network}.{high}.{low + 1}"

    @property
    def _home(self) -> str:
        return f"/home/{self.user.name}/{FOLDER}"
