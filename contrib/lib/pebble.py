"""An ACME issuer for a user of a disposable host: Pebble, with its challenge test server.

    python3 pebble.py FOLDER PORT [OPTIONS]

It runs inside, as that user, writes what the two need into FOLDER, and starts them as units of the
user, or starts them anew, which forgets all accounts and orders and makes other roots. PORT is the
first of six: the directory, the management interface, DNS, the answers of DNS, and those where
http-01 and tls-alpn-01 are asked for. Every name has the address 127.0.0.1.

In FOLDER are then `ca.crt`, of who signed the directory's own certificate, and `pebble.log`.
OPTIONS are in JSON: `nonce_rejects` and `reuse` (of authorisations) in per cent, `name_server`,
`environment` (PAIRS=1), `config` (further keys of Pebble's settings).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

UNITS = Path.home() / ".config/systemd/user"
LIFETIME_SECONDS = 90 * 86_400
# Debian has two versions of it, which call the port of the DNS server otherwise.
NAME_SERVER = """\
case "$(pebble-challtestsrv -h 2>&1)" in *-dnsserver*) dns=-dnsserver ;; *) dns=-dns01 ;; esac
exec pebble-challtestsrv "$dns" "$1" -management "$2" -defaultIPv4 127.0.0.1 -defaultIPv6 '' \\
    -http01 '' -https01 '' -tlsalpn01 '' -doh ''
"""
NAMES_UNIT = """\
[Service]
ExecStart=/bin/sh {folder}/name-server {names} {answers}
ExecStartPost=/bin/sh -c 'until curl -s -o /dev/null {answers}; do sleep 0.02; done'
StandardOutput=append:{folder}/names.log
StandardError=inherit

[Install]
WantedBy=default.target
"""
PEBBLE_UNIT = """\
[Unit]
After=pebble-names.service

[Service]
ExecStart=/usr/bin/pebble -config {folder}/config.json -dnsserver {server}
ExecStartPost=/bin/sh -c 'until curl -s -k -o /dev/null https://{listen}/dir; do sleep 0.02; done'
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE={reuse} PEBBLE_WFE_NONCEREJECT={nonces} {more}
StandardOutput=append:{folder}/pebble.log
StandardError=inherit

[Install]
WantedBy=default.target
"""
CERTIFICATE = """\
cd "$1"
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
$new -subj "/CN=Pebble's own" -addext keyUsage=keyCertSign -keyout ca.key -out ca.crt
$new -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \\
    -addext basicConstraints=CA:FALSE -CA ca.crt -CAkey ca.key -keyout tls.key -out tls.crt
"""


def write(folder: Path, port: int, options: dict[str, Any]) -> None:
    """Write settings, certificates and units."""
    places = [f"127.0.0.1:{port + number}" for number in range(4)]
    settings = {
        "listenAddress": places[0],
        "managementListenAddress": places[1],
        "certificate": f"{folder}/tls.crt",
        "privateKey": f"{folder}/tls.key",
        "httpPort": port + 4,
        "tlsPort": port + 5,
        "retryAfter": {"authz": 1, "order": 1},
        # The older version knows the first, the newer one the second.
        "certificateValidityPeriod": LIFETIME_SECONDS,
        "profiles": {"default": {"description": "One", "validityPeriod": LIFETIME_SECONDS}},
    }
    settings |= options.get("config", {})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"pebble": settings}))
    (folder / "name-server").write_text(NAME_SERVER)
    if not (folder / "tls.crt").exists():
        script = ["sh", "-euc", CERTIFICATE, "sh", str(folder)]
        subprocess.run(script, check=True, capture_output=True)
    values = {
        "folder": folder,
        "listen": places[0],
        "names": places[2],
        "answers": places[3],
        "server": options.get("name_server") or places[2],
        "nonces": options.get("nonce_rejects", 0),
        "reuse": options.get("reuse", 0),
        "more": options.get("environment", ""),
    }
    UNITS.mkdir(parents=True, exist_ok=True)
    (UNITS / "pebble-names.service").write_text(NAMES_UNIT.format(**values))
    (UNITS / "pebble.service").write_text(PEBBLE_UNIT.format(**values))


def main() -> None:
    folder, port, *options = sys.argv[1:]
    write(Path(folder), int(port), json.loads(options[0]) if options else {})
    for verb in ("enable", "restart"):
        units = ("pebble-names.service", "pebble.service")
        subprocess.run(["systemctl", "--user", "--quiet", verb, *units], check=True)


if __name__ == "__main__":
    main()
